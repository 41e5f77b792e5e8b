/** plan(): a Service and its EndpointSlices to a ServicePlan. Pure; every rule of traffic is decided here. */
import { objectKey } from '../../api/object-key.ts';
import type { EndpointSlice, Service, ServicePort } from '../../api/schema/types.ts';
import { isHeadlessService } from '../../api/well-known.ts';
import { type Cidr, cidrOverlaps, familyOf, parseCidr } from '../../ip/ip.ts';
import {
  type Candidate,
  candidatesOf,
  clusterEndpoints,
  drainingEndpoints,
  isOfFamily,
  isPort,
  localEndpoints,
  readIp,
} from './endpoints.ts';
import type { NodeContext } from './node-context.ts';
import {
  type EndpointAddress,
  type Frontend,
  frontendName,
  type PortPlan,
  type Protocol,
  type ServicePlan,
  type Target,
} from './service-plan.ts';

export const proxyNameLabel = 'service.kubernetes.io/service-proxy-name';
const protocols: readonly Protocol[] = ['tcp', 'udp', 'sctp'];
const defaultAffinitySeconds = 10_800;
const maxAffinitySeconds = 86_400;

/** Whether a Service is for us: not another proxy's, not headless, not just a name. */
function isProxied(service: Service): boolean {
  const labels = service.metadata.labels ?? {};
  if (proxyNameLabel in labels || isHeadlessService in labels) return false;
  const { type, clusterIP } = service.spec ?? {};
  return type !== 'ExternalName' && clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None';
}

function inFamily(addresses: readonly (string | undefined)[], node: NodeContext): string[] {
  const parsed = addresses.map((a) => readIp(a ?? '')).filter((ip) => ip !== undefined);
  return [...new Set(parsed.filter((ip) => familyOf(ip) === (node.family === 'ip' ? 4 : 6)))];
}

/** The addresses that a load balancer routes to the node as they are; with ipMode Proxy it changes them itself. */
function loadBalancerIps(service: Service, node: NodeContext): string[] {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  return inFamily(
    ingress.filter((i) => (i.ipMode ?? 'VIP') === 'VIP').map((i) => i.ip),
    node,
  );
}

/** An address of a load balancer, and who may use it. Absent: everybody. */
interface Balanced {
  readonly ip: string;
  readonly sources?: readonly string[];
}

/** For all ports of a Service at once: there may be thousands of ranges. */
function balancedAddresses(service: Service, node: NodeContext): Balanced[] {
  const ips = loadBalancerIps(service, node);
  const ranges = ips.length > 0 ? openedRanges(service.spec?.loadBalancerSourceRanges ?? [], node) : undefined;
  if (!ranges) return ips.map((ip) => ({ ip }));
  const nodeIps = node.nodeIps.map((ip) => parseCidr(ip)).filter((cidr) => cidr !== undefined);
  const opensNode = ranges.some((range) => nodeIps.some((ip) => cidrOverlaps(range, ip)));
  return ips.map((ip) => {
    // A node in the range reaches the address from the address itself, since the kernel takes it for its own.
    const own = opensNode ? parseCidr(ip) : undefined;
    return {
      ip,
      sources: withoutInner(own ? [...ranges, own] : ranges)
        .map(({ text }) => text)
        .sort(),
    };
  });
}

/**
 * Source ranges of this family. Undefined when everybody may come: also when all that is given is of the other family, as in kube-proxy. What
 * cannot be read opens nothing.
 */
function openedRanges(texts: readonly string[], node: NodeContext): readonly Cidr[] | undefined {
  const family = node.family === 'ip' ? 4 : 6;
  const given = readBefore.get(texts) ?? texts.map((text) => parseCidr(text));
  if (given.length > 0) readBefore.set(texts, given);
  if (given.every((cidr) => cidr && cidr.family !== family)) return undefined;
  const cidrs = given.filter((cidr) => cidr !== undefined).filter((cidr) => cidr.family === family);
  return cidrs.some(({ prefix }) => prefix === 0) ? undefined : cidrs;
}

/** An object is never changed, only replaced: when endpoints change, the ranges of their Service need no reading. */
const readBefore = new WeakMap<readonly string[], readonly (Cidr | undefined)[]>();

/** Without those inside others, which the kernel would refuse. Two ranges are either apart or one inside the other, so neighbours tell. */
function withoutInner(cidrs: readonly Cidr[]): Cidr[] {
  const kept: Cidr[] = [];
  for (const cidr of cidrs.toSorted((a, b) => (a.first === b.first ? a.prefix - b.prefix : a.first < b.first ? -1 : 1))) {
    const last = kept.at(-1);
    if (!last || !cidrOverlaps(last, cidr)) kept.push(cidr);
  }
  return kept;
}

