/**
 * Counts the connections of Services whose algorithm is the fewest connections, each second, and only while there are such Services. The kernel
 * has no such choice in a rule, so slots and chances follow what conntrack counts.
 */
import type { Clock } from '../../clock/clock.ts';
import type { Family } from '../../ip/ip.ts';
import { type FlowBytes, type FlowFilter, IPPROTO, protocolNames, type TrackedFlow } from '../../linux/netlink/tracked-flow.ts';
import type { TableFamily } from '../../linux/nftables/table.ts';
import { frontendName, type PortPlan, type ServicePlan } from '../plan/service-plan.ts';
import type { Load } from './shares.ts';

export type CountedFlow = Pick<TrackedFlow, 'protocol' | 'orig' | 'reply' | 'id' | 'isClosing'>;

/** Where tracked connections are told: `Conntrack` of this node. */
export interface Connections {
  flowsOf(family: Family, filter: FlowFilter): Promise<readonly CountedFlow[]>;
  /** What each translated flow carried, where the kernel keeps account of it. Absent: nothing is told. */
  eachTranslated?(family: Family, take: (bytes: FlowBytes, flow: () => CountedFlow | undefined) => void): Promise<void>;
}

const periodMs = 1000;
/** Counting takes at most a twentieth of the time, however many connections there are. */
const countingPauses = 20;
/** A change of weights is mostly a wait for the kernel: of 10 ms that `iptables-restore` takes for one chain, 2 are of a processor. */
const changingPauses = 4;
/** Above this the kernel reads its table more often than it would cost to be told of every translated connection. */
const maxFilters = 4;
/** A connection that ends weighs as little as in IPVS (ip_vs_dest_conn_overhead). */
const closingWeight = 1 / 256;

function isCounted(plan: ServicePlan | undefined): plan is ServicePlan {
  return plan?.algorithm === 'least-connection';
}

function portKey(service: string, { protocol, name }: Pick<PortPlan, 'protocol' | 'name'>): string {
  return `${service}:${name}/${protocol}`;
}

/** Fewest questions by which the kernel tells of all connections to these Services. */
export function filtersOf(plans: Iterable<ServicePlan>): FlowFilter[] {
  const filters = new Map<string, FlowFilter>();
  for (const { ports } of plans)
    for (const { protocol, frontends } of ports)
      for (const { ip, port } of frontends)
        if (ip === undefined) filters.set(`${protocol} ${port}`, { protocol: IPPROTO[protocol], port });
        else filters.set(ip, { to: ip });
  return filters.size > maxFilters ? ['translated'] : [...filters.values()];
}

/** One port while it is counted. */
interface Tally {
  readonly connections: Map<string, number>;
  readonly ids: Set<number>;
  /** Connections since the last time, by endpoint. */
  readonly arrived: Map<string, number>;
}

/** What was counted for one port. */
interface Count extends Load {
  /** Of the connections, by which those of the next time are told from them. */
  readonly ids: Pick<ReadonlySet<number>, 'has'>;
}

/** The port of a Service by its frontends. */
function portsByFrontend(plans: Iterable<ServicePlan>): Map<string, string> {
  const of = ({ key, ports }: ServicePlan): (readonly [string, string])[] =>
    ports.flatMap((port) => port.frontends.map((frontend) => [frontendName(frontend, port), portKey(key, port)] as const));
  return new Map([...plans].flatMap(of));
}

/** Connections by port of a Service. `before` is the last time. Pure. */
export function countConnections(
  plans: Iterable<ServicePlan>,
  flows: Iterable<CountedFlow>,
  before: ReadonlyMap<string, Count>,
): Map<string, Count> {
  const portOf = portsByFrontend(plans);
  const empty = (): Tally => ({ connections: new Map(), ids: new Set(), arrived: new Map() });
  const tallies = new Map([...portOf.values()].map((port) => [port, empty()] as const));
  for (const { protocol, orig, reply, id, isClosing } of flows) {
    const onNode = `${protocolNames.get(protocol)} . ${orig.dstPort}`;
    const port = portOf.get(`${orig.dst} . ${onNode}`) ?? portOf.get(onNode) ?? '';
    const tally = tallies.get(port);
    if (!tally || tally.ids.has(id)) continue;
    tally.ids.add(id);
    const endpoint = `${reply.src} . ${reply.srcPort}`;
    add(tally.connections, endpoint, isClosing ? closingWeight : 1);
    if (before.get(port)?.ids.has(id) === false) add(tally.arrived, endpoint, 1);
  }
  return new Map([...tallies].map(([port, tally]) => [port, countOf(tally, before.get(port)?.connections ?? new Map())] as const));
}

