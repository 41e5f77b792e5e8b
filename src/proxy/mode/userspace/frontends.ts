/** The addresses and ports at which one Service is relayed. Pure. */
import { cidrContains, parseCidr } from '../../../ip/ip.ts';
import type { LocalDetector, NodeContext } from '../../plan/node-context.ts';
import type { Frontend, PortPlan, Protocol, ServicePlan } from '../../plan/service-plan.ts';
import type { BalancedPort } from '../../relay/balancer.ts';
import type { SocketAddress } from '../../relay/relay.ts';
import { areSourcesOf } from './source-ranges.ts';

export interface RelayedFrontend extends SocketAddress {
  readonly protocol: Exclude<Protocol, 'sctp'>;
  readonly frontend: Frontend;
  readonly port: number;
  readonly plan: PortPlan & BalancedPort;
}

export interface RelayedService {
  /** By `ip . tcp . port`. */
  readonly frontends: ReadonlyMap<string, RelayedFrontend>;
  /** The same of those where nobody listens, since nobody is served: the kernel refuses. */
  readonly refusing: ReadonlyMap<string, RelayedFrontend>;
  /** Which the node must have; also where nobody serves: then the kernel refuses. */
  readonly addresses: ReadonlySet<string>;
  /** Ports of it that no process can relay. */
  readonly unserved: readonly string[];
}

export const nothingRelayed: RelayedService = { frontends: new Map(), refusing: new Map(), addresses: new Set(), unserved: [] };

function isList(target: Frontend['inside']): target is 'cluster' | 'local' {
  return target === 'cluster' || target === 'local';
}

function addressesOf({ ip }: Frontend, node: NodeContext): readonly string[] {
  if (ip !== undefined) return [ip];
  return node.nodePortIps === 'all' ? [node.family === 'ip' ? '0.0.0.0' : '::'] : node.nodePortIps;
}

function frontendsOf({ protocol, ...port }: PortPlan, service: ServicePlan, node: NodeContext): RelayedFrontend[] {
  if (protocol === 'sctp') return [];
  const plan = { ...port, protocol, ...(service.algorithm ? { algorithm: service.algorithm } : {}) };
  return port.frontends.flatMap((frontend) =>
    addressesOf(frontend, node).map((ip) => ({ ip, port: frontend.port, protocol, frontend, plan })),
  );
}

function byName(frontends: readonly RelayedFrontend[]): Map<string, RelayedFrontend> {
  return new Map(frontends.map((one) => [`${one.ip} . ${one.protocol} . ${one.port}`, one]));
}

export function relayed(plan: ServicePlan, node: NodeContext): RelayedService {
  const all = plan.ports.flatMap((port) => frontendsOf(port, plan, node));
  const ips = plan.ports.flatMap(({ frontends }) => frontends.flatMap(({ ip }) => ip ?? []));
  const isServed = ({ frontend: { inside, outside } }: RelayedFrontend): boolean => isList(inside) || isList(outside);
  return {
    frontends: byName(all.filter(isServed)),
    refusing: byName(all.filter((one) => !isServed(one))),
    addresses: new Set(ips.filter((ip) => !node.nodeIps.includes(ip))),
    unserved: plan.ports.flatMap(({ protocol, name }) => (protocol === 'sctp' ? [`${plan.key}:${name}`] : [])),
  };
}

/** A client that is the node itself or, as far as its address says, a pod. */
export function isInside(client: string, { nodeIps, local }: NodeContext): boolean {
  const cidr = rangeOf(local);
  return nodeIps.includes(client) || client.startsWith('127.') || client === '::1' || (cidr !== undefined && contains(cidr, client));
}

/** A process does not see by which link a packet came. */
function rangeOf(local: LocalDetector): string | undefined {
  return 'cidr' in local ? local.cidr : undefined;
}

function contains(range: string, ip: string): boolean {
  const cidr = parseCidr(range);
  return cidr !== undefined && cidrContains(cidr, ip);
}

/** Which endpoints of its port a frontend has for a client; undefined when none. */
export function listFor({ frontend, ip }: RelayedFrontend, node: NodeContext, client: string): 'cluster' | 'local' | undefined {
  const { sources } = frontend;
  // The kernel gives a packet from the node to its own address that address as its source.
  const isOwn = client === ip;
  if (sources && !isOwn && !areSourcesOf(sources, client)) return undefined;
  const target = isOwn || isInside(client, node) ? frontend.inside : frontend.outside;
  return isList(target) ? target : undefined;
}
