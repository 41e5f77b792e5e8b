/** Services. Whether an address or node port is free and in range is checked where the API server allocates them. */
import { familyOf, isIp } from '../../ip/ip.ts';
import { isExternallyReachable, needsClusterIp, needsHealthCheckPort } from '../defaults/service.ts';
import type { Service, ServicePort, ServiceSpec } from '../schema/types.ts';
import {
  atMost,
  duplicate,
  duplicateNames,
  duplicates,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  failing,
  forbidden,
  invalid,
  invalids,
  notSupported,
  oneOf,
  optionalOneOf,
  optionalWellFormed,
  repeats,
  required,
} from './field-error.ts';
import { cidrErrors, ipErrors, portOrNameErrors, portProtocols, reachableIpErrors } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain, isPort, isQualifiedName } from './names.ts';
import { labelErrors } from './object-meta.ts';

const serviceTypes: readonly string[] = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const ipFamilies: readonly string[] = ['IPv4', 'IPv6'];
const familyPolicies: readonly string[] = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const policies: readonly string[] = ['Cluster', 'Local'];
/** Upstream has no limit. Every node has rules for each port. */
const maxPorts = 1000;
/** No limit upstream either: every node has rules for each address with each port. */
const maxExternalIps = 1000;
/** No limit upstream either. Lists of whole countries have some thousands. */
const maxSourceRanges = 10_000;
const maxAffinitySeconds = 86_400;
const policyPath = 'spec.ipFamilyPolicy';
const kubeletPort = 10_250;
const onceSet = 'may not change once set';

export function serviceErrors(service: Service, old?: Service): FieldError[] {
  const { spec } = service;
  if (!spec) return [required('spec.ports')];
  const ports = spec.ports ?? [];
  const tooLong = [
    ...atMost(ports, 'spec.ports', maxPorts),
    ...atMost(spec.externalIPs, 'spec.externalIPs', maxExternalIps),
    ...atMost(spec.loadBalancerSourceRanges, 'spec.loadBalancerSourceRanges', maxSourceRanges),
  ];
  if (tooLong.length > 0) return tooLong;
  const noPorts = ports.length === 0 && spec.clusterIP !== 'None' && spec.type !== 'ExternalName';
  const { healthCheckNodePort } = spec;
  const taken = healthCheckNodePort && ports.some((port) => port.nodePort === healthCheckNodePort);
  return [
    ...failing([[noPorts, () => required('spec.ports')]]),
    ...typeErrors(spec),
    ...eachOf(ports, 'spec.ports', (port, at) => portErrors(port, at, ports.length > 1)),
    ...duplicateNames(ports, 'spec.ports'),
    ...portClashes(ports),
    ...labelErrors(spec.selector, 'spec.selector'),
    ...affinityErrors(spec),
    ...serviceAddressErrors(spec),
    ...eachOf(spec.externalIPs, 'spec.externalIPs', reachableIpErrors),
    ...trafficErrors(spec),
    ...failing([[taken, () => invalid('spec.healthCheckNodePort', healthCheckNodePort, 'provided port is already allocated')]]),
    ...sourceRangeErrors(service, old),
    ...loadBalancerErrors(spec),
  ];
}

const ofLoadBalancers = "may only be used when `type` is 'LoadBalancer'";
const sourceRangesKey = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** The annotation is the older form of the field, and counts where that is empty. */
function sourceRangeErrors({ metadata, spec }: Service, old: Service | undefined): FieldError[] {
  const { loadBalancerSourceRanges: ranges = [], type } = spec ?? {};
  const text = metadata.annotations?.[sourceRangesKey];
  // Upstream writes the field so.
  const path = ranges.length > 0 ? 'spec.LoadBalancerSourceRanges' : `metadata.annotations[${sourceRangesKey}]`;
  if (ranges.length === 0 && text === undefined) return [];
  const isOld = old?.metadata.annotations?.[sourceRangesKey] === text;
  const written = isOld || !text?.trim() ? [] : text.split(',');
  return [
    ...failing([[type !== 'LoadBalancer', () => forbidden(path, ofLoadBalancers)]]),
    ...(ranges.length > 0
      ? eachOf(ranges, path, (range, at) => cidrErrors(range.trim(), at))
      : written.flatMap((range) => cidrErrors(range.trim(), path))),
  ];
}

