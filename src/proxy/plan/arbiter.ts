/**
 * Who has a frontend. A frontend serves one Service, whole: endpoints of one under the source ranges of another would open what was
 * closed. Of several that claim it, the one whose cluster IP it is has it, else the oldest; the next has it when that lets go. What is
 * reserved nobody gets, and neither another Service's cluster IP, on whatever port, nor another's node port at an address that serves node ports:
 * the API server gave those to one Service alone, while an address is what somebody wrote. Plain memory.
 */
import { type Cidr, cidrContains, parseCidr } from '../../ip/ip.ts';
import { NameIndex } from './name-index.ts';
import type { NodeContext } from './node-context.ts';
import { nothingReserved, type Reserved, servesNodePorts, whyReserved } from './reserved.ts';
import { type Frontend, frontendName, keepsFrontends, type PortPlan, type Protocol, type ServicePlan } from './service-plan.ts';

interface Claim {
  readonly key: string;
  /** Sorts those who claim the same: the first has it. */
  readonly rank: string;
  readonly frontend: Frontend;
  readonly protocol: Protocol;
}

/** Why a Service (`namespace/name`) goes without a frontend. */
export interface Refusal {
  readonly service: string;
  /** As `frontendName` gives it. */
  readonly frontend: string;
  /** Of an Event: another Service has it, or nobody may. */
  readonly reason: 'FrontendTaken' | 'FrontendReserved';
  readonly why: string;
}

type ArbitratedNode = Pick<NodeContext, 'nodeName' | 'nodePortIps' | 'serviceCidrs'>;

export class FrontendArbiter {
  readonly #serviceRanges: readonly Cidr[];
  readonly #node: ArbitratedNode;
  #reserved: Reserved = nothingReserved;
  #sharedIps: ReadonlySet<string> = new Set();
  readonly #plans = new Map<string, ServicePlan>();
  /** Who claims a frontend, the first by rank first. */
  readonly #claims = new Map<string, readonly Claim[]>();
  /** Services by their cluster IP: two have the same only where objects were made by hand. */
  readonly #clusterIps = new Map<string, readonly string[]>();
  /** Frontends that somebody wrote, by address; node ports under ''. */
  readonly #written = new NameIndex();
  /** Frontends at addresses, by the name of the node port that may be there. */
  readonly #besideNodePort = new NameIndex();
  /** Whether an address that somebody wrote is of a Service range: one Service may have a hundred thousand frontends there. */
  readonly #inServiceRange = new Map<string, boolean>();
  /** By frontend, then by Service. */
  readonly #refused = new Map<string, ReadonlyMap<string, Refusal>>();
  /** Frontends that a Service goes without, by Service. */
  readonly #missed = new NameIndex();
  readonly #changed = new Set<string>();
  /** Those of them that may have got other frontends than they had. */
  readonly #disputed = new Set<string>();
  /** Services whose refusals are others than when they were last asked for. */
  #news = new Set<string>();

  constructor(node: ArbitratedNode) {
    this.#node = node;
    this.#serviceRanges = node.serviceCidrs.map((text) => parseCidr(text)).filter((cidr) => cidr !== undefined);
  }

  /** Says what a Service is now; undefined when it is gone. */
  put(key: string, plan: ServicePlan | undefined): void {
    const before = this.#plans.get(key);
    if (plan) this.#plans.set(key, plan);
    else this.#plans.delete(key);
    this.#changed.add(key);
    if (hasSameFrontends(before, plan)) return;
    this.#disputed.add(key);
    if (before?.clusterIp !== plan?.clusterIp) this.#moveClusterIp(key, before?.clusterIp, plan?.clusterIp);
    const next = claimsOf(plan);
    for (const name of claimsOf(before).keys()) if (!next.has(name)) this.#claim(name, key, undefined);
    for (const [name, claim] of next) this.#claim(name, key, claim);
  }

  /** As it was put. */
  planOf(key: string): ServicePlan | undefined {
    return this.#plans.get(key);
  }

