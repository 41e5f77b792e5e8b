import type { Table } from '../../../linux/nftables/table.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { serviceClaims } from './element.ts';
import { Ledger } from './ledger.ts';

/** render(): the whole table for these plans. Pure. */
export function renderTable(plans: Iterable<ServicePlan>, node: NodeContext): Table {
  const ledger = new Ledger(node);
  for (const plan of plans) ledger.put(plan.key, serviceClaims(plan));
  return ledger.table();
}
