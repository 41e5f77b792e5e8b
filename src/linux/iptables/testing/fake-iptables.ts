/**
 * iptables in memory: the text of each change is printed and read like a real one, and refused where the kernel would refuse. `dump` gives what
 * `iptables-save` would print.
 */
import { KnownError } from '../../../errors/known-error.ts';
import type { TableFamily } from '../../nftables/table.ts';
import type { CountedRule } from '../counted-rule.ts';
import type { Iptables, IptablesFeatures } from '../iptables.ts';
import { printTable } from '../print.ts';
import { partsOf, sameRule } from '../rule.ts';
import { builtInChains, type Ruleset, type TableName } from '../ruleset.ts';
import { restoreText, type Section } from '../section.ts';

type Tables = Map<string, Map<string, string[]>>;

const builtIn: Readonly<Record<string, readonly string[]>> = builtInChains;
const ends = ['ACCEPT', 'DROP', 'RETURN', 'REJECT', 'MARK', 'DNAT', 'MASQUERADE'];

class Refused extends Error {}

/** By rule: of thousands that are there they are asked at every change. */
const targets = new Map<string, string | undefined>();
function targetOf(rule: string): string | undefined {
  if (!targets.has(rule)) targets.set(rule, partsOf(rule).target?.name);
  return targets.get(rule);
}

/** By a place that is said, or of the rule of that text. */
function splice(
  chain: string[],
  line: string,
  { verb, given, rule }: { verb: '-I' | '-D' | '-R'; given: number | undefined; rule: string },
): void {
  const at = given ?? (verb === '-D' ? chain.findIndex((held) => sameRule(held, rule)) + 1 : 1);
  if (at < 1 || at > chain.length + (verb === '-I' ? 1 : 0)) throw new Refused(`there is no such rule, or no such place: ${line}`);
  chain.splice(at - 1, verb === '-I' ? 0 : 1, ...(verb === '-D' ? [] : [rule]));
}

/** Table by table as `iptables-restore --noflush` works: what stands before a COMMIT holds when it comes. */
export class RestoreReader {
  readonly #tables: Tables;
  #name = '';
  #chains = new Map<string, string[]>();
  /** Chains whose rules are this section's own and no longer those that are held. */
  #changed = new Set<string>();
  #added: string[] = [];
  #drops = false;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** Throws Refused. */
  line(line: string): void {
    if (line.startsWith('*')) this.#begin(line.slice(1));
    else if (line === 'COMMIT') this.#commit();
    else if (line.startsWith(':')) this.#fill(line.slice(1).split(' ')[0] ?? '', []);
    else if (line !== '' && !line.startsWith('#')) this.#change(line);
  }

