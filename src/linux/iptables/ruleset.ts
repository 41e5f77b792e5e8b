/** The tables of iptables as values, and the text of `iptables-save` to them. Pure. */

export type TableName = 'filter' | 'nat' | 'mangle';

/** The chains that the kernel brings. */
export const builtInChains: Readonly<Record<TableName, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
};

/** By table, then by chain, built-in ones too: the rules in their order, each without the `-A CHAIN` before it. */
export type Ruleset = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

/** Reads what `iptables-save` prints, of either backend, piece by piece: the whole of ten thousand Services would hold everybody else up. */
export class SaveReader {
  readonly #tables = new Map<string, Map<string, string[]>>();
  #chains = new Map<string, string[]>();
  #rest = '';

  /** Takes a piece of the text; it may end in the middle of a line. */
  push(piece: string): void {
    const text = this.#rest + piece;
    let from = 0;
    for (let to = text.indexOf('\n'); to >= 0; to = text.indexOf('\n', from)) {
      this.#line(text.slice(from, to));
      from = to + 1;
    }
    this.#rest = text.slice(from);
  }

  #line(line: string): void {
    if (line.startsWith('*')) {
      this.#chains = new Map();
      this.#tables.set(line.slice(1), this.#chains);
    } else if (line.startsWith(':')) this.#chains.set(line.slice(1, line.indexOf(' ')), []);
    else if (line.startsWith('-A ')) {
      const end = line.indexOf(' ', 3);
      const chain = end < 0 ? line.slice(3) : line.slice(3, end);
      this.#chains.get(chain)?.push(end < 0 ? '' : line.slice(end + 1));
    }
  }

  /** All that was read. */
  get ruleset(): Ruleset {
    return this.#tables;
  }
}

export function parseSave(text: string): Ruleset {
  const reader = new SaveReader();
  reader.push(text.endsWith('\n') ? text : `${text}\n`);
  return reader.ruleset;
}