function addresses(chosen: readonly Candidate[], node: NodeContext): EndpointAddress[] {
  return chosen.map(({ name, ip, port, nodeName }) => ({
    name,
    ip,
    port,
    mayBeHere: nodeName === undefined || nodeName === node.nodeName,
  }));
}

/** Where a Service is, its node ports aside. */
interface Addresses {
  readonly clusterIp: string;
  readonly balanced: readonly Balanced[];
  readonly external: readonly string[];
}

/** That of the cluster IP first. */
function frontendsOf(service: Service, port: ServicePort, addresses: Addresses, targets: Targets, node: NodeContext): Frontend[] {
  const target = targets.internal;
  const masquerade = node.masqueradeAll ? 'always' : 'outside-pods';
  const internal: Frontend = { kind: 'cluster-ip', ip: addresses.clusterIp, port: port.port, inside: target, outside: target, masquerade };
  return [internal, ...externalFrontends(service, port, addresses, targets)];
}

/** Where packets of each kind of client go, of whatever frontend of a port. */
interface Targets {
  readonly internal: Target;
  readonly inside: Target;
  readonly outside: Target;
}

function targetsOf({ spec }: Service, lists: Lists): Targets {
  return {
    internal: targetOf(spec?.internalTrafficPolicy, lists),
    // Whoever asks from inside gets any endpoint, whatever the policy.
    inside: targetOf('Cluster', lists),
    outside: targetOf(spec?.externalTrafficPolicy, lists),
  };
}

function targetOf(policy: string | undefined, { cluster, local, anywhere }: Lists): Target {
  if (policy !== 'Local') return cluster > 0 ? 'cluster' : 'refuse';
  if (local > 0) return 'local';
  return anywhere ? 'drop' : 'refuse';
}

/** By which it is reached from outside the cluster. */
function externalFrontends(service: Service, port: ServicePort, addresses: Addresses, { inside, outside }: Targets): Frontend[] {
  const { type, externalTrafficPolicy } = service.spec ?? {};
  const reached = {
    inside,
    outside,
    masquerade: externalTrafficPolicy === 'Local' ? ('node' as const) : ('always' as const),
  };
  const balanced = addresses.balanced.map((one): Frontend => ({ kind: 'load-balancer-ip', port: port.port, ...reached, ...one }));
  const external = addresses.external.map((ip): Frontend => ({ kind: 'external-ip', ip, port: port.port, ...reached }));
  const hasNodePort = isPort(port.nodePort) && (type === 'NodePort' || type === 'LoadBalancer');
  return [...balanced, ...external, ...(hasNodePort ? [{ kind: 'node-port', port: Number(port.nodePort), ...reached } as const] : [])];
}

/**
 * Each frontend once: of two ports the first has it; an external address may be a load balancer's too, and then its source ranges hold.
 */
function withoutDoubles(ports: readonly PortPlan[]): PortPlan[] {
  const seen = new Set<string>();
  const isNew = (name: string): boolean => {
    const isKnown = seen.has(name);
    seen.add(name);
    return !isKnown;
  };
  return ports.map((port) => {
    const frontends = port.frontends.filter((f) => isNew(frontendName(f, port)));
    return frontends.length === port.frontends.length ? port : { ...port, frontends };
  });
}

interface Lists {
  readonly cluster: number;
  readonly local: number;
  readonly anywhere: boolean;
}

/** Undefined for one that no rule can name. */
function protocolOf({ protocol }: ServicePort): Protocol | undefined {
  const name = (protocol ?? 'TCP').toLowerCase();
  return protocols.find((one) => one === name);
}