  #begin(name: string): void {
    this.#name = name;
    const held = this.#tables.get(name) ?? new Map((builtIn[name] ?? []).map((chain) => [chain, []]));
    this.#chains = new Map(held);
    this.#changed = new Set();
    this.#added = [];
    this.#drops = false;
  }

  #fill(chain: string, rules: string[]): string[] {
    this.#chains.set(chain, rules);
    this.#changed.add(chain);
    return rules;
  }

  #change(line: string): void {
    const [verb, name = '', ...words] = line.split(' ');
    const held = this.#chains.get(name);
    const chain = held && !this.#changed.has(name) ? this.#fill(name, [...held]) : held;
    if (!chain) throw new Refused(`there is no chain ${name}`);
    const given = /^\d+$/.test(words[0] ?? '') ? Number(words.shift()) : undefined;
    const rule = words.join(' ');
    if (['-A', '-I', '-R'].includes(verb ?? '')) this.#added.push(rule);
    if (verb === '-A') chain.push(rule);
    else if (verb === '-I' || verb === '-D' || verb === '-R') splice(chain, line, { verb, given, rule });
    else if (verb === '-X') {
      if (chain.length > 0) throw new Refused(`chain ${name} is not empty`);
      this.#chains.delete(name);
      this.#drops = true;
    } else throw new Refused(`cannot read ${line}`);
  }

  #commit(): void {
    // What was there leads to what there was, unless that goes.
    for (const target of (this.#drops ? [...this.#chains.values()].flat() : this.#added).map(targetOf))
      if (target !== undefined && !ends.includes(target) && !this.#chains.has(target)) throw new Refused(`there is no chain ${target}`);
    this.#tables.set(this.#name, this.#chains);
  }
}

export class FakeIptables implements Iptables {
  readonly #families = new Map<TableFamily, Tables>();
  readonly #watchers = new Set<() => void>();
  #foreign = 0;
  readonly #packets = new Map<string, number>();
  found: IptablesFeatures = { backend: 'nft', randomFully: true };
  /** The text of every change of ours. */
  restored: string[] = [];
  /** Set to let the next changes fail. */
  failure: KnownError | undefined;
  /** The family whose tools are not there. */
  lacking: TableFamily | undefined;

  /** Throws TOOL_MISSING. */
  #run(family: TableFamily): void {
    if (family === this.lacking) throw new KnownError('TOOL_MISSING', `Cannot run "${family}tables": it is not installed`);
  }

  #tables(family: TableFamily): Tables {
    const tables = this.#families.get(family) ?? new Map();
    this.#families.set(family, tables);
    return tables;
  }

  async features(family: TableFamily): Promise<IptablesFeatures> {
    this.#run(family);
    return this.found;
  }

  async save(family: TableFamily): Promise<Ruleset> {
    this.#run(family);
    return new Map([...this.#tables(family)].map(([name, chains]) => [name, new Map([...chains].map(([c, rules]) => [c, [...rules]]))]));
  }

  async restore(family: TableFamily, sections: Iterable<Section>): Promise<void> {
    this.#run(family);
    const text = [...restoreText(sections, this.found.backend === 'legacy')].join('');
    if (this.failure) throw this.failure;
    this.restored.push(text);
    this.#apply(family, text);
  }

  #apply(family: TableFamily, text: string): void {
    const reader = new RestoreReader(this.#tables(family));
    for (const [at, line] of text.split('\n').entries())
      try {
        reader.line(line);
      } catch (err) {
        if (!(err instanceof Refused)) throw err;
        throw new KnownError('KERNEL_REFUSED', `Cannot change rules: line ${at + 1}: ${err.message}`);
      }
  }

  /** A change by somebody else. */
  restoreByOther(family: TableFamily, text: string): void {
    this.#apply(family, text);
    this.#foreign++;
    for (const onTouched of this.#watchers) onTouched();
  }

  async counted(family: TableFamily, table: TableName, chain?: string): Promise<CountedRule[]> {
    this.#run(family);
    const held = [...(this.#tables(family).get(table) ?? [])].filter(([name]) => chain === undefined || name === chain);
    const packetsAt = (rule: string): number =>
      [...this.#packets].reduce((sum, [part, count]) => sum + (rule.includes(part) ? count : 0), 0);
    return held.flatMap(([name, rules]) =>
      rules.map((rule) => ({ chain: name, rule, packets: packetsAt(rule), bytes: packetsAt(rule) * 60 })),
    );
  }

  /** As if so many packets, of 60 bytes each, had met the rules whose text has this in it. */
  met(part: string, packets: number): void {
    this.#packets.set(part, packets);
  }

  async hasChain(family: TableFamily, table: TableName, chain: string): Promise<boolean> {
    this.#run(family);
    return this.#tables(family).get(table)?.has(chain) === true;
  }

  async mayHold(prefix: string, family?: TableFamily): Promise<boolean> {
    const families = family ? [this.#tables(family)] : [...this.#families.values()];
    return families.some((tables) => [...tables.values()].some((c) => [...c.keys()].some((n) => n.startsWith(prefix))));
  }

  async state(family: TableFamily): Promise<string | undefined> {
    return this.dump(family);
  }

  async foreignChanges(): Promise<number | undefined> {
    const foreign = this.#foreign;
    this.#foreign = 0;
    return this.found.backend === 'legacy' ? undefined : foreign;
  }

  watch(_: string, onTouched: () => void): { close(): void } {
    this.#watchers.add(onTouched);
    return { close: () => this.#watchers.delete(onTouched) };
  }

  /** As `iptables-save` prints, without counters and times. */
  dump(family: TableFamily): string {
    return [...this.#tables(family)].map(([name, chains]) => printTable(name, chains)).join('');
  }

  close(): void {}
}
