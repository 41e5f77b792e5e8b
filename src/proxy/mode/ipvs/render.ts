/** A Service's plan as what the kernel is to hold for it: virtual servers, entries of sets, addresses, detours. Pure. */
import { joinHostPort } from '../../../ip/ip.ts';
import { type RealServer, realName, serverName, type VirtualAddress, type VirtualServer } from '../../../linux/ipvs/ipvs.ts';
import type { Algorithm } from '../../plan/algorithm.ts';
import type { EndpointAddress, Frontend, PortPlan, Protocol, ServicePlan } from '../../plan/service-plan.ts';
import type { DetourChain } from './glue.ts';
import { type IpvsNode, nodePortIpsOf } from './ipvs-node.ts';
import type { SetName } from './set-names.ts';

/** A virtual server with its real ones by name. Without any it is only kept for connections that have not ended. */
export interface Balanced extends VirtualServer {
  readonly reals: ReadonlyMap<string, RealServer>;
}

export interface Member {
  readonly set: SetName;
  readonly entry: string;
}

export interface Wanted {
  /** By name. */
  readonly servers: ReadonlyMap<string, Balanced>;
  readonly members: readonly Member[];
  /** Of the device of the Services. */
  readonly addresses: readonly string[];
  readonly detours: readonly Detour[];
}

/** A rule that sends packets on to the cluster IP, behind which all endpoints are. */
export interface Detour {
  readonly chain: DetourChain;
  readonly rule: string;
}

const defaultAlgorithm: Algorithm = 'rr';

/** What a frontend does. */
interface Way {
  readonly list: readonly EndpointAddress[];
  readonly drops?: 'NO-LOCAL' | 'NO-LOCAL-OUTSIDE';
  /** Packets of pods and of the node are to reach more than the list. */
  readonly isShort: boolean;
}

function wayOf({ inside, outside }: Frontend, port: PortPlan): Way {
  const listOf = (target: typeof inside): readonly EndpointAddress[] => (target === 'cluster' || target === 'local' ? port[target] : []);
  if (inside === 'drop') return { list: [], drops: 'NO-LOCAL', isShort: false };
  if (outside === 'drop') return { list: listOf(inside), drops: 'NO-LOCAL-OUTSIDE', isShort: false };
  return { list: listOf(outside), isShort: inside !== outside };
}

/** A place where packets come to. */
interface Place {
  readonly ip: string;
  readonly port: number;
  readonly protocol: Protocol;
}

function entryOf({ ip, port, protocol }: Place): string {
  return `${ip},${protocol}:${port}`;
}

/** The sets that say whose packets are masqueraded, and that let packets pass. */
function setsOf({ kind, masquerade }: Frontend, protocol: Protocol): SetName[] {
  const isLocal = masquerade === 'node';
  switch (kind) {
    case 'cluster-ip':
      return ['CLUSTER-IP'];
    case 'external-ip':
      return [isLocal ? 'EXTERNAL-IP-LOCAL' : 'EXTERNAL-IP'];
    case 'load-balancer-ip':
      return isLocal ? ['LOAD-BALANCER', 'LOAD-BALANCER-LOCAL'] : ['LOAD-BALANCER'];
    case 'node-port': {
      const name = protocol === 'sctp' ? 'SCTP-HASH' : protocol === 'tcp' ? 'TCP' : 'UDP';
      return isLocal ? [`NODE-PORT-${name}`, `NODE-PORT-LOCAL-${name}`] : [`NODE-PORT-${name}`];
    }
  }
}

function* sourceMembers(entry: string, ip: string, sources: readonly string[] | undefined): Generator<Member> {
  if (!sources) return;
  yield { set: 'LOAD-BALANCER-FW', entry };
  for (const source of sources) {
    const [address = '', prefix] = source.split('/');
    const isOne = prefix === (source.includes(':') ? '128' : '32');
    // The node reaches a load balancer's address from that very address.
    if (isOne && address === ip) yield { set: 'LOAD-BALANCER-SOURCE-IP', entry: `${entry},${ip}` };
    else yield { set: 'LOAD-BALANCER-SOURCE-CIDR', entry: `${entry},${isOne ? address : source}` };
  }
}

/** Gives the real servers of a list, the same ones for all frontends that have it: a Service may have thousands of both. */
function onceForEach(): (list: readonly EndpointAddress[]) => Balanced['reals'] {
  const known = new Map<readonly EndpointAddress[], Balanced['reals']>();
  return (list) => {
    const reals = known.get(list) ?? new Map(list.map(({ ip, port }) => [realName({ ip, port }), { ip, port, weight: 1 }]));
    known.set(list, reals);
    return reals;
  };
}

export class Render {
  readonly #node: IpvsNode;
  readonly #hostIps: ReadonlySet<string>;
  readonly #isTaken: (name: string) => boolean;

  /** `isTaken` says of a virtual server's name that no node port may have it. */
  constructor(node: IpvsNode, isTaken: (name: string) => boolean = () => false) {
    this.#node = node;
    this.#isTaken = isTaken;
    this.#hostIps = new Set([...node.hostIps, ...node.nodeIps]);
  }

