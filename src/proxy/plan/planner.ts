/** What every Service means on this node, in one address family: plans them and settles who has which frontend. Plain memory. */
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { type Algorithm, type AlgorithmChoice, algorithmAnnotation, chooseAlgorithm } from './algorithm.ts';
import { FrontendArbiter, type Refusal } from './arbiter.ts';
import type { NodeContext } from './node-context.ts';
import { planService } from './plan-service.ts';
import { nothingReserved, type Reserved } from './reserved.ts';
import type { HealthCheck, ServicePlan } from './service-plan.ts';

interface PlanChange {
  readonly before: ServicePlan | undefined;
  readonly after: ServicePlan | undefined;
}

/** Something that a Service asks for and does not get. */
export interface PlanWarning {
  /** `namespace/name`. */
  readonly service: string;
  /** A frontend, or `algorithm`. */
  readonly about: string;
  /** Of the Event. */
  readonly reason: string;
  readonly message: string;
  readonly hint: string;
}

export class Planner {
  readonly #offered: readonly Algorithm[];
  readonly #algorithmRefusals = new Map<string, NonNullable<AlgorithmChoice['refusal']>>();
  #node: NodeContext;
  #reserved: Reserved = nothingReserved;
  #arbiter: FrontendArbiter;
  #plans = new Map<string, ServicePlan>();
  /** Of the few plans that have one: nobody looks through all of them after every change. */
  readonly #healthChecks = new Map<string, HealthCheck>();

  /** `offered` are the algorithms of the mode that will have the plans, its own choice first. */
  constructor(node: NodeContext, offered: readonly Algorithm[] = []) {
    this.#node = node;
    this.#offered = offered;
    this.#arbiter = new FrontendArbiter(node);
  }

  get node(): NodeContext {
    return this.#node;
  }

  get reserved(): Reserved {
    return this.#reserved;
  }

  /** What each Service has, as of the last `take`. */
  get plans(): ReadonlyMap<string, ServicePlan> {
    return this.#plans;
  }

  /** By the Service that has one, as of the last `take`. */
  get healthChecks(): ReadonlyMap<string, HealthCheck> {
    return this.#healthChecks;
  }

  /** Services that go without a frontend, as of now. */
  get refusals(): readonly Refusal[] {
    return this.#arbiter.refusals;
  }

  /** What Services do not get, as of now. */
  get warnings(): PlanWarning[] {
    const frontends = this.refusals.map(({ service, frontend, reason, why }) => ({
      service,
      about: frontend,
      reason,
      message: `Cannot serve "${frontend}" for Service "${service}": ${why}`,
      hint: 'Give the Service another address or port',
    }));
    const algorithms = [...this.#algorithmRefusals].map(([service, refusal]) => ({
      service,
      about: 'algorithm',
      ...refusal,
      hint: `Change its annotation ${algorithmAnnotation}, or the proxy's mode`,
    }));
    return [...frontends, ...algorithms];
  }

  /** Forgets every plan, for a node that changed. All Services must be put again. */
  reset(node: NodeContext): void {
    this.#node = node;
    this.#plans = new Map();
    this.#healthChecks.clear();
    this.#algorithmRefusals.clear();
    this.#arbiter = new FrontendArbiter(node);
    this.#arbiter.reserve(this.#reserved);
  }

  reserve(reserved: Reserved): void {
    this.#reserved = reserved;
    this.#arbiter.reserve(reserved);
  }

  /** Says what a Service is now; undefined when it is gone. */
  put(key: string, service: Service | undefined, slices: readonly EndpointSlice[]): void {
    if (!service) this.#algorithmRefusals.delete(key);
    this.#arbiter.put(key, service && this.#plan(key, service, slices));
  }

  #plan(key: string, service: Service, slices: readonly EndpointSlice[]): ServicePlan | undefined {
    const plan = planService(service, slices, this.#node);
    const { algorithm, refusal } = plan ? chooseAlgorithm(service, this.#node.algorithm, this.#offered) : {};
    if (refusal) this.#algorithmRefusals.set(key, refusal);
    else this.#algorithmRefusals.delete(key);
    return plan && algorithm ? { ...plan, algorithm } : plan;
  }

  /** What Services had and have that changed since the last time, also by what others got or let go. */
  take(): ReadonlyMap<string, PlanChange> {
    const changes = new Map<string, PlanChange>();
    for (const [key, after] of this.#arbiter.take()) {
      changes.set(key, { before: this.#plans.get(key), after });
      if (after) this.#plans.set(key, after);
      else this.#plans.delete(key);
      if (after?.health) this.#healthChecks.set(key, after.health);
      else this.#healthChecks.delete(key);
    }
    return changes;
  }
}
