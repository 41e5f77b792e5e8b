/** Changes of a table, and the text that `iptables-restore --noflush` makes them from. Pure. */
import type { TableName } from './ruleset.ts';

/** Chains by name, each with its rules. */
export type Chains = ReadonlyMap<string, readonly string[]>;

/** A change of one rule by its place in its chain, which begins with 1 and is counted when the edits before it are done. */
export type RuleEdit =
  | { readonly kind: 'insert' | 'replace'; readonly at: number; readonly rule: string }
  | { readonly kind: 'remove'; readonly at: number };

/** One transaction: what stands between `*nat` and `COMMIT`. Its parts are done in this order. */
export interface Section {
  readonly table: TableName;
  /** Chains that are made if need be, or emptied, and then hold these rules alone. */
  readonly fill?: Chains;
  /** Rules that come behind those of their chain. */
  readonly append?: Chains;
  /** What changes within chains that are long. The nft tool reads such a chain once, and does not look into its rules. */
  readonly edit?: ReadonlyMap<string, readonly RuleEdit[]>;
  /** Rules that go, each as the kernel has it. */
  readonly remove?: Chains;
  /** Rules that come to the head of their chain. */
  readonly insert?: Chains;
  /** Chains that are emptied and go: by now no rule leads to them. */
  readonly drop?: readonly string[];
}

const noChains: Chains = new Map();

function* linesOf(letter: string, chains: Chains = noChains): Generator<string> {
  for (const [chain, rules] of chains) for (const rule of rules) yield rule === '' ? `-${letter} ${chain}` : `-${letter} ${chain} ${rule}`;
}

const editLetters = { insert: 'I', replace: 'R', remove: 'D' } as const;

function* editLines(edits: Section['edit']): Generator<string> {
  for (const [chain, list] of edits ?? [])
    for (const edit of list) yield `-${editLetters[edit.kind]} ${chain} ${edit.at}${edit.kind === 'remove' ? '' : ` ${edit.rule}`}`;
}

/** The lines between `*nat` and `COMMIT`. */
function* body({ fill = noChains, append, edit, remove, insert, drop = [] }: Section): Generator<string> {
  for (const chain of [...fill.keys(), ...drop]) yield `:${chain} - [0:0]`;
  yield* linesOf('A', fill);
  yield* linesOf('A', append);
  yield* editLines(edit);
  yield* linesOf('D', remove);
  yield* linesOf('I', insert);
  for (const chain of drop) yield `-X ${chain}`;
}

/** How many lines a section has: what a change costs. */
export function sizeOf(section: Section): number {
  return Array.from(body(section)).length;
}

/**
 * The text of sections, a piece for each. `joined` makes one transaction of neighbours in one table: the legacy backend reads and writes the
 * whole table for every COMMIT, however little is said before it.
 */
export function* restoreText(sections: Iterable<Section>, joined: boolean): Generator<string> {
  let open: TableName | undefined;
  for (const section of sections) {
    const isSame = joined && open === section.table;
    const lines = [...(isSame ? [] : [...(open ? ['COMMIT'] : []), `*${section.table}`]), ...body(section)];
    open = section.table;
    yield `${lines.join('\n')}\n`;
  }
  if (open) yield 'COMMIT\n';
}
