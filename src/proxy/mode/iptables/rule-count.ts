/** How many rules one family has, and how many the last sync wrote, as kube-proxy's metrics tell it. Pure. */
import type { TableName } from '../../../linux/iptables/ruleset.ts';
import type { Chains, Section } from '../../../linux/iptables/section.ts';
import { ensuredRules, fixedChains, type Layout, sharedChains, splitName, tailOf } from './layout.ts';
import type { ServiceRules } from './render-service.ts';

/** Those that hold rules. */
export type CountedTable = Exclude<TableName, 'mangle'>;
export const countedTables: readonly CountedTable[] = ['nat', 'filter'];
export type Counts = Record<CountedTable, number>;

function sizeOf(chains: Chains | undefined): number {
  let size = 0;
  for (const rules of chains?.values() ?? []) size += rules.length;
  return size;
}

function writtenBy(edits: Section['edit']): number {
  let size = 0;
  for (const list of edits?.values() ?? []) size += list.filter(({ kind }) => kind !== 'remove').length;
  return size;
}

function ofService({ chains, shared }: ServiceRules): Counts {
  const counts = { nat: sizeOf(chains), filter: 0 };
  for (const [chain, rules] of shared) counts[splitName(chain)[0] === 'nat' ? 'nat' : 'filter'] += rules.length;
  return counts;
}

function withoutServices(layout: Layout): Counts {
  const fixed = fixedChains(layout);
  const ensured = ensuredRules(layout);
  const tails = sharedChains.map((chain) => ({ table: splitName(chain)[0], size: tailOf(chain, layout).length }));
  const count = (table: CountedTable): number =>
    sizeOf(fixed.get(table)) +
    ensured.filter((rule) => rule.table === table).length +
    tails.reduce((sum, tail) => sum + (tail.table === table ? tail.size : 0), 0);
  return { nat: count('nat'), filter: count('filter') };
}

export class RuleCount {
  #total: Counts = { nat: 0, filter: 0 };
  #last: Counts = { nat: 0, filter: 0 };

  get total(): Readonly<Counts> {
    return this.#total;
  }

  get last(): Readonly<Counts> {
    return this.#last;
  }

  /** All rules will be counted anew. */
  restart(layout: Layout): void {
    this.#total = withoutServices(layout);
  }

  add(rules: ServiceRules): void {
    this.#count(rules, 1);
  }

  remove(rules: ServiceRules): void {
    this.#count(rules, -1);
  }

  #count(rules: ServiceRules, step: 1 | -1): void {
    const own = ofService(rules);
    for (const table of countedTables) this.#total[table] += step * own[table];
  }

  /** A sync begins to write. */
  begin(): void {
    this.#last = { nat: 0, filter: 0 };
  }

  wrote({ table, fill, append, edit, insert }: Section): void {
    if (table !== 'mangle') this.#last[table] += sizeOf(fill) + sizeOf(append) + sizeOf(insert) + writtenBy(edit);
  }
}