function add(to: Map<string, number>, name: string, amount: number): void {
  to.set(name, (to.get(name) ?? 0) + amount);
}

/** As many are to come as came since the last time, and of each endpoint as many to end as ended. */
function countOf({ connections, ids, arrived }: Tally, before: ReadonlyMap<string, number>): Count {
  const ending = new Map<string, number>();
  for (const [endpoint, count] of connections) {
    const ended = (before.get(endpoint) ?? 0) + (arrived.get(endpoint) ?? 0) - count;
    if (ended > 0) ending.set(endpoint, ended);
  }
  return { connections, ids, ending, expected: [...arrived.values()].reduce((a, b) => a + b, 0) };
}

function sameNumbers(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([name, count]) => b.get(name) === count);
}

const noNumbers: ReadonlyMap<string, number> = new Map();

function sameLoad(a: Load | undefined, b: Load | undefined): boolean {
  if (!a || !b) return a === b;
  return (
    a.expected === b.expected && sameNumbers(a.connections, b.connections) && sameNumbers(a.ending ?? noNumbers, b.ending ?? noNumbers)
  );
}

/** Whether all that was counted for a Service is as before. */
function isSameOf({ key, ports }: ServicePlan, before: ReadonlyMap<string, Load>, now: ReadonlyMap<string, Load>): boolean {
  return ports.every((port) => sameLoad(before.get(portKey(key, port)), now.get(portKey(key, port))));
}

/** No connections, so that endpoints are alike; and those that are counted next are not new. */
function uncounted(plans: Iterable<ServicePlan>): (readonly [string, Count])[] {
  return [...countConnections(plans, [], new Map())].map(([port, count]) => [port, { ...count, ids: { has: () => true } }] as const);
}

export class LeastConnections {
  readonly #family: Family;
  readonly #connections: Connections;
  readonly #clock: Clock;
  readonly #onCount: () => Promise<void>;
  readonly #plans = new Map<string, ServicePlan>();
  #counts: ReadonlyMap<string, Count> = new Map();
  #moved: ReadonlySet<string> = new Set();
  #timer: { cancel(): void } | undefined;
  #isClosed = false;

  /** `onCount` is awaited before the next count. */
  constructor(family: TableFamily, connections: Connections, clock: Clock, onCount: () => Promise<void>) {
    this.#family = family === 'ip' ? 4 : 6;
    this.#connections = connections;
    this.#clock = clock;
    this.#onCount = onCount;
  }

  /** Of the Services of which the last count was another than the one before, as they were put: of thousands few. */
  get moved(): (readonly [key: string, plan: ServicePlan])[] {
    return [...this.#moved].flatMap((key) => {
      const plan = this.#plans.get(key);
      return plan ? [[key, plan] as const] : [];
    });
  }

  /** Nothing is followed any more. */
  reset(): void {
    this.#plans.clear();
  }

  /** Takes what a Service has now. */
  follow(key: string, plan: ServicePlan | undefined): void {
    if (isCounted(plan)) this.#plans.set(key, plan);
    else this.#plans.delete(key);
    if (this.#plans.size > 0 && !this.#isClosed) this.#timer ??= this.#clock.after(periodMs, () => void this.#count());
  }

  /** What was counted for a port. */
  loadOf(service: string, port: PortPlan): Load | undefined {
    return this.#counts.get(portKey(service, port));
  }

  async #count(): Promise<void> {
    const begun = this.#clock.monotonic();
    const plans = [...this.#plans.values()];
    const flows = await this.#flowsOf(plans).catch(() => undefined);
    const counted = this.#clock.monotonic();
    // While the kernel does not answer, what was counted before holds, and who never was counted has nothing: an endpoint that is new must get something.
    const before = this.#counts;
    this.#counts = flows ? countConnections(plans, flows, before) : new Map([...uncounted(plans), ...before]);
    this.#moved = new Set(plans.filter((plan) => !isSameOf(plan, before, this.#counts)).map(({ key }) => key));
    // What cannot be changed now is the next sync's.
    await this.#onCount().catch(() => {});
    const changed = this.#clock.monotonic();
    const pauseMs = Math.max(periodMs, countingPauses * (counted - begun), changingPauses * (changed - counted));
    this.#timer = this.#isClosed || this.#plans.size === 0 ? undefined : this.#clock.after(pauseMs, () => void this.#count());
  }

  async #flowsOf(plans: readonly ServicePlan[]): Promise<CountedFlow[]> {
    const flows: CountedFlow[] = [];
    for (const filter of filtersOf(plans)) for (const flow of await this.#connections.flowsOf(this.#family, filter)) flows.push(flow);
    return flows;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }
}