function loadBalancerErrors(spec: ServiceSpec): FieldError[] {
  const { allocateLoadBalancerNodePorts, loadBalancerClass } = spec;
  const other = spec.type !== 'LoadBalancer';
  const notOf = (key: string): FieldError => forbidden(`spec.${key}`, ofLoadBalancers);
  return [
    ...failing([
      [other && allocateLoadBalancerNodePorts !== undefined, () => notOf('allocateLoadBalancerNodePorts')],
      [other && loadBalancerClass !== undefined, () => notOf('loadBalancerClass')],
    ]),
    ...(other || loadBalancerClass === undefined
      ? []
      : invalids('spec.loadBalancerClass', loadBalancerClass, isQualifiedName(loadBalancerClass))),
  ];
}

export function serviceUpdateErrors(next: Service, old: Service): FieldError[] {
  const [spec, before] = [next.spec, old.spec];
  return [...(spec && before ? [...onceSetErrors(spec, before), ...classErrors(spec, before)] : []), ...serviceErrors(next, old)];
}

/**
 * Cluster addresses and the first IP family cannot change as long as the Service has cluster addresses; the second may come, and go with the
 * policy SingleStack.
 */
function onceSetErrors(spec: ServiceSpec, before: ServiceSpec): FieldError[] {
  if (spec.type === 'ExternalName' || before.type === 'ExternalName') return [];
  const [isHeadless, wasHeadless] = [spec, before].map(({ clusterIPs }) => clusterIPs?.length === 1 && clusterIPs[0] === 'None');
  return [
    ...(isHeadless && wasHeadless ? [] : clusterIpUpdateErrors(spec, before)),
    ...(isHeadless || wasHeadless ? [] : familyUpdateErrors(spec, before)),
    ...failing([
      [
        needsHealthCheckPort(spec) && needsHealthCheckPort(before) && spec.healthCheckNodePort !== before.healthCheckNodePort,
        () => forbidden('spec.healthCheckNodePort', 'field is immutable'),
      ],
    ]),
  ];
}

function clusterIpUpdateErrors(
  { clusterIPs: now = [], ipFamilyPolicy: policy }: ServiceSpec,
  { clusterIPs: was = [] }: ServiceSpec,
): FieldError[] {
  const at = (i: number): string => `spec.clusterIPs[${i}]`;
  if (now.length === was.length) return was.flatMap((ip, i) => (ip === now[i] ? [] : [invalid(at(i), now, onceSet)]));
  const isReduced = now.length < was.length;
  return failing([
    [isReduced && now.length === 0, () => invalid(at(0), now, 'primary clusterIP can not be unset')],
    [was.length > 0 && now.length > 0 && now[0] !== was[0], () => invalid(at(0), now, onceSet)],
    [
      isReduced && now.length === 1 && policy !== 'SingleStack',
      () => invalid(policyPath, policy, "must be set to 'SingleStack' when releasing the secondary clusterIP"),
    ],
  ]);
}

function familyUpdateErrors(
  { ipFamilies: now = [], clusterIPs = [], ipFamilyPolicy: policy }: ServiceSpec,
  { ipFamilies: was = [] }: ServiceSpec,
): FieldError[] {
  const at = 'spec.ipFamilies[0]';
  if (now.length === was.length) return was.flatMap((family, i) => (family === now[i] ? [] : [invalid(at, now, onceSet)]));
  const isReduced = now.length < was.length;
  return failing([
    [isReduced && clusterIPs.length === 0, () => invalid(at, now, 'primary ipFamily can not be unset')],
    // Upstream shows the addresses here.
    [was.length > 0 && now.length > 0 && now[0] !== was[0], () => invalid(at, clusterIPs, onceSet)],
    [
      isReduced && now.length === 1 && policy !== 'SingleStack',
      () => invalid(policyPath, policy, "must be set to 'SingleStack' when releasing the secondary ipFamily"),
    ],
  ]);
}

