/** networking.k8s.io/v1: NetworkPolicies, Ingresses and their classes, IPAddresses, ServiceCIDRs. */

import { cidrContains, isIp, parseCidr, parseIp } from '../../ip/ip.ts';
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IngressClassParametersReference,
  IPAddress,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  ServiceCIDR,
  TypedLocalObjectReference,
} from '../schema/types.ts';
import {
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
  required,
  tooLong,
  wellFormed,
} from './field-error.ts';
import { cidrErrors, domainPathErrors, invalidCidr, invalidIp, portOrNameErrors, portProtocols, selectorErrors } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain, isPort, isValidPortName, isWildcardDns1123Subdomain, nameIsPathSegment } from './names.ts';
import { immutable } from './object-meta.ts';

const maxControllerBytes = 250;
const pathTypes: readonly string[] = ['Exact', 'ImplementationSpecific', 'Prefix'];

export function networkPolicyErrors({ spec }: NetworkPolicy): FieldError[] {
  const { policyTypes = [] } = spec ?? {};
  return [
    ...selectorErrors(spec?.podSelector, 'spec.podSelector'),
    ...eachOf(spec?.ingress, 'spec.ingress', ({ ports, from }, at) => [
      ...eachOf(ports, `${at}.ports`, policyPortErrors),
      ...eachOf(from, `${at}.from`, peerErrors),
    ]),
    ...eachOf(spec?.egress, 'spec.egress', ({ ports, to }, at) => [
      ...eachOf(ports, `${at}.ports`, policyPortErrors),
      ...eachOf(to, `${at}.to`, peerErrors),
    ]),
    ...failing([[policyTypes.length > 2, () => invalid('spec.policyTypes', policyTypes, 'may not specify more than two policyTypes')]]),
    ...eachOf(policyTypes, 'spec.policyTypes', (type, at) => optionalOneOf(type, at, ['Ingress', 'Egress'])),
  ];
}

function policyPortErrors({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldError[] {
  const errors =
    protocol === '' ? [notSupported(`${path}.protocol`, '', portProtocols)] : oneOf(protocol, `${path}.protocol`, portProtocols);
  if (port !== undefined) errors.push(...portOrNameErrors(port, `${path}.port`));
  if (endPort === undefined) return errors;
  if (port === undefined) errors.push(required(`${path}.port`, 'must be specified when `endPort` is specified'));
  else if (typeof port === 'string') errors.push(invalid(`${path}.endPort`, endPort, 'may not be specified when `port` is non-numeric'));
  else if (endPort < port) errors.push(invalid(`${path}.endPort`, endPort, 'must be greater than or equal to `port`'));
  return [...errors, ...invalids(`${path}.endPort`, endPort, isPort(endPort))];
}

function peerErrors({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, path: string): FieldError[] {
  if (!podSelector && !namespaceSelector && !ipBlock) return [required(path, 'must specify a peer')];
  const errors = [...selectorErrors(podSelector, `${path}.podSelector`), ...selectorErrors(namespaceSelector, `${path}.namespaceSelector`)];
  if (!ipBlock) return errors;
  if (podSelector || namespaceSelector) errors.push(forbidden(path, 'may not specify both ipBlock and another peer'));
  if (!ipBlock.cidr) return [...errors, required(`${path}.ipBlock.cidr`)];
  errors.push(...cidrErrors(ipBlock.cidr, `${path}.ipBlock.cidr`));
  const outer = parseCidr(ipBlock.cidr);
  return [
    ...errors,
    ...eachOf(ipBlock.except, `${path}.ipBlock.except`, (text, at) => {
      const inner = parseCidr(text);
      if (!inner) return cidrErrors(text, at);
      const inside = outer && cidrContains(outer, text.split('/')[0]!) && Number(text.split('/')[1]) > Number(ipBlock.cidr.split('/')[1]);
      return inside ? [] : [invalid(at, text, 'must be a strict subset of `cidr`')];
    }),
  ];
}

export function ingressErrors({ spec }: Ingress): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec?.rules?.length && !spec?.defaultBackend)
    errors.push(invalid('spec', spec?.rules ?? [], 'either `defaultBackend` or `rules` must be specified'));
  if (spec?.defaultBackend) errors.push(...backendErrors(spec.defaultBackend, 'spec.defaultBackend'));
  if (spec?.ingressClassName !== undefined)
    errors.push(...invalids('spec.ingressClassName', spec.ingressClassName, isDns1123Subdomain(spec.ingressClassName)));
  return [
    ...errors,
    ...eachOf(spec?.tls, 'spec.tls', ({ hosts, secretName }, at) => [
      ...eachOf(hosts, `${at}.hosts`, (host, hostAt) => invalids(hostAt, host, hostForm(host))),
      ...emptyOrWellFormed(secretName, `${at}.secretName`, isDns1123Subdomain),
    ]),
    ...eachOf(spec?.rules, 'spec.rules', ({ host, http }, at) => [
      ...(host ? hostErrors(host, `${at}.host`) : []),
      ...(http && !http.paths?.length ? [required(`${at}.http.paths`)] : []),
      ...eachOf(http?.paths, `${at}.http.paths`, pathErrors),
    ]),
  ];
}

function pathErrors({ path, pathType, backend }: HTTPIngressPath, at: string): FieldError[] {
  const type = !pathType
    ? [required(`${at}.pathType`, 'pathType must be specified')]
    : pathTypes.includes(pathType)
      ? urlPathErrors(path, pathType, `${at}.path`)
      : [notSupported(`${at}.pathType`, pathType, pathTypes)];
  return [...type, ...(backend ? backendErrors(backend, `${at}.backend`) : [required(`${at}.backend`)])];
}

function urlPathErrors(path: string | undefined, pathType: string, at: string): FieldError[] {
  const free = pathType === 'ImplementationSpecific';
  if (free && !path) return [];
  const bad = free ? [] : ['//', '/./', '/../', '%2f', '%2F'].filter((part) => path?.includes(part));
  return [
    ...failing([[!path?.startsWith('/'), () => invalid(at, path ?? '', 'must be an absolute path')]]),
    ...bad.map((part) => invalid(at, path, `must not contain '${part}'`)),
  ];
}

function backendErrors({ service, resource }: IngressBackend, path: string): FieldError[] {
  if (service && resource) return [invalid(path, '', 'cannot set both resource and service backends')];
  if (resource) return referenceErrors(resource, `${path}.resource`);
  if (!service?.name) return [required(`${path}.service.name`)];
  const errors = invalids(`${path}.service.name`, service.name, isDns1123Label(service.name));
  const { name, number } = service.port ?? {};
  if (name && number) return [...errors, invalid(path, '', 'cannot set both port name & port number')];
  if (name) return [...errors, ...invalids(`${path}.service.port.name`, name, isValidPortName(name))];
  if (number) return [...errors, ...invalids(`${path}.service.port.number`, number, isPort(number))];
  return [...errors, required(path, 'port name or number is required')];
}

function hostErrors(host: string, path: string): FieldError[] {
  if (isIp(host)) return [invalid(path, host, 'must be a DNS name, not an IP address')];
  return invalids(path, host, hostForm(host));
}

function hostForm(host: string): string[] {
  return host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host);
}

