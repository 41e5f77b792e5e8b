/** What must be done to the tables, and in which order, so that no packet meets a gap. Pure. */
import { canonicalRule, sameRule } from '../../../linux/iptables/rule.ts';
import type { Ruleset, TableName } from '../../../linux/iptables/ruleset.ts';
import type { Chains, Section } from '../../../linux/iptables/section.ts';
import { referrersFirst } from './chain-names.ts';
import { type EnsuredRule, ensuredRules, fixedChains, kubeletFirewall, type Layout, type SharedChain, splitName } from './layout.ts';

/** What changes in a chain that Services share. The order of Services means nothing: a frontend is one Service's. */
export interface SharedChange {
  /** As the kernel has them. */
  readonly gone: readonly string[];
  readonly added: readonly string[];
  /** The chain anew, rather than rule by rule. */
  readonly whole?: readonly string[];
}

/** What is done in one transaction. */
export type Part = Pick<Section, 'fill' | 'append' | 'edit'>;

export interface Changes {
  /** Before all else, so that what leads to them is there. */
  readonly base: readonly Section[];
  /** Chains of Services in table nat, some at a time; asked for once. */
  readonly own: Iterable<Part>;
  readonly shared: ReadonlyMap<SharedChain, SharedChange>;
  /** Rules at the heads of chains of others. */
  readonly ensured: readonly EnsuredRule[];
  /** Chains in table nat to which no rule leads any more. */
  readonly stale: readonly string[];
}

/** So many chains are dropped at a time: the tools take time quadratic in them. */
const staleAtATime = 500;

/**
 * To delete one rule, the nft tool reads the whole chain and compares: what it takes for more than these, it takes to write the chain anew, at
 * any size.
 */
const fewRemovals = 8;

/** Whether it is better to write a chain anew than to take this many rules out of it one by one. */
export function isMuch(gone: readonly unknown[]): boolean {
  return gone.length > fewRemovals;
}

/** A section, if it says anything. */
function* section(table: TableName, parts: Omit<Section, 'table'>): Generator<Section> {
  const { fill, append, edit, remove, insert, drop } = parts;
  const says = [fill, append, edit, remove, insert].some((chains) => chains !== undefined && chains.size > 0);
  if (says || (drop && drop.length > 0)) yield { table, ...parts };
}

/** What a part of the changes says to the chains of a table. */
function rulesIn(shared: Changes['shared'], table: TableName, of: (change: SharedChange) => readonly string[] | undefined): Chains {
  const chains = new Map<string, readonly string[]>();
  for (const [name, change] of shared) {
    const [its, chain] = splitName(name);
    const rules = its === table ? of(change) : undefined;
    if (rules) chains.set(chain, rules);
  }
  return chains;
}

function ensuredIn(rules: readonly EnsuredRule[], table: TableName): Chains {
  const chains = new Map<string, string[]>();
  // What is inserted first ends behind what comes after it.
  for (const { table: its, chain, rule } of rules) if (its === table) chains.set(chain, [...(chains.get(chain) ?? []), rule]);
  return chains;
}

/** The same of rules that come or go one by one. */
function editsIn(shared: Changes['shared'], table: TableName, of: (change: SharedChange) => readonly string[] | undefined): Chains {
  return rulesIn(shared, table, (change) => (of(change)?.length ? of(change) : undefined));
}

/** Each comes to the head of the chain: so a Service's rules have their own order. */
function comingFirst({ added }: SharedChange): readonly string[] {
  return added.toReversed();
}

/** Chains of both; of a chain that both have, the rules of the second come behind. */
function together(a: Chains, b: Chains): Chains {
  const both = new Map(a);
  for (const [chain, rules] of b) both.set(chain, [...(both.get(chain) ?? []), ...rules]);
  return both;
}

/**
 * The way there. Rules of table filter bite what no rule of nat has translated: they come before the translation goes, and go after it has come.
 * What fits into one transaction of nat is done in one: no packet meets a half of it.
 */
