/** What every Service means on this node, in one address family: plans them and settles who has which frontend. Plain memory. */
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { FrontendArbiter, type Refusal } from './arbiter.ts';
import type { NodeContext } from './node-context.ts';
import { type PreviousSlots, planService } from './plan-service.ts';
import { nothingReserved, type Reserved } from './reserved.ts';
import type { PortPlan, ServicePlan } from './service-plan.ts';

export interface PlanChange {
  readonly before: ServicePlan | undefined;
  readonly after: ServicePlan | undefined;
}

export class Planner {
  #node: NodeContext;
  #reserved: Reserved = nothingReserved;
  #arbiter: FrontendArbiter;
  /** Of Services, before it is settled who has what. */
  #wanted = new Map<string, ServicePlan>();
  /** Plans for the node as it was before, for their slots. */
  #before: ReadonlyMap<string, ServicePlan> = new Map();
  #plans = new Map<string, ServicePlan>();
  readonly #held: (service: Service) => PreviousSlots;

  /** `held` gives the slots of a Service that was never planned before: those of an earlier proxy. */
  constructor(node: NodeContext, held: (service: Service) => PreviousSlots) {
    this.#node = node;
    this.#held = held;
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
    this.#before = this.#wanted;
    this.#wanted = new Map();
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
    const plan = service && planService(service, slices, this.#node, this.#previous(key, service));
    if (plan) this.#wanted.set(key, plan);
    else this.#wanted.delete(key);
    this.#arbiter.put(key, plan);
  }

  #previous(key: string, service: Service): PreviousSlots {
    const plan = this.#wanted.get(key) ?? this.#before.get(key);
    if (!plan) return this.#held(service);
    return (name, protocol) => {
      const port = plan.ports.find((p) => p.name === name && p.protocol === protocol);
      const names = (list: PortPlan['cluster'] | undefined): string[] => (list ?? []).map((e) => e.name);
      return { cluster: names(port?.cluster), local: names(port?.local) };
    };
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

export interface ServiceObjects {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
}

/** What all these Services have on a node that knows nothing of the past. Pure. */
export function planServices(objects: Iterable<ServiceObjects>, node: NodeContext, reserved: Reserved = nothingReserved): ServicePlan[] {
  const planner = new Planner(node, () => () => ({ cluster: [], local: [] }));
  planner.reserve(reserved);
  for (const { service, slices } of objects) planner.put(`${service.metadata.namespace}/${service.metadata.name}`, service, slices);
  planner.take();
  return [...planner.plans.values()];
}
