/** What every Service means on this node, in one address family: plans them and settles who has which frontend. Plain memory. */
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { type Algorithm, type AlgorithmChoice, algorithmAnnotation, chooseAlgorithm } from './algorithm.ts';
import { FrontendArbiter, type Refusal } from './arbiter.ts';
import type { NodeContext } from './node-context.ts';
import { planAgain, planService } from './plan-service.ts';
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
  /** The first of the frontends, or `algorithm`. */
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
  /** Which object each Service was when it was planned: it is never changed, only replaced. */
  #planned = new Map<string, Service>();
  /** Services whose warnings may be others, besides those of the arbiter. */
  #news = new Set<string>();
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
    return [...this.#warned].flatMap((key) => this.warningsOf(key));
  }

  get #warned(): Set<string> {
    return new Set([...this.#arbiter.refused, ...this.#algorithmRefusals.keys()]);
  }

  /** What a Service does not get, as of now. */
  warningsOf(service: string): PlanWarning[] {
    const byReason = Map.groupBy(this.#arbiter.refusalsOf(service), ({ reason }) => reason);
    const frontends = [...byReason.values()].map(frontendWarning);
    const refusal = this.#algorithmRefusals.get(service);
    if (!refusal) return frontends;
    const hint = `Change its annotation ${algorithmAnnotation}, or the proxy's mode`;
    return [...frontends, { service, about: 'algorithm', ...refusal, hint }];
  }

  /** The Services whose `warningsOf` may be others than when it was last asked: they are gathered for those alone. */
  takeWarningNews(): ReadonlySet<string> {
    const news = new Set([...this.#news, ...this.#arbiter.takeNews()]);
    this.#news = new Set();
    return news;
  }

  /** Forgets every plan, for a node that changed. All Services must be put again. */
  reset(node: NodeContext): void {
    this.#node = node;
    this.#news = new Set([...this.#warned, ...this.takeWarningNews()]);
    this.#plans = new Map();
    this.#planned = new Map();
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
    const before = service && this.#planned.get(key) === service ? this.#arbiter.planOf(key) : undefined;
    const again = service && before && planAgain(service, slices, this.#node, before);
    if (again) {
      this.#arbiter.put(key, again);
      return;
    }
    this.#planned.delete(key);
    if (!service) this.#refuseAlgorithm(key, undefined);
    this.#arbiter.put(key, service && this.#plan(key, service, slices));
    // Not of one that could not be planned: what is known of it is an older plan.
    if (service) this.#planned.set(key, service);
  }

  #plan(key: string, service: Service, slices: readonly EndpointSlice[]): ServicePlan | undefined {
    const plan = planService(service, slices, this.#node);
    const { algorithm, refusal } = plan ? chooseAlgorithm(service, this.#node.algorithm, this.#offered) : {};
    this.#refuseAlgorithm(key, refusal);
    return plan && algorithm ? { ...plan, algorithm } : plan;
  }

  #refuseAlgorithm(key: string, refusal: AlgorithmChoice['refusal']): void {
    if (this.#algorithmRefusals.get(key)?.message === refusal?.message) return;
    this.#news.add(key);
    if (refusal) this.#algorithmRefusals.set(key, refusal);
    else this.#algorithmRefusals.delete(key);
  }

  /** What Services had and have that changed since the last time, also by what others got or let go. */
  take(): ReadonlyMap<string, PlanChange> {
    const changes = new Map<string, PlanChange>();
    for (const [key, after] of this.#arbiter.take(this.#plans)) {
      changes.set(key, { before: this.#plans.get(key), after });
      if (after) this.#plans.set(key, after);
      else this.#plans.delete(key);
      if (after?.health) this.#healthChecks.set(key, after.health);
      else this.#healthChecks.delete(key);
    }
    return changes;
  }
}

const mostNamed = 5;

/** One for all frontends that a Service goes without for one sort of reason: it may have written a hundred thousand. */
function frontendWarning(refusals: readonly Refusal[]): PlanWarning {
  const [{ service = '', frontend = '', reason = '', why = '' } = {}] = refusals;
  const named = refusals.slice(0, mostNamed).map((one) => `"${one.frontend}" (${one.why})`);
  const more = refusals.length > mostNamed ? ` and ${refusals.length - mostNamed} more` : '';
  return {
    service,
    about: frontend,
    reason,
    message:
      refusals.length === 1
        ? `Cannot serve "${frontend}" for Service "${service}": ${why}`
        : `Cannot serve ${refusals.length} frontends of Service "${service}": ${named.join(', ')}${more}`,
    hint: 'Give the Service another address or port',
  };
}