  #moveClusterIp(key: string, from: string | undefined, to: string | undefined): void {
    const without = (keys: readonly string[] = []): string[] => keys.filter((other) => other !== key);
    if (from !== undefined) {
      const rest = without(this.#clusterIps.get(from));
      if (rest.length > 0) this.#clusterIps.set(from, rest);
      else this.#clusterIps.delete(from);
    }
    if (to !== undefined) this.#clusterIps.set(to, [...without(this.#clusterIps.get(to)), key]);
    for (const ip of [from, to]) if (ip !== undefined) for (const name of this.#written.under(ip)) this.#decide(name, ip);
  }

  #claim(name: string, key: string, mine: Claim | undefined): void {
    const before = this.#claims.get(name) ?? [];
    const held = before.find((claim) => claim.key === key);
    if (held && mine && held.rank === mine.rank && held.frontend.kind === mine.frontend.kind) return;
    const after = before.filter((claim) => claim.key !== key);
    if (mine) after.push(mine);
    if (after.length > 1) after.sort((a, b) => (a.rank < b.rank ? -1 : 1));
    if (after.length === 0) this.#claims.delete(name);
    else this.#claims.set(name, after);
    const ip = after[0]?.frontend.ip ?? before[0]?.frontend.ip ?? '';
    this.#written.set(
      ip,
      name,
      after.some(({ frontend }) => frontend.kind !== 'cluster-ip'),
    );
    if (!this.#written.has(ip)) this.#inServiceRange.delete(ip);
    if (ip !== '') this.#besideNodePort.set(name.slice(`${ip} . `.length), name, after.length > 0);
    this.#decide(name, ip);
  }

  #decide(name: string, ip: string): void {
    this.#settle(name);
    if (ip === '') for (const other of this.#besideNodePort.under(name)) this.#settle(other);
  }

  #settle(name: string): void {
    const [before, refused] = [this.#refused.get(name), this.#refusedOf(name)];
    // Nearly every frontend has one who claims it, and gets it.
    if (!before && !refused) return;
    if (refused) this.#refused.set(name, refused);
    else this.#refused.delete(name);
    for (const key of new Set([...(before?.keys() ?? []), ...(refused?.keys() ?? [])]))
      this.#note(name, key, before?.get(key), refused?.get(key));
  }

