/**
 * What no Service may take over by an address that somebody wrote into it (CVE-2020-8554): addresses that every host keeps for itself,
 * the Service ranges, ports on which parts of the cluster listen at a node's address, and those on which this node listens at all. Every
 * other port of a node's address is free for everybody. Pure.
 */
import type { EndpointSlice, Node } from '../../api/schema/types.ts';
import { familyOf, parseIp } from '../../ip/ip.ts';
import type { NodeContext } from './node-context.ts';
import { type Frontend, frontendName, type Protocol } from './service-plan.ts';

/** A socket that takes connections or datagrams in this node's network. */
export interface Listener {
  /** Absent: it listens on every address. */
  readonly ip?: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** An address of a link, with the length of its prefix. */
export interface LinkAddress {
  readonly ip: string;
  readonly prefix: number;
}

interface NodePlace {
  readonly name: string;
  readonly kubeletPort: number;
  /** Whether an API server runs there. */
  readonly controls: boolean;
}

export interface Reserved {
  /** By each address of every node. */
  readonly nodes: ReadonlyMap<string, NodePlace>;
  /** What listens at a frontend (`10.0.0.1 . tcp . 6443`), wherever that is. */
  readonly servers: ReadonlyMap<string, string>;
  /** Every address of this node at which others may reach it. */
  readonly hostIps: ReadonlySet<string>;
  /** Those of them that are its own for good, and those that every host has. */
  readonly ownIps: ReadonlySet<string>;
  /** Names of frontends: `192.0.2.1 . tcp . 22`, or `tcp . 22` for a socket on every address. */
  readonly listening: ReadonlySet<string>;
}

export const nothingReserved: Reserved = {
  nodes: new Map(),
  servers: new Map(),
  hostIps: new Set(),
  ownIps: new Set(),
  listening: new Set(),
};

const defaultKubeletPort = 10_250;
/** Of kube-proxy's health checks. Source: kubernetes.io/docs/reference/networking/ports-and-protocols */
const nodePorts: ReadonlySet<number> = new Set([10_256]);
/** etcd's, the controller manager's and the scheduler's, from the same list. */
const controlPlanePorts: ReadonlySet<number> = new Set([2379, 2380, 10_257, 10_259]);

/** Services whose endpoints are the cluster's own, and what those are. */
export const ownServices: ReadonlyMap<string, string> = new Map([
  ['default/kubernetes', 'the API server listens there'],
  ['kube-system/kube-dns', "the cluster's DNS listens there"],
]);

export interface ReservedSources {
  readonly nodes: Iterable<Node>;
  /** Slices by the key of their Service, of `ownServices`. */
  readonly slicesOf: (service: string) => readonly EndpointSlice[];
  /** The API server as this node reaches it, when that is by an address. */
  readonly apiServer?: { readonly ip: string; readonly port: number };
  readonly addresses: readonly LinkAddress[];
  readonly listeners: readonly Listener[];
}

const tcp = { protocol: 'tcp' } as const;

function serversOf({ slicesOf, apiServer }: ReservedSources): Map<string, string> {
  const servers = new Map<string, string>();
  for (const [service, what] of ownServices)
    for (const slice of slicesOf(service)) for (const frontend of frontendsOf(slice)) servers.set(frontend, what);
  const ip = parseIp(apiServer?.ip ?? '');
  if (ip !== undefined && apiServer) servers.set(frontendName({ ip, port: apiServer.port }, tcp), 'this node reaches the API server there');
  return servers;
}

function frontendsOf(slice: EndpointSlice): string[] {
  return (slice.ports ?? []).flatMap(({ port, protocol }) => {
    const of = { protocol: (protocol ?? 'TCP').toLowerCase() as Protocol };
    return port ? endpointsOf(slice).map((ip) => frontendName({ ip, port }, of)) : [];
  });
}

function endpointsOf({ endpoints }: EndpointSlice): string[] {
  return (endpoints ?? []).flatMap(({ addresses }) => parseIp(addresses?.[0] ?? '') ?? []);
}

function addressesOf(node: Node): string[] {
  const given = (node.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP');
  return given.flatMap(({ address }) => parseIp(address ?? '') ?? []);
}

/** Ports of API servers, by address. */
function apiServerPorts({ slicesOf }: ReservedSources): Map<string, number[]> {
  const ports = new Map<string, number[]>();
  for (const slice of slicesOf('default/kubernetes'))
    for (const ip of endpointsOf(slice))
      ports.set(ip, [...(ports.get(ip) ?? []), ...(slice.ports ?? []).flatMap(({ port }) => port ?? [])]);
  return ports;
}

export function reservedOf(sources: ReservedSources): Reserved {
  const servers = serversOf(sources);
  const apiPorts = apiServerPorts(sources);
  const nodes = new Map<string, NodePlace>();
  for (const node of sources.nodes) {
    const addresses = addressesOf(node);
    const ports = addresses.flatMap((ip) => apiPorts.get(ip) ?? []);
    const kubeletPort = node.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultKubeletPort;
    const place: NodePlace = { name: node.metadata.name ?? '', kubeletPort, controls: ports.length > 0 };
    for (const ip of addresses) {
      nodes.set(ip, place);
      // It listens on all of them, and not only on the one that it tells.
      for (const port of ports) servers.set(frontendName({ ip, port }, tcp), 'the API server listens there');
    }
  }
  return {
    nodes,
    servers,
    hostIps: new Set(sources.addresses.map(({ ip }) => ip).filter((ip) => !isOfEveryHost(ip))),
    ownIps: new Set(sources.addresses.filter((a) => nodes.has(a.ip) || !isFloating(a)).map(({ ip }) => ip)),
    listening: new Set(sources.listeners.map((listener) => frontendName(listener, listener))),
  };
}

/** Whether this node serves node ports there, where they are at all of `ips` unless it says at which. */
export function servesNodePorts(ip: string, { nodePortIps }: Pick<NodeContext, 'nodePortIps'>, ips: ReadonlySet<string>): boolean {
  return nodePortIps === 'all' ? ips.has(ip) : nodePortIps.includes(ip);
}

/** An address alone that no Node names goes from node to node, as those that kube-vip or keepalived move: it is there for its Services. */
function isFloating({ ip, prefix }: LinkAddress): boolean {
  return prefix === (familyOf(ip) === 4 ? 32 : 128) && !isOfEveryHost(ip);
}

/** Loopback, multicast, unspecified, link-local: another host never has them, or has them too. */
function isOfEveryHost(ip: string): boolean {
  return /^(?:0|127|169\.254|22[4-9]|2[3-5]\d)\.|^::1?$|^fe[89ab]|^ff/i.test(ip);
}

/** Why a Service may not have a frontend that somebody wrote; undefined when it may. `isOfServices` says which addresses are of a Service range. */
export function whyReserved(
  frontend: Frontend,
  protocol: Protocol,
  reserved: Reserved,
  isOfServices: (ip: string) => boolean,
): string | undefined {
  const { ip, port } = frontend;
  const isPartOf = (place: NodePlace): boolean =>
    protocol === 'tcp' && (port === place.kubeletPort || nodePorts.has(port) || (place.controls && controlPlanePorts.has(port)));
  if (frontend.kind === 'cluster-ip') return undefined;
  if (ip === undefined) return whyNodePortReserved(frontendName({ port }, { protocol }), reserved, isPartOf);
  if (isOfEveryHost(ip)) return 'every host has that address for itself';
  if (isOfServices(ip)) return 'the address is of a Service range';
  const name = frontendName({ ip, port }, { protocol });
  const server = reserved.servers.get(name);
  if (server !== undefined) return server;
  const place = reserved.nodes.get(ip);
  if (place && isPartOf(place)) return `a part of node "${place.name}" listens there`;
  const listens = reserved.listening.has(name) || (reserved.ownIps.has(ip) && reserved.listening.has(frontendName({ port }, { protocol })));
  return listens ? 'this node listens there itself' : undefined;
}

function whyNodePortReserved(
  name: string,
  { nodes, ownIps, listening }: Reserved,
  isPartOf: (place: NodePlace) => boolean,
): string | undefined {
  const here = [...ownIps].filter((ip) => !isOfEveryHost(ip));
  if (listening.has(name) || here.some((ip) => listening.has(`${ip} . ${name}`))) return 'this node listens there itself';
  const place = here.map((ip) => nodes.get(ip)).find((p) => p !== undefined && isPartOf(p));
  return place && `a part of node "${place.name}" listens there`;
}
