/** One address family: what Services mean in it, and the rules that say so. */
import type { EndpointSlice, Service } from '../api/schema/types.ts';
import type { Nftables } from '../linux/nftables/table.ts';
import { ServiceTable, type SyncResult } from './apply/service-table.ts';
import type { NodeContext } from './plan/node-context.ts';
import { Planner } from './plan/planner.ts';
import type { ServicePlan } from './plan/service-plan.ts';

export class FamilyProxy {
  readonly planner: Planner;
  readonly #table: ServiceTable;

  private constructor(table: ServiceTable, node: NodeContext) {
    this.#table = table;
    this.planner = new Planner(node, (service) => table.heldSlots(service));
  }

  /** Learns from the kernel which slots an earlier proxy gave to endpoints. */
  static async open(nft: Nftables, node: NodeContext): Promise<FamilyProxy> {
    const table = new ServiceTable(nft, node);
    await table.open();
    return new FamilyProxy(table, node);
  }

  put(key: string, service: Service | undefined, slices: readonly EndpointSlice[]): void {
    this.planner.put(key, service, slices);
  }

  /** Forgets every plan, for a node that changed. All Services must be put again. */
  reset(node: NodeContext): void {
    this.planner.reset(node);
    this.#table.reset(node);
  }

  /** Settles who has what; tells of each Service what it had and has. */
  settle(onChange?: (before: ServicePlan | undefined, after: ServicePlan | undefined) => void): void {
    for (const [key, { before, after }] of this.planner.take()) {
      this.#table.put(key, after);
      onChange?.(before, after);
    }
  }

  /** Brings the kernel in step with what is settled. */
  sync(): Promise<SyncResult> {
    return this.#table.sync();
  }

  /** The next sync compares everything with the kernel again. */
  distrust(): void {
    this.#table.distrust();
  }

  verify(deep: boolean): Promise<void> {
    return this.#table.verify(deep);
  }
}
