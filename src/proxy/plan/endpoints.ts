/** From EndpointSlices to the two endpoint lists of a Service's port, as kube-proxy chooses them (its topology.go). */
import type { Endpoint, EndpointSlice } from '../../api/schema/types.ts';
import { familyOf, parseIp } from '../../ip/ip.ts';
import type { NodeContext } from './node-context.ts';
import type { Protocol } from './service-plan.ts';

const canonicalIpv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** parseIp, but at once for the text that nearly every endpoint has. */
export function readIp(text: string): string | undefined {
  return canonicalIpv4.test(text) ? text : parseIp(text);
}

/** Objects of another API server may hold anything; what the kernel cannot take must not keep it from the rest. */
export function isPort(port: number | undefined): port is number {
  return Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
}

export interface Candidate {
  /** `ip . port`. */
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly nodeName?: string;
  readonly zones: readonly string[];
  readonly nodes: readonly string[];
}

/** Not FQDN slices either: they are for programs that resolve names themselves. */
export function isOfFamily(slice: EndpointSlice, node: NodeContext): boolean {
  return slice.addressType === (node.family === 'ip' ? 'IPv4' : 'IPv6');
}

/**
 * What slices of a Service with several were read to say. A slice is never changed, only replaced: when one endpoint of thousands changes, the
 * other slices need no reading. Most Services have one slice, and nothing is kept of that.
 */
const readBefore = new WeakMap<EndpointSlice, Map<string, readonly Candidate[]>>();

/** The endpoints that slices name for a port; of the same address in two slices, the one that is not ending. */
export function candidatesOf(
  slices: readonly EndpointSlice[],
  portName: string,
  protocol: Protocol,
  node: NodeContext,
): ReadonlyMap<string, Candidate> {
  const own = slices.filter((slice) => isOfFamily(slice, node));
  const read = own.length > 1 ? readAgain : readSlice;
  const lists = own.map((slice) => read(slice, portName, protocol));
  const found = new Map<string, Candidate>();
  for (const list of lists)
    for (const candidate of list) {
      const known = found.get(candidate.name);
      if (!known || (known.terminating && !candidate.terminating)) found.set(candidate.name, candidate);
    }
  return found;
}

function readAgain(slice: EndpointSlice, portName: string, protocol: Protocol): readonly Candidate[] {
  const port = `${protocol} ${portName}`;
  const ports = readBefore.get(slice) ?? new Map<string, readonly Candidate[]>();
  readBefore.set(slice, ports);
  const list = ports.get(port) ?? readSlice(slice, portName, protocol);
  ports.set(port, list);
  return list;
}

function readSlice(slice: EndpointSlice, portName: string, protocol: Protocol): readonly Candidate[] {
  const family = slice.addressType === 'IPv4' ? 4 : 6;
  const candidates: Candidate[] = [];
  for (const port of portsOf(slice, portName, protocol))
    for (const endpoint of slice.endpoints ?? []) {
      const ip = readIp(endpoint.addresses?.[0] ?? '');
      if (ip !== undefined && familyOf(ip) === family) candidates.push(candidateOf(endpoint, ip, port));
    }
  return candidates;
}

/** A port without a name is one whose name is empty; one whose name is not said means any, and that is for consumers of the API alone. */
function portsOf(slice: EndpointSlice, portName: string, protocol: Protocol): number[] {
  const own = (slice.ports ?? []).filter((p) => p.name === portName && (p.protocol ?? 'TCP').toLowerCase() === protocol);
  return own.map(({ port }) => port).filter(isPort);
}

function candidateOf({ conditions, hints, nodeName }: Endpoint, ip: string, port: number): Candidate {
  return {
    // In one piece: a template's name would go on holding a piece beside it.
    name: [ip, port].join(' . '),
    ip,
    port,
    ready: conditions?.ready ?? true,
    serving: conditions?.serving ?? true,
    terminating: conditions?.terminating ?? false,
    zones: hints?.forZones?.map((zone) => zone.name) ?? nowhere,
    nodes: hints?.forNodes?.map((n) => n.name) ?? nowhere,
    ...(nodeName ? { nodeName } : {}),
  };
}

const nowhere: readonly string[] = [];

/** Hints count only when every ready endpoint has them and one of them means here. */
function hinted(ready: readonly Candidate[], node: NodeContext): readonly Candidate[] {
  const here = ready.filter((c) => c.nodes.includes(node.nodeName));
  if (here.length > 0 && ready.every((c) => c.nodes.length > 0)) return here;
  const { zone } = node;
  if (zone === undefined) return ready;
  const near = ready.filter((c) => c.zones.includes(zone));
  return near.length > 0 && ready.every((c) => c.zones.length > 0) ? near : ready;
}

function ending(candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter((c) => c.serving && c.terminating);
}

/** Ready ones by their hints; when there is none, those that end but still serve. */
export function clusterEndpoints(candidates: readonly Candidate[], node: NodeContext): readonly Candidate[] {
  const ready = candidates.filter((c) => c.ready);
  return ready.length > 0 ? hinted(ready, node) : ending(candidates);
}

/** The same on this node alone; hints do not matter. */
export function localEndpoints(candidates: readonly Candidate[], node: NodeContext): readonly Candidate[] {
  const here = candidates.filter((c) => c.nodeName === node.nodeName);
  const ready = here.filter((c) => c.ready);
  return ready.length > 0 ? ready : ending(here);
}

/** Those that end and still serve, but for the ones that serve because nobody else does. */
export function drainingEndpoints(candidates: readonly Candidate[], inUse: readonly { readonly name: string }[]): readonly Candidate[] {
  const draining = ending(candidates);
  return draining.length === 0 ? draining : draining.filter(({ name }) => !inUse.some((used) => used.name === name));
}
