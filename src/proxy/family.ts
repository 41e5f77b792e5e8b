/** One address family: what Services mean in it, and the rules that say so. */
import type { EndpointSlice, Service } from '../api/schema/types.ts';
import type { Mode, ModeRules, ServiceCount, SyncResult } from './mode/mode.ts';
import type { NodeContext } from './plan/node-context.ts';
import { Planner } from './plan/planner.ts';
import type { ServicePlan } from './plan/service-plan.ts';

export class FamilyProxy {
  readonly planner: Planner;
  readonly #rules: ModeRules;

  private constructor(rules: ModeRules, node: NodeContext, mode: Mode) {
    this.#rules = rules;
    this.planner = new Planner(node, mode.algorithms);
  }

  /** Takes up what an earlier proxy left. */
  static async open(mode: Mode, node: NodeContext): Promise<FamilyProxy> {
    return new FamilyProxy(await mode.open(node), node, mode);
  }

  put(key: string, service: Service | undefined, slices: readonly EndpointSlice[]): void {
    this.planner.put(key, service, slices);
  }

  /** Forgets every plan, for a node that changed. All Services must be put again. */
  reset(node: NodeContext): void {
    this.planner.reset(node);
    this.#rules.reset(node);
  }

  /** Settles who has what; tells of each Service what it had and has. */
  settle(onChange?: (before: ServicePlan | undefined, after: ServicePlan | undefined) => void): void {
    for (const [key, { before, after }] of this.planner.take()) {
      this.#rules.put(key, after);
      onChange?.(before, after);
    }
  }

  /** Brings the kernel in step with what is settled. */
  sync(): Promise<SyncResult> {
    return this.#rules.sync();
  }

  /** The next sync compares everything with the kernel again. */
  distrust(): void {
    this.#rules.distrust();
  }

  /** What was counted for Services. */
  async counts(of: 'ports' | 'endpoints'): Promise<readonly ServiceCount[]> {
    return (await this.#rules.counts?.(of)) ?? [];
  }
}
