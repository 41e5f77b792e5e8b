/**
 * `service.kubernetes.io/topology-mode: Auto` (KEP-2433): each zone gets as many endpoints as its share of the cluster's CPU asks for, its
 * own first. Pure. As upstream's topologycache: hints in slices that do not change otherwise stay as they are while no zone has too many.
 */
import { parseQuantity } from '../../api/quantity/quantity.ts';
import type { Endpoint, EndpointSlice, Node, Service } from '../../api/schema/types.ts';
import {
  annotationTopologyMode,
  deprecatedAnnotationTopologyAwareHints,
  labelNodeRoleControlPlane,
  labelNodeRoleOldControlPlane,
  labelTopologyZone,
} from '../../api/well-known.ts';
import type { EventText } from '../../client/event-recorder.ts';
import { canonical } from '../ownership/template-hash.ts';

/** How much more than its share an endpoint may get. */
const overload = 0.2;
const modeAnnotations = [deprecatedAnnotationTopologyAwareHints, annotationTopologyMode];
const controlPlaneLabels = [labelNodeRoleControlPlane, labelNodeRoleOldControlPlane];

/** Zone → its share of the CPU of all ready nodes, from 0 to 1. Undefined: no shares can be told. */
export type ZoneShares = ReadonlyMap<string, number> | undefined;

/** The older annotation counts where both are there. */
export function wantsTopologyHints({ metadata }: Service): boolean {
  const mode = modeAnnotations.map((key) => metadata.annotations?.[key]).find((value) => value !== undefined);
  return mode === 'Auto' || mode === 'auto';
}

export function zoneOf(node: Node): string | undefined {
  return node.metadata.labels?.[labelTopologyZone];
}

/** What of a node decides over shares; undefined for one that does not count, as it is not ready or a control plane. */
export function zoneFacts(node: Node | undefined): { readonly zone: string | undefined; readonly cpu: string | undefined } | undefined {
  if (!node || controlPlaneLabels.some((label) => label in (node.metadata.labels ?? {})) || !isNodeReady(node)) return undefined;
  return { zone: zoneOf(node), cpu: node.status?.allocatable?.cpu };
}

/** Undefined also when a single node does not say its zone or CPU, and with fewer than two zones. */
export function zoneShares(nodes: readonly Node[]): ZoneShares {
  const cpu = new Map<string, number>();
  let total = 0;
  for (const { zone, cpu: text = '0' } of nodes.map(zoneFacts).filter((one) => one !== undefined)) {
    const amount = Number(parseQuantity(text).nano);
    if (!zone || amount === 0) return undefined;
    cpu.set(zone, (cpu.get(zone) ?? 0) + amount);
    total += amount;
  }
  return cpu.size < 2 ? undefined : new Map([...cpu].map(([zone, amount]) => [zone, amount / total]));
}

function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

interface Allocation {
  readonly maximum: number;
  readonly desired: number;
}

/** How many of the endpoints each zone is to have; a text that says why none is told. */
function allocate(shares: ZoneShares, endpoints: readonly Endpoint[]): ReadonlyMap<string, Allocation> | string {
  const count = endpoints.length;
  if (!shares) return 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes';
  const numbers = `(${count} endpoints, ${shares.size} zones)`;
  if (shares.size > count) return `Insufficient number of endpoints ${numbers}`;
  const wanted = [...shares].map(([zone, share]) => ({
    zone,
    desired: share * count,
    minimum: Math.ceil((share * count) / (1 + overload)),
  }));
  const left = count - wanted.reduce((sum, { minimum }) => sum + minimum, 0);
  if (left < 0) return `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${numbers}`;
  if (endpoints.some((e) => !e.zone)) return 'One or more endpoints do not have a zone specified';
  return new Map(wanted.map(({ zone, desired, minimum }) => [zone, { maximum: minimum + left, desired: Math.max(desired, minimum) }]));
}

interface HintInput {
  /** All of one address type: those that are written anyway, and those that are not. */
  readonly written: readonly EndpointSlice[];
  readonly unchanged: readonly EndpointSlice[];
  readonly shares: ZoneShares;
}

interface HintPlan {
  /** In the order of `written`. */
  readonly written: readonly EndpointSlice[];
  /** Of `unchanged`, those that change by their hints. */
  readonly changed: readonly EndpointSlice[];
  readonly event: EventText | undefined;
}

const isReady = (e: Endpoint): boolean => e.conditions?.ready === true;
const hintsOf = (e: Endpoint): readonly string[] => (e.hints?.forZones ?? []).map((z) => z.name);
const endpointsOf = (slices: readonly EndpointSlice[]): Endpoint[] => slices.flatMap((s) => s.endpoints ?? []);

