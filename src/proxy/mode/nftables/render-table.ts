import type { Table } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { Ledger } from './ledger.ts';
import { noSlots, type PreviousSlots, withSlots } from './slots.ts';

/** render(): the whole table for these plans, of which no two have the same frontend. Endpoints keep the slots that they held before. Pure. */
export function renderTable(plans: Iterable<ServicePlan>, node: NodeContext, slots: PreviousSlots = noSlots): Table {
  const ledger = new Ledger(node);
  ledger.update(new Map(Array.from(plans, (plan) => [plan.key, withSlots(plan, slots)] as const)));
  return ledger.table();
}
