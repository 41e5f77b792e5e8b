/** What every Service means on this node, in one address family: plans them and settles who has which frontend. Plain memory. */
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { FrontendArbiter, type Refusal } from './arbiter.ts';
import type { NodeContext } from './node-context.ts';
import { planService } from './plan-service.ts';
import { nothingReserved, type Reserved } from './reserved.ts';
import type { ServicePlan } from './service-plan.ts';

interface PlanChange {
  readonly before: ServicePlan | undefined;
  readonly after: ServicePlan | undefined;
}

export class Planner {
  #node: NodeContext;
  #reserved: Reserved = nothingReserved;
  #arbiter: FrontendArbiter;
  #plans = new Map<string, ServicePlan>();

  constructor(node: NodeContext) {
    this.#node = node;
    this.#arbiter = new FrontendArbiter(node);
  }

  get node(): NodeContext {
    return this.#node;
  }

  /** What each Service has, as of the last `take`. */
  get plans(): ReadonlyMap<string, ServicePlan> {
    return this.#plans;
  }

  /** Services that go without a frontend, as of now. */
  get refusals(): readonly Refusal[] {
    return this.#arbiter.refusals;
  }

  /** Forgets every plan, for a node that changed. All Services must be put again. */
  reset(node: NodeContext): void {
    this.#node = node;
    this.#plans = new Map();
    this.#arbiter = new FrontendArbiter(node);
    this.#arbiter.reserve(this.#reserved);
  }

  reserve(reserved: Reserved): void {
    this.#reserved = reserved;
    this.#arbiter.reserve(reserved);
  }

  /** Says what a Service is now; undefined when it is gone. */
  put(key: string, service: Service | undefined, slices: readonly EndpointSlice[]): void {
    this.#arbiter.put(key, service && planService(service, slices, this.#node));
  }

  /** What Services had and have that changed since the last time, also by what others got or let go. */
  take(): ReadonlyMap<string, PlanChange> {
    const changes = new Map<string, PlanChange>();
    for (const [key, after] of this.#arbiter.take()) {
      changes.set(key, { before: this.#plans.get(key), after });
      if (after) this.#plans.set(key, after);
      else this.#plans.delete(key);
    }
    return changes;
  }
}
