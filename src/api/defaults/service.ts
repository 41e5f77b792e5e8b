/** Defaults of Services, with their IP families. The API server allocates addresses and node ports. */
import { isDeepStrictEqual } from 'node:util';
import { familyOf, isIp } from '../../ip/ip.ts';
import type { Service, ServiceSpec } from '../schema/types.ts';

const affinitySeconds = 10_800;

export function defaultService(service: Service): void {
  service.spec ??= {};
  const { spec } = service;
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= affinitySeconds;
  }
  spec.type ||= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    port.targetPort ||= port.port;
  }
  if (isExternallyReachable(spec)) spec.externalTrafficPolicy ||= 'Cluster';
  if (needsClusterIp(spec)) spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of service.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ||= 'VIP';
}

/** That of the range for cluster addresses. */
const clusterFamily = 'IPv4';

/**
 * The IP families of a Service with cluster addresses or None: those of the addresses it asks for, else the cluster's. A headless Service
 * without selector gets both, because somebody else writes its endpoints, which may be of either. As upstream's initIPFamilyFields.
 */
export function defaultFamilies(spec: ServiceSpec, before?: ServiceSpec): void {
  if (!needsClusterIp(spec)) return;
  spec.ipFamilyPolicy ??= before?.ipFamilyPolicy ?? (isOfAnyFamily(spec) ? 'RequireDualStack' : 'SingleStack');
  if (before && spec.ipFamilyPolicy === 'SingleStack') keepFirst(spec, before);
  const isSingle = spec.ipFamilyPolicy === 'SingleStack';
  // Who leaves them out of an update leaves them as they are.
  if (!isSingle && !spec.ipFamilies?.length && before?.ipFamilies) spec.ipFamilies = [...before.ipFamilies];
  const { ipFamilies: asked = [], clusterIPs = [] } = spec;
  const ofAddresses = clusterIPs.filter(isIp).map((ip) => `IPv${familyOf(ip)}`);
  const known = [...asked, ...ofAddresses.slice(asked.length, isSingle ? 1 : 2)];
  const [first = clusterFamily] = known;
  // Who takes one away is told how.
  const isReduced = asked.length < (before?.ipFamilies?.length ?? 0);
  const addsOther = isOfAnyFamily(spec) && !isSingle && !isReduced && known.length < 2;
  spec.ipFamilies = [first, ...(addsOther ? [first === 'IPv4' ? 'IPv6' : 'IPv4'] : known.slice(1))];
}

/** Nobody knows of which family the endpoints are that somebody else writes. */
export function isOfAnyFamily({ clusterIP, selector = {} }: ServiceSpec): boolean {
  return clusterIP === 'None' && Object.keys(selector).length === 0;
}

/** Who asks for one family and leaves the lists alone means the first. */
function keepFirst(spec: ServiceSpec, before: ServiceSpec): void {
  if (isDeepStrictEqual(spec.clusterIPs, before.clusterIPs)) spec.clusterIPs &&= spec.clusterIPs.slice(0, 1);
  if (isDeepStrictEqual(spec.ipFamilies, before.ipFamilies)) spec.ipFamilies &&= spec.ipFamilies.slice(0, 1);
}

/** True for every type but ExternalName, which is only an alias in DNS. */
export function needsClusterIp(spec: ServiceSpec): boolean {
  return spec.type === 'ClusterIP' || spec.type === 'NodePort' || spec.type === 'LoadBalancer';
}

export function needsNodePort(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

/** Those that are asked for by number are given even where none are given by default. */
export function mayHaveNodePorts({ type }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer';
}

export function needsHealthCheckPort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

export function isLoadBalancer({ type }: ServiceSpec): boolean {
  return type === 'LoadBalancer';
}

export function isExternallyReachable(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);
}