export function ingressClassErrors({ spec }: IngressClass): FieldError[] {
  const { controller, parameters } = spec ?? {};
  const errors = parameters ? parametersErrors(parameters, 'spec.parameters') : [];
  if (Buffer.byteLength(controller ?? '') > maxControllerBytes) errors.push(tooLong('spec.controller', maxControllerBytes));
  return [...domainPathErrors(controller, 'spec.controller'), ...errors];
}

function parametersErrors(parameters: IngressClassParametersReference, path: string): FieldError[] {
  const { scope, namespace } = parameters;
  const errors = referenceErrors(parameters, path);
  const at = `${path}.namespace`;
  if (scope === undefined) return [...errors, required(`${path}.scope`)];
  if (scope !== 'Cluster' && scope !== 'Namespace') return [...errors, notSupported(`${path}.scope`, scope, ['Cluster', 'Namespace'])];
  if (scope === 'Cluster') {
    return namespace === undefined ? errors : [...errors, forbidden(at, "`parameters.scope` is set to 'Cluster'")];
  }
  if (namespace === undefined) return [...errors, required(at, "`parameters.scope` is set to 'Namespace'")];
  return [...errors, ...invalids(at, namespace, isDns1123Label(namespace))];
}

/** A reference to an object of any kind. */
function referenceErrors({ apiGroup, kind, name }: TypedLocalObjectReference, path: string): FieldError[] {
  return [
    ...optionalWellFormed(apiGroup, `${path}.apiGroup`, isDns1123Subdomain),
    ...Object.entries({ kind, name }).flatMap(([key, value]) => wellFormed(value, `${path}.${key}`, nameIsPathSegment)),
  ];
}

/** The name of an IPAddress is the address itself, in canonical form, so that no two objects stand for one address. */
export function nameIsIp(name: string): string[] {
  const canonical = parseIp(name);
  if (canonical === undefined) return [invalidIp];
  return canonical === name ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
}

export function ipAddressErrors({ spec }: IPAddress): FieldError[] {
  const path = 'spec.parentRef';
  const ref = spec?.parentRef;
  if (!ref) return [required(path)];
  return [
    ...emptyOrWellFormed(ref.group, `${path}.group`, isDns1123Subdomain),
    ...Object.entries({ resource: ref.resource, name: ref.name }).flatMap(([key, value]) =>
      wellFormed(value, `${path}.${key}`, nameIsPathSegment),
    ),
    ...emptyOrWellFormed(ref.namespace, `${path}.namespace`, nameIsPathSegment),
  ];
}

export function serviceCidrErrors({ spec }: ServiceCIDR): FieldError[] {
  const cidrs = spec?.cidrs ?? [];
  if (cidrs.length === 0) return [required('spec.cidrs', 'at least one CIDR required')];
  if (cidrs.length > 2) return [invalid('spec.cidrs', cidrs, 'may only hold up to 2 values')];
  const parsed = cidrs.map(parseCidr);
  const errors = eachOf(cidrs, 'spec.cidrs', (text, at) => (parseCidr(text)?.text === text ? [] : [invalid(at, text, invalidCidr)]));
  if (parsed.length === 2 && parsed[0]?.family === parsed[1]?.family && parsed[0]) {
    const why = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
    errors.push(invalid('spec.cidrs', cidrs, why));
  }
  return errors;
}

/** The only change allowed is to add a range of the other IP family. */
export function serviceCidrUpdateErrors(next: ServiceCIDR, old: ServiceCIDR): FieldError[] {
  const [before = [], after = []] = [old.spec?.cidrs, next.spec?.cidrs];
  if (before.length === 1 && after.length === 2) return [...immutable(after[0], before[0], 'spec.cidrs[0]'), ...serviceCidrErrors(next)];
  return immutable(after, before, 'spec.cidrs');
}