  service(plan: ServicePlan): Wanted {
    const parts = plan.ports.map((port) => this.#port(port, plan));
    const addresses = this.#addresses(plan);
    const health: Member[] = plan.health ? [{ set: 'HEALTH-CHECK-NODE-PORT', entry: String(plan.health.port) }] : [];
    const bound = addresses.map((entry): Member => ({ set: 'IPVS-IPS', entry }));
    return {
      servers: new Map(parts.flatMap(({ servers }) => [...servers])),
      members: distinct([...parts.flatMap(({ members }) => members), ...health, ...bound]),
      addresses,
      detours: parts.flatMap(({ detours }) => detours),
    };
  }

  #port(port: PortPlan, plan: ServicePlan): Omit<Wanted, 'addresses'> {
    const servers = new Map<string, Balanced>();
    const detours: Detour[] = [];
    const here = [...port.cluster, ...port.local].filter(({ mayBeHere }) => mayBeHere);
    const members = here.map(
      (endpoint): Member => ({ set: 'LOOP-BACK', entry: `${entryOf({ ...endpoint, protocol: port.protocol })},${endpoint.ip}` }),
    );
    const reals = onceForEach();
    for (const frontend of port.frontends) {
      if (this.#isElsewhere(frontend)) {
        detours.push(...this.#elsewhere(frontend, port, plan));
        continue;
      }
      const way = wayOf(frontend, port);
      for (const place of this.#placesOf(frontend, port)) {
        const server = this.#server(place, reals(way.list), port, plan);
        servers.set(serverName(server.address), server);
        members.push(...this.#members(frontend, place, way));
      }
      if (way.isShort) detours.push(...this.#detours(frontend, port, plan));
    }
    return { servers, members, detours };
  }

  #placesOf(frontend: Frontend, { protocol }: PortPlan): Place[] {
    const { ip, port } = frontend;
    if (ip !== undefined) return [{ ip, port, protocol }];
    const places = nodePortIpsOf(this.#node).map((one) => ({ ip: one, port, protocol }));
    return places.filter((place) => !this.#isTaken(serverName({ kind: 'address', ...place })));
  }

  #server(place: Place, reals: Balanced['reals'], { affinitySeconds }: PortPlan, { algorithm }: ServicePlan): Balanced {
    const address: VirtualAddress = { kind: 'address', ...place };
    return {
      address,
      ...spreadBy(algorithm ?? defaultAlgorithm),
      ...(affinitySeconds === undefined ? {} : { persistentSeconds: affinitySeconds }),
      reals,
    };
  }

  *#members(frontend: Frontend, place: Place, { list, drops }: Way): Generator<Member> {
    const entry = entryOf(place);
    if (drops) yield { set: drops, entry };
    if (list.length === 0) return;
    const isPort = frontend.kind === 'node-port' && place.protocol !== 'sctp';
    for (const set of setsOf(frontend, place.protocol)) yield { set, entry: isPort ? String(place.port) : entry };
    yield* sourceMembers(entry, place.ip, frontend.sources);
  }

  /** Of an address that another node has the device would take every port, the API server's and the kubelet's too. */
  #isElsewhere({ ip, isShared }: Frontend): boolean {
    return isShared === true && ip !== undefined && !this.#hostIps.has(ip);
  }

  /** An address of the node's own never goes to the device either, which would take it from the link that it is on. */
  #addresses(plan: ServicePlan): string[] {
    const frontends = plan.ports.flatMap((port) => port.frontends).filter((frontend) => !this.#isElsewhere(frontend));
    return [...new Set(frontends.flatMap(({ ip }) => ip ?? []))].filter((ip) => this.isBound(ip));
  }

  /** Whether an address that has a virtual server goes to the device. */
  isBound(ip: string): boolean {
    return !this.#hostIps.has(ip);
  }

  /** None where the cluster IP leads to fewer, too, or where source ranges would be passed by. */
  #detours(frontend: Frontend, port: PortPlan, plan: ServicePlan): Detour[] {
    return this.#toClusterIp(frontend, port, plan).map(([match, target]) => ({ chain: 'KUBE-SHORT-CIRCUIT', rule: `${match} ${target}` }));
  }

  /** Under a Local policy, and where there is no endpoint, that node sees to it. */
  #elsewhere(frontend: Frontend, port: PortPlan, plan: ServicePlan): Detour[] {
    if (frontend.outside !== 'cluster') return [];
    return this.#toClusterIp(frontend, port, plan).flatMap(([match, target]): Detour[] => [
      { chain: 'KUBE-SHARED-IP', rule: `${match} -j KUBE-MARK-MASQ` },
      { chain: 'KUBE-SHARED-IP', rule: `${match} ${target}` },
    ]);
  }

  #toClusterIp(frontend: Frontend, port: PortPlan, { clusterIp }: ServicePlan): [match: string, target: string][] {
    const whole = port.frontends.find(({ kind, inside }) => kind === 'cluster-ip' && inside === 'cluster');
    if (!whole || clusterIp === undefined || frontend.sources) return [];
    const { protocol } = port;
    const target = `-j DNAT --to-destination ${joinHostPort(clusterIp, whole.port)}`;
    const prefix = this.#node.family === 'ip' ? 32 : 128;
    return this.#placesOf(frontend, port).map(({ ip, port: number }) => [
      `-d ${ip}/${prefix} -p ${protocol} -m ${protocol} --dport ${number}`,
      target,
    ]);
  }
}

/**
 * A client of a hash whose endpoint goes away gets another at once. Of the hashes, mh moves few others then. kube-proxy's mh counts the client's
 * port, too.
 */
function spreadBy(algorithm: Algorithm): Pick<VirtualServer, 'scheduler' | 'hash'> {
  if (algorithm === 'source-hash') return { scheduler: 'mh', hash: ['fallback'] };
  if (algorithm === 'mh' || algorithm === 'sh-port') return { scheduler: algorithm === 'mh' ? 'mh' : 'sh', hash: ['fallback', 'port'] };
  return { scheduler: algorithm, ...(algorithm === 'sh' ? { hash: ['fallback'] } : {}) };
}

function distinct(members: readonly Member[]): Member[] {
  return [...new Map(members.map((member) => [`${member.set} ${member.entry}`, member])).values()];
}
