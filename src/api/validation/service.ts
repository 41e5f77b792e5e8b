/** Services. That an address or a port is free, and in its range, is the API server's to say. */
import { isIp } from '../../ip/ip.ts';
import { isExternallyReachable, needsClusterIp, needsHealthCheckPort } from '../defaults/service.ts';
import type { Service, ServicePort, ServiceSpec } from '../schema/types.ts';
import {
  atMost,
  duplicate,
  duplicates,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  notSupported,
  oneOf,
  optionalOneOf,
  optionalWellFormed,
  required,
  tooMany,
} from './field-error.ts';
import { cidrErrors, ipErrors, portOrNameErrors, portProtocols, reachableIpErrors } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain, isPort, isQualifiedName } from './names.ts';
import { labelErrors } from './object-meta.ts';

const serviceTypes: readonly string[] = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const families: readonly string[] = ['IPv4', 'IPv6'];
const familyPolicies: readonly string[] = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const policies: readonly string[] = ['Cluster', 'Local'];
/** Upstream has no limit of its own. Each port is a rule, and a chain or an element, on every node. */
const maxPorts = 1000;
/** As for ports: each is programmed on every node, with each port. */
const maxExternalIps = 1000;
/** As for ports; those who list whole countries name some thousands. */
const maxSourceRanges = 10_000;
const maxAffinitySeconds = 86_400;
const kubeletPort = 10_250;
const onceSet = 'may not change once set';

