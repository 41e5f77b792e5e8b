/** The EndpointSlices of a Service: pure. Slices that are there are changed as little as possible. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { DiscoveryV1EndpointPort, Endpoint, EndpointSlice, Node, Pod, Service, ServicePort } from '../../api/schema/types.ts';
import { isHeadlessService, labelManagedBy, labelServiceName } from '../../api/well-known.ts';
import type { EventText } from '../../client/event-recorder.ts';
import { familyOf, parseIp } from '../../ip/ip.ts';
import { controllerRef } from '../ownership/owner.ts';
import { isReady } from '../ownership/pod-state.ts';
import { canonical } from '../ownership/template-hash.ts';
import { planHints, wantsTopologyHints, type ZoneShares, zoneOf } from './topology-hints.ts';

export const maxEndpoints = 100;
export const manager = 'endpointslice-controller.k8s.io';

/** A pod that traffic could go to now or, being on its way out, a moment ago. */
export function isCandidate(pod: Pod, publishNotReady: boolean): boolean {
  if (!pod.status?.podIP || pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') return false;
  // Past its grace the pod is only waiting for the kubelet to say so.
  return publishNotReady || !pod.metadata.deletionTimestamp || (pod.metadata.deletionGracePeriodSeconds ?? 30) > 0 || isReady(pod);
}

/** The number behind a target port, which may be the name of a container's port. */
export function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target || port.port;
  const protocol = port.protocol ?? 'TCP';
  const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    const found = container.ports?.find((p) => p.name === target && (p.protocol ?? 'TCP') === protocol);
    if (found) return found.containerPort;
  }
  return undefined;
}

function portsFor(service: Service, pod: Pod): DiscoveryV1EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const { name = '', protocol = 'TCP', appProtocol } = port;
    const number = targetPort(port, pod);
    return number === undefined ? [] : [{ name, protocol, port: number, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

function endpointOf(service: Service, pod: Pod, addresses: string[], node: Node | undefined): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const ready = service.spec?.publishNotReadyAddresses ? true : serving && !terminating;
  const { hostname, subdomain } = pod.spec ?? {};
  const zone = node && zoneOf(node);
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname && subdomain === service.metadata.name ? { hostname } : {}),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(zone === undefined ? {} : { zone }),
  };
}

/** trafficDistribution, said per endpoint: the zone or node it is for is its own. */
function withDistribution(endpoint: Endpoint, distribution: string | undefined): Endpoint {
  const isClose = distribution === 'PreferClose' || distribution === 'PreferSameZone' || distribution === 'PreferSameNode';
  if (!isClose || !endpoint.conditions?.ready) return endpoint;
  const { zone, nodeName } = endpoint;
  const forZones = zone === undefined ? {} : { forZones: [{ name: zone }] };
  const forNodes = distribution === 'PreferSameNode' && nodeName ? { forNodes: [{ name: nodeName }] } : {};
  const hints = { ...forZones, ...forNodes };
  return Object.keys(hints).length === 0 ? endpoint : { ...endpoint, hints };
}

/** Endpoints with the same ports and family go into the same slices. */
export interface Group {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: DiscoveryV1EndpointPort[];
  readonly endpoints: Endpoint[];
}

interface SliceInput {
  readonly service: Service;
  /** Those the selector matches. */
  readonly pods: readonly Pod[];
  readonly nodeOf: (name: string) => Node | undefined;
  /** Those this controller keeps for the Service. */
  readonly existing: readonly EndpointSlice[];
  /** For Services that ask for hints by topology. */
  readonly shares?: () => ZoneShares;
}

export interface SlicePlan {
  /** With an empty name: the server makes one. */
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
  /** What the Service is to be told. */
  readonly events?: readonly EventText[];
}

type Family = Group['addressType'];

function familiesOf({ spec }: Service): Family[] {
  return (spec?.ipFamilies ?? ['IPv4']).map((family) => (family === 'IPv6' ? 'IPv6' : 'IPv4'));
}

function addressOf({ status }: Pod, family: Family): string | undefined {
  const ips = (status?.podIPs ?? [{ ip: status?.podIP ?? '' }]).map(({ ip }) => parseIp(ip ?? ''));
  return ips.find((ip) => ip !== undefined && familyOf(ip) === (family === 'IPv6' ? 6 : 4));
}

function groupsOf(input: SliceInput): Group[] {
  const { service } = input;
  const groups = new Map<string, Group>();
  for (const pod of input.pods.filter((one) => isCandidate(one, service.spec?.publishNotReadyAddresses ?? false))) {
    const ports = portsFor(service, pod);
    for (const addressType of familiesOf(service)) {
      const address = addressOf(pod, addressType);
      if (address === undefined) continue;
      const key = `${addressType}|${canonical(ports)}`;
      const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
      groups.set(key, group);
      group.endpoints.push(endpointOf(service, pod, [address], input.nodeOf(pod.spec?.nodeName ?? '')));
    }
  }
  // A Service without endpoints keeps one empty slice, so that "none" can be told from "not yet".
  const found = [...groups.values()];
  const empty = familiesOf(service).filter((family) => !found.some(({ addressType }) => addressType === family));
  const all = [...found, ...empty.map((addressType): Group => ({ addressType, ports: [], endpoints: [] }))];
  const hinted = wantsTopologyHints(service)
    ? keepHints(input.existing)
    : (e: Endpoint): Endpoint => withDistribution(e, service.spec?.trafficDistribution);
  return all.map((group) => ({ ...group, endpoints: group.endpoints.map(hinted) }));
}