  /** Who goes without a frontend; undefined for nobody. */
  #refusedOf(name: string): Map<string, Refusal> | undefined {
    let refused: Map<string, Refusal> | undefined;
    let winner: string | undefined;
    for (const claim of this.#claims.get(name) ?? []) {
      const refusal = this.#refusal(name, claim, winner);
      if (refusal) refused = (refused ?? new Map<string, Refusal>()).set(claim.key, refusal);
      else winner = claim.key;
    }
    return refused;
  }

  #note(name: string, key: string, before: Refusal | undefined, now: Refusal | undefined): void {
    if (before?.why !== now?.why) this.#news.add(key);
    if ((before === undefined) === (now === undefined)) return;
    this.#changed.add(key);
    this.#disputed.add(key);
    this.#missed.set(key, name, now !== undefined);
  }

  #refusal(name: string, { key, frontend, protocol }: Claim, winner: string | undefined): Refusal | undefined {
    const refuse = (reason: Refusal['reason'], why: string): Refusal => ({ service: key, frontend: name, reason, why });
    const taken = winner === undefined ? undefined : refuse('FrontendTaken', `Service "${winner}" has it`);
    const holder = this.#holderOfNodePort(frontend, protocol);
    if (holder !== undefined && holder !== key) return refuse('FrontendReserved', `it is the node port of Service "${holder}"`);
    if (frontend.kind === 'cluster-ip') return taken;
    const owner = this.#clusterIps.get(frontend.ip ?? '')?.find((other) => other !== key);
    if (owner !== undefined) return refuse('FrontendReserved', `it is the cluster IP of Service "${owner}"`);
    const why = whyReserved(frontend, protocol, this.#reserved, (ip) => this.#isOfServices(ip));
    return why === undefined ? taken : refuse('FrontendReserved', why);
  }

  #isOfServices(ip: string): boolean {
    const known = this.#inServiceRange.get(ip);
    if (known !== undefined) return known;
    const isInside = this.#serviceRanges.some((range) => cidrContains(range, ip));
    this.#inServiceRange.set(ip, isInside);
    return isInside;
  }

  /** The Service whose node port is at that address. */
  #holderOfNodePort({ ip, port }: Frontend, protocol: Protocol): string | undefined {
    if (ip === undefined || !this.#servesNodePorts(ip)) return undefined;
    const name = frontendName({ port }, { protocol });
    return this.#claims.get(name)?.find(({ key }) => !this.#refused.get(name)?.has(key))?.key;
  }

  /**
   * Other nodes serve them at theirs, and whoever asks from here means that node. A floating address is there for the Services that wrote it, and
   * has node ports only besides.
   */
  #servesNodePorts(ip: string): boolean {
    const place = this.#reserved.nodes.get(ip);
    const isElsewhere = place !== undefined && place.name !== this.#node.nodeName && !this.#reserved.hostIps.has(ip);
    return isElsewhere || servesNodePorts(ip, this.#node, this.#reserved.ownIps);
  }

  /** Says what is reserved from now on. */
  reserve(reserved: Reserved): void {
    const sharedBefore = this.#sharedIps;
    this.#reserved = reserved;
    this.#sharedIps = sharedIpsOf(reserved);
    for (const [ip, names] of this.#written)
      for (const name of names) {
        this.#decide(name, ip);
        if (sharedBefore.has(ip) !== this.#sharedIps.has(ip)) this.#doubt((this.#claims.get(name) ?? []).map(({ key }) => key));
      }
    for (const ip of new Set([...sharedBefore, ...this.#sharedIps]))
      if (sharedBefore.has(ip) !== this.#sharedIps.has(ip)) this.#doubt(this.#clusterIps.get(ip) ?? []);
  }

  /** They are to be granted anew, also with the same frontends. */
  #doubt(keys: readonly string[]): void {
    for (const key of keys) {
      this.#changed.add(key);
      this.#disputed.add(key);
    }
  }

  /** What Services go without. */
  get refusals(): Refusal[] {
    return [...this.#refused.values()].flatMap((refusals) => [...refusals.values()]);
  }

  /** Services that go without a frontend. */
  get refused(): Iterable<string> {
    return this.#missed.keys();
  }

  /** What one Service goes without. */
  refusalsOf(key: string): Refusal[] {
    return [...this.#missed.under(key)].flatMap((name) => this.#refused.get(name)?.get(key) ?? []);
  }

  /** The Services whose refusals are others than when this was last asked. */
  takeNews(): ReadonlySet<string> {
    const news = this.#news;
    this.#news = new Set();
    return news;
  }

  /** What each Service that changed since the last time has now: its plan, less the frontends that it goes without. `had` are the plans of the last time. */
  take(had: ReadonlyMap<string, ServicePlan> = new Map()): ReadonlyMap<string, ServicePlan | undefined> {
    const granted = new Map<string, ServicePlan | undefined>();
    for (const key of this.#changed) {
      const plan = this.#plans.get(key);
      const isAsBefore = !this.#disputed.has(key) && hasSameFrontends(had.get(key), plan);
      granted.set(key, isAsBefore ? plan : this.#granted(plan));
    }
    this.#changed.clear();
    this.#disputed.clear();
    return granted;
  }

  #granted(plan: ServicePlan | undefined): ServicePlan | undefined {
    if (!plan) return undefined;
    const isWhole = !this.#missed.has(plan.key);
    const has = (f: Frontend, port: PortPlan): boolean => isWhole || !this.#refused.get(frontendName(f, port))?.has(plan.key);
    const isShared = ({ ip = '' }: Frontend): boolean => this.#sharedIps.has(ip);
    if (plan.ports.every((port) => port.frontends.every((f) => has(f, port) && !isShared(f)))) return plan;
    const granted = (port: PortPlan): Frontend[] =>
      port.frontends.filter((f) => has(f, port)).map((f) => (isShared(f) ? { ...f, isShared: true } : f));
    return { ...plan, ports: plan.ports.map((port) => ({ ...port, frontends: granted(port) })) };
  }
}

/** Whether it claims what it claimed: the lists of its frontends are the same ones. */
function hasSameFrontends(before: ServicePlan | undefined, now: ServicePlan | undefined): boolean {
  if (!before || !now || before.rank !== now.rank || before.clusterIp !== now.clusterIp) return false;
  return keepsFrontends(before, now);
}

/** Addresses of nodes, and where parts of the cluster listen. */
function sharedIpsOf({ nodes, servers }: Reserved): Set<string> {
  return new Set([...nodes.keys(), ...[...servers.keys()].map((frontend) => frontend.split(' . ')[0] ?? '')]);
}

/** The frontends of a plan by name; of two ports with the same one the first counts. */
function claimsOf(plan: ServicePlan | undefined): Map<string, Claim> {
  const claims = new Map<string, Claim>();
  for (const port of plan?.ports ?? [])
    for (const frontend of port.frontends) {
      const name = frontendName(frontend, port);
      if (plan && !claims.has(name)) claims.set(name, { key: plan.key, rank: plan.rank, frontend, protocol: port.protocol });
    }
  return claims;
}
