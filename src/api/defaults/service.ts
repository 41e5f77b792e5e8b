/** Defaults of Services, with their IP families. The API server allocates addresses and node ports. */
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
 * without selector gets both, because somebody else writes its endpoints, which may be of either.
 */
export function defaultFamilies(spec: ServiceSpec): void {
  if (!needsClusterIp(spec)) return;
  const headless = spec.clusterIP === 'None';
  if (headless && !spec.selector && !spec.ipFamilyPolicy && !spec.ipFamilies?.length) spec.ipFamilyPolicy = 'RequireDualStack';
  spec.ipFamilyPolicy ??= (spec.ipFamilies?.length ?? spec.clusterIPs?.length ?? 1) > 1 ? 'RequireDualStack' : 'SingleStack';
  if (!spec.ipFamilies?.length) {
    const asked = (spec.clusterIPs ?? []).filter(isIp).map((ip) => `IPv${familyOf(ip)}`);
    spec.ipFamilies = asked.length > 0 ? asked : [clusterFamily];
  }
  const second = spec.ipFamilies[0] === 'IPv4' ? 'IPv6' : 'IPv4';
  const both = spec.ipFamilyPolicy === 'RequireDualStack' && headless && !spec.selector;
  if (spec.ipFamilies.length === 1 && (both || (spec.ipFamilyPolicy !== 'SingleStack' && second === clusterFamily))) {
    spec.ipFamilies.push(second);
  }
}

/** True for every type but ExternalName, which is only an alias in DNS. */
export function needsClusterIp(spec: ServiceSpec): boolean {
  return spec.type === 'ClusterIP' || spec.type === 'NodePort' || spec.type === 'LoadBalancer';
}

export function needsNodePort(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

export function needsHealthCheckPort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

export function isExternallyReachable(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);
}