function classErrors(spec: ServiceSpec, before: ServiceSpec): FieldError[] {
  const { loadBalancerClass: now } = spec;
  const changed = before.type === 'LoadBalancer' && spec.type === 'LoadBalancer' && now !== before.loadBalancerClass;
  return changed ? [invalid('spec.loadBalancerClass', now, onceSet)] : [];
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
  const { type, ports } = spec;
  const outside = type === 'LoadBalancer' || type === 'NodePort';
  const kubelets = `may not expose port ${kubeletPort} externally since it is used by kubelet`;
  return [
    ...oneOf(type, 'spec.type', serviceTypes),
    // A cloud that opens the port of a load balancer on its nodes would expose the kubelet.
    ...eachOf(type === 'LoadBalancer' ? ports : [], 'spec.ports', ({ port }, at) =>
      port === kubeletPort ? [invalid(at, port, kubelets)] : [],
    ),
    ...failing([
      [outside && spec.clusterIP === 'None', () => invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${type} services`)],
    ]),
    ...(type === 'ExternalName' ? externalNameErrors(spec) : []),
    ...eachOf(type === 'ClusterIP' ? ports : [], 'spec.ports', ({ nodePort }, at) =>
      nodePort ? [forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${type}'`)] : [],
    ),
  ];
}

function externalNameErrors(spec: ServiceSpec): FieldError[] {
  const text = 'may not be set for ExternalName services';
  // A name that is asked of DNS may be written with its final dot.
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  return [
    ...failing([
      [spec.clusterIPs?.length, () => forbidden('spec.clusterIPs', text)],
      [spec.ipFamilies?.length, () => forbidden('spec.ipFamilies', text)],
      [spec.ipFamilyPolicy, () => forbidden(policyPath, text)],
    ]),
    ...(name ? invalids('spec.externalName', name, isDns1123Subdomain(name)) : [required('spec.externalName')]),
  ];
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

/** A port or node port that stands twice for one protocol. */
function portClashes(ports: readonly ServicePort[]): FieldError[] {
  const [isRepeatedNodePort, isRepeated] = [repeats<string>(), repeats<string>()];
  return eachOf(ports, 'spec.ports', ({ port, protocol, nodePort }, at) =>
    failing([
      [nodePort && isRepeatedNodePort(`${protocol} ${nodePort}`), () => duplicate(`${at}.nodePort`, nodePort)],
      [isRepeated(`${protocol} ${port}`), () => duplicate(at, { protocol, port })],
    ]),
  );
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

/** What can be said of cluster addresses and families by themselves. Upstream's ValidateServiceClusterIPsRelatedFields. */
export function serviceAddressErrors(spec: ServiceSpec): FieldError[] {
  if (spec.type === 'ExternalName') return [];
  const { clusterIP, clusterIPs: list = [], ipFamilies: wanted = [], ipFamilyPolicy: policy } = spec;
  const path = 'spec.clusterIPs';
  const misplaced = list[0] === 'None' && list.length > 1;
  const ill = eachOf(list, path, (ip, at, i) => (i === 0 && ip === 'None' ? [] : ipErrors(ip, at)));
  return [
    ...failing([
      [clusterIP && list.length === 0, () => required(path)],
      [clusterIP && list.length > 0 && list[0] !== clusterIP, () => invalid(path, list, 'first value must match `clusterIP`')],
      [list.length > 0 && !clusterIP, () => invalid(path, list, 'must be empty when `clusterIP` is not specified')],
    ]),
    ...eachOf(wanted, 'spec.ipFamilies', (family, at) => (ipFamilies.includes(family) ? [] : [notSupported(at, family, ipFamilies)])),
    ...duplicates(wanted, 'spec.ipFamilies'),
    ...failing([
      [policy !== undefined && !familyPolicies.includes(policy), () => notSupported(policyPath, policy, familyPolicies)],
      [misplaced, () => invalid(path, list, "'None' must be the first and only value")],
    ]),
    ...ill,
    ...failing([[list.length > 2, () => invalid(path, list, 'may only hold up to 2 values')]]),
    // Of what is no address nothing else can be said.
    ...(misplaced || ill.length > 0
      ? []
      : [
          ...failing([
            [
              list.length > 1 && new Set(list.map(familyOf)).size < 2,
              () => invalid(path, list, 'may specify no more than one IP for each IP family'),
            ],
          ]),
          ...eachOf(list[0] === 'None' ? [] : list, path, (ip, at, i) => {
            const family = wanted[i];
            return family === undefined || !ipFamilies.includes(family) || family === `IPv${familyOf(ip)}`
              ? []
              : [invalid(at, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``)];
          }),
        ]),
  ];
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