/** The plan of a port but its frontends, and what these depend on. Undefined for one that no rule can name. */
function planEndpoints(
  service: Service,
  slices: readonly EndpointSlice[],
  port: ServicePort,
  node: NodeContext,
): { readonly plan: Omit<PortPlan, 'frontends'>; readonly targets: Targets } | undefined {
  const name = port.name ?? '';
  const protocol = protocolOf(port);
  if (!isPort(port.port) || !protocol) return undefined;
  const { spec } = service;
  const candidates = [...candidatesOf(slices, name, protocol, node).values()];
  const external = spec?.type === 'NodePort' || spec?.type === 'LoadBalancer' || (spec?.externalIPs ?? []).length > 0;
  const usesLocal = spec?.internalTrafficPolicy === 'Local' || (external && spec?.externalTrafficPolicy === 'Local');
  const usesCluster = spec?.internalTrafficPolicy !== 'Local' || external;
  const chosen = clusterEndpoints(candidates, node);
  const cluster = usesCluster ? addresses(chosen, node) : [];
  const local = usesLocal ? addresses(localEndpoints(candidates, node), node) : [];
  const draining = addresses(drainingEndpoints(candidates, [...cluster, ...local]), node);
  const lists: Lists = { cluster: cluster.length, local: local.length, anywhere: chosen.length > 0 };
  const affinity = spec?.sessionAffinity === 'ClientIP' ? spec.sessionAffinityConfig?.clientIP?.timeoutSeconds : undefined;
  const plan = {
    name,
    protocol,
    cluster,
    local,
    ...(draining.length > 0 ? { draining } : {}),
    serving: protocol === 'udp' ? new Set(candidates.filter((c) => c.serving).map((c) => c.name)) : nobody,
    ...(spec?.sessionAffinity === 'ClientIP' ? { affinitySeconds: affinitySeconds(affinity) } : {}),
  };
  return { plan, targets: targetsOf(service, lists) };
}

function planPort(service: Service, slices: readonly EndpointSlice[], port: ServicePort, own: Addresses, node: NodeContext): PortPlan[] {
  const planned = planEndpoints(service, slices, port, node);
  return planned ? [{ ...planned.plan, frontends: frontendsOf(service, port, own, planned.targets, node) }] : [];
}

/** Whether its frontends lead where they led: those at the ends are of both kinds, if there are both. */
function areSame(frontends: readonly Frontend[], { internal, inside, outside }: Targets): boolean {
  return [frontends[0], frontends.at(-1)].every(
    (f) => !f || (f.kind === 'cluster-ip' ? f.inside === internal : f.inside === inside && f.outside === outside),
  );
}

/**
 * Plans a Service again that is the same object as when `before` was planned, on the same node: endpoints alone changed, and its frontends, of which there may be
 * thousands, are those that it had (the same lists). Undefined where they lead elsewhere now, as with the first endpoint or without the last.
 */
export function planAgain(
  service: Service,
  slices: readonly EndpointSlice[],
  node: NodeContext,
  before: ServicePlan,
): ServicePlan | undefined {
  const ports: PortPlan[] = [];
  for (const port of service.spec?.ports ?? []) {
    const planned = planEndpoints(service, slices, port, node);
    if (!planned) continue;
    const { frontends } = before.ports[ports.length] ?? {};
    if (!frontends || !areSame(frontends, planned.targets)) return undefined;
    ports.push({ ...planned.plan, frontends });
  }
  return { ...before, ports, ...(before.health ? { health: { ...before.health, localReady: localReady(slices, node) } } : {}) };
}

/** One for all: ten thousand empty ones would be two megabytes. */
const nobody: ReadonlySet<string> = new Set();

function affinitySeconds(given = defaultAffinitySeconds): number {
  return Math.min(Math.max(Math.trunc(given) || defaultAffinitySeconds, 1), maxAffinitySeconds);
}

function localReady(slices: readonly EndpointSlice[], node: NodeContext): number {
  const ips = new Set<string>();
  for (const slice of slices.filter((s) => isOfFamily(s, node)))
    for (const endpoint of slice.endpoints ?? [])
      if (endpoint.nodeName === node.nodeName && (endpoint.conditions?.ready ?? true) && endpoint.addresses?.[0])
        ips.add(endpoint.addresses[0]);
  return ips.size;
}

/** Who listens there listens on every address; the API server gives it to nobody. */
const anyAddress: readonly string[] = ['0.0.0.0', '::'];

/** Sorts a Service whose age nobody knows after all others. */
const withoutAge = '~';

/** Plans one Service. Undefined when there is nothing to do for it in this address family. */
export function planService(service: Service, slices: readonly EndpointSlice[], node: NodeContext): ServicePlan | undefined {
  if (!isProxied(service)) return undefined;
  const { metadata, spec } = service;
  const [clusterIp] = inFamily([spec?.clusterIP, ...(spec?.clusterIPs ?? [])], node);
  if (clusterIp === undefined || anyAddress.includes(clusterIp)) return undefined;
  const own = { clusterIp, balanced: balancedAddresses(service, node), external: inFamily(spec?.externalIPs ?? [], node) };
  const checks = spec?.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local' && spec.healthCheckNodePort;
  const key = objectKey(service);
  return {
    key,
    rank: `${metadata.creationTimestamp || withoutAge} ${key}`,
    clusterIp,
    ports: withoutDoubles((spec?.ports ?? []).flatMap((port) => planPort(service, slices, port, own, node))),
    ...(checks ? { health: { port: checks, localReady: localReady(slices, node) } } : {}),
  };
}
