import type { Table } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { Ledger } from './ledger.ts';
import { noSlots, withSlots } from './slots.ts';

/** render(): the whole table for these plans, of which no two have the same frontend. Pure. */
export function renderTable(plans: Iterable<ServicePlan>, node: NodeContext): Table {
  const ledger = new Ledger(node);
  ledger.update(new Map(Array.from(plans, (plan) => [plan.key, withSlots(plan, noSlots)] as const)));
  return ledger.table();
}