export function serviceErrors({ spec }: Service): FieldError[] {
  if (!spec) return [required('spec.ports')];
  const ports = spec.ports ?? [];
  const tooLong = [
    ...atMost(ports, 'spec.ports', maxPorts),
    ...atMost(spec.externalIPs, 'spec.externalIPs', maxExternalIps),
    ...atMost(spec.loadBalancerSourceRanges, 'spec.loadBalancerSourceRanges', maxSourceRanges),
  ];
  if (tooLong.length > 0) return tooLong;
  const headless = spec.clusterIP === 'None';
  const errors: FieldError[] = [];
  if (ports.length === 0 && !headless && spec.type !== 'ExternalName') errors.push(required('spec.ports'));
  errors.push(
    ...typeErrors(spec),
    ...eachOf(ports, 'spec.ports', (port, at) => portErrors(port, at, ports.length > 1)),
    ...duplicates(
      ports.map((port) => port.name),
      (index) => `spec.ports[${index}].name`,
    ),
    ...portClashes(ports),
    ...labelErrors(spec.selector, 'spec.selector'),
    ...affinityErrors(spec),
    ...addressErrors(spec),
    ...eachOf(spec.externalIPs, 'spec.externalIPs', reachableIpErrors),
    ...trafficErrors(spec),
  );
  const { healthCheckNodePort } = spec;
  if (healthCheckNodePort && ports.some((port) => port.nodePort === healthCheckNodePort)) {
    errors.push(invalid('spec.healthCheckNodePort', healthCheckNodePort, 'provided port is already allocated'));
  }
  if (spec.loadBalancerSourceRanges?.length) {
    if (spec.type !== 'LoadBalancer')
      errors.push(forbidden('spec.loadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"));
    errors.push(...eachOf(spec.loadBalancerSourceRanges, 'spec.loadBalancerSourceRanges', (range, at) => cidrErrors(range.trim(), at)));
  }
  if (spec.type !== 'LoadBalancer') {
    if (spec.allocateLoadBalancerNodePorts !== undefined)
      errors.push(forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"));
    if (spec.loadBalancerClass !== undefined)
      errors.push(forbidden('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"));
  } else if (spec.loadBalancerClass !== undefined) {
    errors.push(...invalids('spec.loadBalancerClass', spec.loadBalancerClass, isQualifiedName(spec.loadBalancerClass)));
  }
  return errors;
}

export function serviceUpdateErrors(next: Service, old: Service): FieldError[] {
  const errors: FieldError[] = [];
  const [spec, before] = [next.spec, old.spec];
  if (spec && before && needsClusterIp(spec) && needsClusterIp(before)) {
    const [now, was] = [spec.clusterIPs ?? [], before.clusterIPs ?? []];
    if (was[0] && !now[0]) errors.push(invalid('spec.clusterIPs[0]', now, 'primary clusterIP can not be unset'));
    else if (was[0] && now[0] !== was[0]) errors.push(invalid('spec.clusterIPs[0]', now, onceSet));
    if (was[1] && now[1] && now[1] !== was[1]) errors.push(invalid('spec.clusterIPs[1]', now, onceSet));
    if (before.ipFamilies?.[0] && spec.ipFamilies?.[0] !== before.ipFamilies[0])
      errors.push(invalid('spec.ipFamilies[0]', spec.ipFamilies ?? [], onceSet));
  }
  if (before?.type === 'LoadBalancer' && spec?.type === 'LoadBalancer') {
    if (spec.loadBalancerClass !== before.loadBalancerClass)
      errors.push(invalid('spec.loadBalancerClass', spec.loadBalancerClass, onceSet));
  }
  return [...errors, ...serviceErrors(next)];
}

export function serviceStatusErrors({ spec, status }: Service): FieldError[] {
  if (spec?.type !== 'LoadBalancer' && status?.loadBalancer?.ingress?.length)
    return [forbidden('status.loadBalancer.ingress', "may only be used when `spec.type` is 'LoadBalancer'")];
  return eachOf(status?.loadBalancer?.ingress, 'status.loadBalancer.ingress', ({ ip, hostname, ipMode }, at) => [
    ...(ip ? ipErrors(ip, `${at}.ip`) : []),
    ...(ipMode && !ip ? [forbidden(`${at}.ipMode`, 'may not be specified when `ip` is not set')] : []),
    ...optionalOneOf(ipMode, `${at}.ipMode`, ['Proxy', 'VIP']),
    ...emptyOrWellFormed(hostname, `${at}.hostname`, isDns1123Subdomain),
    ...(hostname && isIp(hostname) ? [invalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address')] : []),
  ]);
}

function typeErrors(spec: ServiceSpec): FieldError[] {
  const errors = oneOf(spec.type, 'spec.type', serviceTypes);
  const headless = spec.clusterIP === 'None';
  if (spec.type === 'LoadBalancer') {
    // Clouds have opened their firewalls too far: that must never reach the kubelet.
    errors.push(
      ...eachOf(spec.ports, 'spec.ports', ({ port }, at) =>
        port === kubeletPort ? [invalid(at, port, `may not expose port ${kubeletPort} externally since it is used by kubelet`)] : [],
      ),
    );
  }
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && headless) {
    errors.push(invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`));
  }
  if (spec.type === 'ExternalName') {
    if (spec.clusterIP || spec.clusterIPs?.length) errors.push(forbidden('spec.clusterIPs', 'may not be set for ExternalName services'));
    if (spec.ipFamilies?.length) errors.push(forbidden('spec.ipFamilies', 'may not be set for ExternalName services'));
    if (spec.ipFamilyPolicy) errors.push(forbidden('spec.ipFamilyPolicy', 'may not be set for ExternalName services'));
    // A name that is asked of DNS may be written with its final dot.
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name) errors.push(...invalids('spec.externalName', name, isDns1123Subdomain(name)));
    else errors.push(required('spec.externalName'));
  }
  if (spec.type === 'ClusterIP' || spec.type === 'ExternalName') {
    errors.push(
      ...eachOf(spec.ports, 'spec.ports', ({ nodePort }, at) =>
        nodePort ? [forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type}'`)] : [],
      ),
    );
  }
  return errors;
}

function portErrors(port: ServicePort, path: string, needsName: boolean): FieldError[] {
  return [
    ...(port.name ? invalids(`${path}.name`, port.name, isDns1123Label(port.name)) : needsName ? [required(`${path}.name`)] : []),
    ...invalids(`${path}.port`, port.port ?? 0, isPort(port.port)),
    ...oneOf(port.protocol, `${path}.protocol`, portProtocols),
    ...portOrNameErrors(port.targetPort, `${path}.targetPort`),
    ...optionalWellFormed(port.appProtocol, `${path}.appProtocol`, isQualifiedName),
  ];
}

/** The same port, or node port, twice for one protocol. */
function portClashes(ports: readonly ServicePort[]): FieldError[] {
  const nodePorts = new Set<string>();
  const own = new Set<string>();
  return eachOf(ports, 'spec.ports', ({ port, protocol, nodePort }, at) => {
    const errors: FieldError[] = [];
    if (nodePort && nodePorts.has(`${protocol} ${nodePort}`)) errors.push(duplicate(`${at}.nodePort`, nodePort));
    if (own.has(`${protocol} ${port}`)) errors.push(duplicate(at, { protocol, port }));
    nodePorts.add(`${protocol} ${nodePort}`);
    own.add(`${protocol} ${port}`);
    return errors;
  });
}

function affinityErrors({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): FieldError[] {
  const errors = oneOf(sessionAffinity, 'spec.sessionAffinity', ['ClientIP', 'None']);
  const path = 'spec.sessionAffinityConfig';
  if (sessionAffinity === 'None' && sessionAffinityConfig) errors.push(forbidden(path, 'must not be set when session affinity is None'));
  if (sessionAffinity !== 'ClientIP') return errors;
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds === undefined) errors.push(required(`${path}.clientIP.timeoutSeconds`, 'when session affinity type is ClientIP'));
  else if (seconds <= 0 || seconds > maxAffinitySeconds) {
    errors.push(invalid(`${path}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`));
  }
  return errors;
}

function addressErrors(spec: ServiceSpec): FieldError[] {
  if (spec.type === 'ExternalName') return [];
  const errors: FieldError[] = [];
  const list = spec.clusterIPs ?? [];
  if (list.length > 0 && !spec.clusterIP) errors.push(forbidden('spec.clusterIPs', 'must be empty when `clusterIP` is not specified'));
  else if (spec.clusterIP && list.length > 0 && list[0] !== spec.clusterIP) {
    errors.push(invalid('spec.clusterIPs', list, 'first value must match `clusterIP`'));
  }
  if (list.length > 2) errors.push(invalid('spec.clusterIPs', list, 'may only hold up to 2 values'));
  for (const [index, ip] of list.entries()) {
    if (ip === 'None') {
      if (list.length > 1) errors.push(invalid(`spec.clusterIPs[${index}]`, ip, "'None' must be the first and only value"));
    } else errors.push(...ipErrors(ip, `spec.clusterIPs[${index}]`));
  }
  if (list.length === 2 && list[0] === list[1]) errors.push(duplicate('spec.clusterIPs[1]', list[1]));
  const wanted = spec.ipFamilies ?? [];
  if (wanted.length > 2) errors.push(tooMany('spec.ipFamilies', wanted.length, 2));
  errors.push(
    ...eachOf(wanted, 'spec.ipFamilies', (family, at) => (families.includes(family) ? [] : [notSupported(at, family, families)])),
  );
  errors.push(...duplicates(wanted, (index) => `spec.ipFamilies[${index}]`));
  if (spec.ipFamilyPolicy !== undefined && !familyPolicies.includes(spec.ipFamilyPolicy)) {
    errors.push(notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, familyPolicies));
  }
  for (const [index, family] of wanted.entries()) {
    const ip = list[index];
    if (!ip || !isIp(ip) || family === (ip.includes(':') ? 'IPv6' : 'IPv4')) continue;
    errors.push(invalid(`spec.clusterIPs[${index}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``));
  }
  return errors;
}

function trafficErrors(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (isExternallyReachable(spec)) errors.push(...oneOf(spec.externalTrafficPolicy, 'spec.externalTrafficPolicy', policies));
  else if (spec.externalTrafficPolicy) {
    errors.push(invalid('spec.externalTrafficPolicy', spec.externalTrafficPolicy, 'may only be set for externally-accessible services'));
  }
  if (spec.healthCheckNodePort && !needsHealthCheckPort(spec)) {
    errors.push(
      invalid(
        'spec.healthCheckNodePort',
        spec.healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  }
  if (needsClusterIp(spec)) errors.push(...oneOf(spec.internalTrafficPolicy, 'spec.internalTrafficPolicy', policies));
  errors.push(...optionalOneOf(spec.trafficDistribution, 'spec.trafficDistribution', ['PreferClose', 'PreferSameNode', 'PreferSameZone']));
  return errors;
}