/** Hints by topology depend on all slices together: until those are looked at each endpoint keeps what it has. */
function keepHints(existing: readonly EndpointSlice[]): (endpoint: Endpoint) => Endpoint {
  const known = new Map(existing.flatMap((s) => (s.endpoints ?? []).map((e) => [`${s.addressType} ${identity(e)}`, e.hints] as const)));
  return (endpoint) => {
    const family = familyOf(endpoint.addresses[0] ?? '') === 6 ? 'IPv6' : 'IPv4';
    const hints = known.get(`${family} ${identity(endpoint)}`);
    return hints ? { ...endpoint, hints } : endpoint;
  };
}

const identity = (e: Endpoint): string => e.targetRef?.uid ?? e.addresses[0] ?? '';

export function planSlices(input: SliceInput): SlicePlan {
  const { service, existing } = input;
  const headless = service.spec?.clusterIP === 'None';
  const { [labelServiceName]: _1, [labelManagedBy]: _2, [isHeadlessService]: _3, ...own } = service.metadata.labels ?? {};
  const labels = {
    ...own,
    [labelServiceName]: service.metadata.name,
    [labelManagedBy]: manager,
    ...(headless ? { [isHeadlessService]: '' } : {}),
  };
  const plan = fitSlices({ owner: service, labels, groups: groupsOf(input), existing });
  return wantsTopologyHints(service) ? withTopologyHints(plan, existing, input.shares?.()) : plan;
}

/** Each family for itself: one may have hints while the other has too few endpoints for them. */
function withTopologyHints({ create, update, remove }: SlicePlan, existing: readonly EndpointSlice[], shares: ZoneShares): SlicePlan {
  const out = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], remove, events: [] as EventText[] };
  const touched = new Set([...update, ...remove].map((s) => s.metadata.name));
  const untouched = existing.filter((s) => !touched.has(s.metadata.name));
  for (const addressType of new Set([...create, ...update, ...untouched].map((s) => s.addressType))) {
    const isOf = (s: EndpointSlice): boolean => s.addressType === addressType;
    const [made, updated, unchanged] = [create.filter(isOf), update.filter(isOf), untouched.filter(isOf)];
    const { written, changed, event } = planHints({ written: [...made, ...updated], unchanged, shares });
    out.create.push(...written.slice(0, made.length));
    out.update.push(...written.slice(made.length), ...changed);
    if (event) out.events.push(event);
  }
  return out;
}

interface FitInput {
  /** Service or Endpoints; the slices are named after it and go with it. */
  readonly owner: KubeObject;
  readonly labels: Readonly<Record<string, string>>;
  /** Those of others that the slices take over. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly groups: readonly Group[];
  readonly existing: readonly EndpointSlice[];
}

/** Spreads groups of endpoints over slices. Those that are there change as little as possible. */
export function fitSlices(input: FitInput): SlicePlan {
  const { groups, existing } = input;
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const remove = new Set(existing);
  for (const group of groups) {
    const key = canonical(group.ports);
    const slices = existing.filter((s) => remove.has(s) && s.addressType === group.addressType && canonical(s.ports ?? []) === key);
    const { contents, rest } = distribute(group.endpoints, slices);
    // Of slices that are all empty one stays.
    const stays = contents.some((c) => c.endpoints.length > 0) ? undefined : contents[0];
    for (const content of contents.filter((c) => c.endpoints.length > 0 || c === stays)) {
      remove.delete(content.slice);
      if (!isAsWanted(content, input)) update.push(withEndpoints(content, input));
    }
    if (contents.length === 0 && rest.length === 0) create.push(newSlice(input, group, []));
    while (rest.length > 0) create.push(newSlice(input, group, rest.splice(0, maxEndpoints)));
  }
  return { create, update, remove: [...remove] };
}

interface Content {
  readonly slice: EndpointSlice;
  readonly endpoints: Endpoint[];
}

/** What goes into which slice, and the `rest` that needs slices of its own. */
function distribute(wanted: readonly Endpoint[], slices: readonly EndpointSlice[]): { contents: Content[]; rest: Endpoint[] } {
  const left = new Map(wanted.map((e) => [identity(e), e]));
  // First every slice keeps those of its endpoints that are still wanted, as they are now.
  const contents = slices.map((slice) => ({ slice, endpoints: (slice.endpoints ?? []).flatMap((old) => take(left, identity(old))) }));
  // Then the fullest that has room takes the new ones.
  const rest = [...left.values()];
  for (const { endpoints } of contents.toSorted((a, b) => b.endpoints.length - a.endpoints.length))
    endpoints.push(...rest.splice(0, maxEndpoints - endpoints.length));
  return { contents, rest };
}

function take<T>(from: Map<string, T>, key: string): T[] {
  const value = from.get(key);
  return value !== undefined && from.delete(key) ? [value] : [];
}

function isAsWanted({ slice, endpoints }: Content, { labels, annotations = {} }: FitInput): boolean {
  return (
    canonical(slice.endpoints ?? []) === canonical(endpoints) &&
    canonical(slice.metadata.labels) === canonical(labels) &&
    Object.entries(annotations).every(([key, value]) => slice.metadata.annotations?.[key] === value)
  );
}

function withEndpoints({ slice, endpoints }: Content, { labels, annotations }: FitInput): EndpointSlice {
  return { ...slice, metadata: { ...slice.metadata, labels, annotations: { ...slice.metadata.annotations, ...annotations } }, endpoints };
}

function newSlice({ owner, labels, annotations }: FitInput, group: Group, endpoints: Endpoint[]): EndpointSlice {
  const { name, namespace } = owner.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: '',
      generateName: `${name}-`,
      namespace,
      labels,
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerRef(owner)],
    },
    addressType: group.addressType,
    ports: group.ports,
    endpoints,
  };
}