export function* sectionsOf({ base, own, shared, ensured, stale }: Changes): Generator<Section> {
  const isNew = ({ whole, gone }: SharedChange): boolean => whole !== undefined && gone.length === 0;
  yield* base;
  const added = editsIn(shared, 'filter', (change) => (isNew(change) ? undefined : comingFirst(change)));
  yield* section('filter', {
    fill: rulesIn(shared, 'filter', (change) => (isNew(change) ? change.whole : undefined)),
    insert: together(added, ensuredIn(ensured, 'filter')),
  });
  let last: Part = {};
  for (const part of own) {
    yield* section('nat', last);
    last = part;
  }
  const ordered = referrersFirst(stale);
  yield* section('nat', {
    ...last,
    fill: together(
      last.fill ?? new Map(),
      rulesIn(shared, 'nat', (change) => change.whole),
    ),
    remove: editsIn(shared, 'nat', (change) => (change.whole ? undefined : change.gone)),
    insert: together(
      editsIn(shared, 'nat', (change) => (change.whole ? undefined : comingFirst(change))),
      ensuredIn(ensured, 'nat'),
    ),
    drop: ordered.slice(0, staleAtATime),
  });
  for (let i = staleAtATime; i < ordered.length; i += staleAtATime) yield { table: 'nat', drop: ordered.slice(i, i + staleAtATime) };
  yield* section('filter', {
    fill: rulesIn(shared, 'filter', (change) => (isNew(change) ? undefined : change.whole)),
    remove: editsIn(shared, 'filter', (change) => (change.whole ? undefined : change.gone)),
  });
}

/** Chains of Services to which rules lead, without those of endpoints. */
export function ledTo(nat: Chains): ReadonlySet<string> {
  const led = new Set<string>();
  for (const rules of nat.values())
    for (const rule of rules) {
      const name = /-j (KUBE-(?:SVC|SVL|EXT|FW)-\S+)/.exec(rule)?.[1];
      if (name !== undefined) led.add(name);
    }
  return led;
}

export function sameChain(held: readonly string[] | undefined, wanted: readonly string[]): boolean {
  return held?.length === wanted.length && wanted.every((rule, i) => sameRule(held[i] ?? '', rule));
}

export function sameText(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a?.length === b.length && b.every((rule, i) => a[i] === rule);
}

/** What of `all` is not in `others`, each counted as often as it is there. */
function minus(all: readonly string[], others: readonly string[], name: (rule: string) => string): string[] {
  const counts = new Map<string, number>();
  for (const rule of others) counts.set(name(rule), (counts.get(name(rule)) ?? 0) + 1);
  return all.filter((rule) => {
    const left = counts.get(name(rule)) ?? 0;
    counts.set(name(rule), left - 1);
    return left <= 0;
  });
}

/** What changes in a shared chain. `tail` is what `wanted` ends with, and the chain must. */
export function sharedChange(held: readonly string[] | undefined, wanted: readonly string[], tail: readonly string[]): SharedChange {
  if (!held) return { gone: [], added: wanted, whole: wanted };
  const asText = (rule: string): string => rule;
  const maybeGone = minus(held, wanted, asText);
  const maybeAdded = minus(wanted, held, asText);
  const gone = minus(maybeGone, maybeAdded, canonicalRule);
  const added = minus(maybeAdded, maybeGone, canonicalRule);
  const isLast = sameChain(tail.length === 0 ? [] : held.slice(-tail.length), tail);
  return isLast && !isMuch(gone) ? { gone, added } : { gone: isLast ? gone : held, added, whole: wanted };
}

/** What is missing of all that does not depend on Services. */
export function baseChanges(held: Ruleset, layout: Layout): Pick<Changes, 'base' | 'ensured'> {
  const base: Section[] = [];
  const ensured = ensuredRules(layout).filter(
    ({ table, chain, rule }) =>
      !held
        .get(table)
        ?.get(chain)
        ?.some((one) => sameRule(one, rule)),
  );
  for (const [table, chains] of fixedChains(layout)) {
    const fill = new Map([...chains].filter(([chain, rules]) => !sameChain(held.get(table)?.get(chain), rules)));
    // The kubelet's chain is made and not filled: what else is in it stays.
    if (table === 'filter' && !held.get(table)?.has(kubeletFirewall)) fill.set(kubeletFirewall, []);
    base.push(...section(table, { fill }));
  }
  return { base, ensured };
}
