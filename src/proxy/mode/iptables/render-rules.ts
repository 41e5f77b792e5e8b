import { builtInChains, type Ruleset } from '../../../linux/iptables/ruleset.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { ensuredRules, fixedChains, kubeletFirewall, type Layout, sharedChains, splitName, tailOf } from './layout.ts';
import { nothingKnown, place } from './placement.ts';
import { renderService } from './render-service.ts';

/** So many endpoints of all Services, and rules no longer name in comments where they lead. kube-proxy's number. */
const many = 1000;

export function areCommented(plans: Iterable<ServicePlan>): boolean {
  let count = 0;
  for (const { ports } of plans) for (const { cluster, local } of ports) count += Math.max(cluster.length, local.length);
  return count <= many;
}

/** The chains of each table, made when they are asked for. */
class Tables {
  readonly rules = new Map<string, Map<string, string[]>>();

  chain(table: string, name: string): string[] {
    const chains = this.rules.get(table) ?? new Map<string, string[]>();
    this.rules.set(table, chains);
    const rules = chains.get(name) ?? [];
    chains.set(name, rules);
    return rules;
  }
}

/** Without Services. */
function bare(layout: Layout): Tables {
  const tables = new Tables();
  for (const [table, chains] of Object.entries(builtInChains)) for (const chain of chains) tables.chain(table, chain);
  for (const [table, chains] of fixedChains(layout)) for (const [chain, rules] of chains) tables.chain(table, chain).push(...rules);
  tables.chain('filter', kubeletFirewall);
  for (const { table, chain, rule } of ensuredRules(layout)) tables.chain(table, chain).unshift(rule);
  for (const shared of sharedChains) tables.chain(...splitName(shared));
  return tables;
}

/** render(): all tables for these plans, of which no two have the same frontend, and nothing of others in them. Pure. */
export function renderRules(plans: Iterable<ServicePlan>, layout: Layout): Ruleset {
  const sorted = Array.from(plans, (plan) => place(plan, nothingKnown)).sort((a, b) => (a.key < b.key ? -1 : 1));
  const commented = areCommented(sorted);
  const tables = bare(layout);
  for (const plan of sorted) {
    const { chains, shared } = renderService(plan, layout, commented);
    for (const [name, rules] of chains) tables.chain('nat', name).push(...rules);
    for (const [name, rules] of shared) tables.chain(...splitName(name)).push(...rules);
  }
  for (const shared of sharedChains) tables.chain(...splitName(shared)).push(...tailOf(shared, layout));
  return tables.rules;
}