export function planHints({ written, unchanged, shares }: HintInput): HintPlan {
  const all = endpointsOf([...written, ...unchanged]).filter(isReady);
  const addressType = [...written, ...unchanged][0]?.addressType ?? 'IPv4';
  const say = (type: EventText['type'], reason: string, text: string): EventText => ({
    type,
    reason,
    message: `${text}, addressType: ${addressType}`,
  });
  const allocations = allocate(shares, all);
  if (typeof allocations === 'string') {
    const without = (s: EndpointSlice): EndpointSlice => withHints(s, () => undefined);
    const event = say('Warning', 'TopologyAwareHintsDisabled', allocations);
    return { written: written.map(without), changed: changedOf(unchanged, without), event };
  }
  const counts = new Map<string, number>();
  const redone = unchanged.filter((slice) => !keep(slice, allocations, counts));
  const slices = [...written, ...redone];
  for (const { zone = '' } of endpointsOf(slices).filter(isReady)) counts.set(zone, (counts.get(zone) ?? 0) + 1);
  const moved = move(endpointsOf(slices), ...imbalance(allocations, counts));
  const hinted = (s: EndpointSlice): EndpointSlice => withHints(s, (e) => moved.get(e) ?? e.zone);
  const wasOn = all.some((e) => hintsOf(e).length > 0);
  return {
    written: written.map(hinted),
    changed: changedOf(redone, hinted),
    event: wasOn ? undefined : say('Normal', 'TopologyAwareHintsEnabled', 'Topology Aware Hints has been enabled'),
  };
}

function changedOf(slices: readonly EndpointSlice[], change: (slice: EndpointSlice) => EndpointSlice): EndpointSlice[] {
  return slices.flatMap((slice) => {
    const next = change(slice);
    return canonical(next.endpoints) === canonical(slice.endpoints ?? []) ? [] : [next];
  });
}

/** Whether the hints of a slice may stay; then they are counted. */
function keep(slice: EndpointSlice, allocations: ReadonlyMap<string, Allocation>, counts: Map<string, number>): boolean {
  const own = new Map<string, number>();
  for (const endpoint of (slice.endpoints ?? []).filter(isReady)) {
    const zones = hintsOf(endpoint);
    if (zones.length === 0) return false;
    for (const zone of zones) own.set(zone, (own.get(zone) ?? 0) + 1);
  }
  for (const [zone, n] of own) if (n + (counts.get(zone) ?? 0) > (allocations.get(zone)?.maximum ?? 0)) return false;
  for (const [zone, n] of own) counts.set(zone, n + (counts.get(zone) ?? 0));
  return true;
}

type Counts = Map<string, number>;

/** How many endpoints each zone gives to others, and gets from them. */
function imbalance(allocations: ReadonlyMap<string, Allocation>, counts: ReadonlyMap<string, number>): readonly [Counts, Counts] {
  const [giving, receiving]: [Counts, Counts] = [new Map(), new Map()];
  const surplus = new Map([...allocations].map(([zone, { desired }]) => [zone, (counts.get(zone) ?? 0) - desired]));
  // Endpoints in zones without nodes are all to give.
  for (const [zone, n] of counts) if (!allocations.has(zone)) surplus.set(zone, n);
  const most = (sign: 1 | -1): { readonly zone: string; readonly n: number } =>
    [...surplus].map(([zone, n]) => ({ zone, n: n * sign })).reduce((a, b) => (b.n > a.n ? b : a), { zone: '', n: 0 });
  for (;;) {
    const [from, to] = [most(1), most(-1)];
    if (from.n < 0.5 || to.n < 0.5 || (from.n < 1 && to.n < 1)) return [giving, receiving];
    surplus.set(from.zone, from.n - 1).set(to.zone, 1 - to.n);
    giving.set(from.zone, (giving.get(from.zone) ?? 0) + 1);
    receiving.set(to.zone, (receiving.get(to.zone) ?? 0) + 1);
  }
}

/** The zones of endpoints that are not for their own. */
function move(endpoints: readonly Endpoint[], giving: Counts, receiving: Counts): ReadonlyMap<Endpoint, string> {
  const moved = new Map<Endpoint, string>();
  for (const endpoint of endpoints.filter(isReady)) {
    const gives = giving.get(endpoint.zone ?? '') ?? 0;
    const to = [...receiving].find(([, n]) => n > 0);
    if (gives === 0 || !to) continue;
    giving.set(endpoint.zone ?? '', gives - 1);
    receiving.set(to[0], to[1] - 1);
    moved.set(endpoint, to[0]);
  }
  return moved;
}

function withHints(slice: EndpointSlice, zoneFor: (endpoint: Endpoint) => string | undefined): EndpointSlice {
  const endpoints = (slice.endpoints ?? []).map((endpoint) => {
    const { hints: _dropped, ...rest } = endpoint;
    const zone = isReady(endpoint) ? zoneFor(endpoint) : undefined;
    return zone === undefined ? rest : { ...rest, hints: { forZones: [{ name: zone }] } };
  });
  return { ...slice, endpoints };
}
