/** Tables of Services, their endpoints, ingresses and policies. */
import { joinHostPort } from '../../ip/ip.ts';
import type { Columns } from '../registry/resource-row.ts';
import type { EndpointSlice, Endpoints, Ingress, IngressClass, IPAddress, NetworkPolicy, Service, ServiceCIDR } from '../schema/types.ts';
import { formatLabelSelector } from '../selector/label.ts';
import { annotationIngressClass } from '../well-known.ts';
import { age, column, columnsOf, labelsText, wide } from './columns.ts';

/** How many addresses or ports a cell lists. */
const shown = 3;

export const serviceColumns: Columns<Service> = columnsOf<Service>([
  column('Type', ({ spec }) => spec?.type ?? '', { description: 'How the Service is reached' }),
  column('Cluster-IP', ({ spec }) => spec?.clusterIPs?.[0] || spec?.clusterIP || '<none>', { description: 'Address inside the cluster' }),
  column('External-IP', externalText, { description: 'Addresses outside the cluster' }),
  column('Port(s)', portsText, { description: 'Ports, with the node port behind a colon' }),
  age(),
  wide('Selector', ({ spec }) => labelsText(spec?.selector)),
]);

export const endpointsColumns: Columns<Endpoints> = columnsOf<Endpoints>([
  column('Endpoints', ({ subsets }) => {
    const list = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
      // A headless Service may have no ports.
      ports.length === 0 ? addresses.map(({ ip }) => ip) : ports.flatMap(({ port }) => addresses.map(({ ip }) => joinHostPort(ip, port))),
    );
    return list.length === 0 ? '<none>' : someOf(list);
  }),
  age(),
]);

export const endpointSliceColumns: Columns<EndpointSlice> = columnsOf<EndpointSlice>([
  column('AddressType', (slice) => slice.addressType),
  column('Ports', ({ ports }) => someOf((ports ?? []).map(({ port }) => (port === undefined ? '*' : String(port)))) || '<unset>'),
  column('Endpoints', ({ endpoints }) => someOf((endpoints ?? []).flatMap(({ addresses }) => addresses)) || '<unset>'),
  age(),
]);

export const ingressColumns: Columns<Ingress> = columnsOf<Ingress>([
  column('Class', ({ spec, metadata }) => spec?.ingressClassName ?? metadata.annotations?.[annotationIngressClass] ?? '<none>'),
  column('Hosts', ({ spec }) => someOf((spec?.rules ?? []).flatMap(({ host }) => (host ? [host] : []))) || '*'),
  column('Address', ({ status }) => balancerText(status?.loadBalancer?.ingress ?? [])),
  column('Ports', ({ spec }) => (spec?.tls?.length ? '80, 443' : '80')),
  age(),
]);

export const ingressClassColumns: Columns<IngressClass> = columnsOf<IngressClass>([
  column('Controller', ({ spec }) => spec?.controller ?? ''),
  column('Parameters', ({ spec }) => {
    const { parameters } = spec ?? {};
    if (!parameters) return '<none>';
    return `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ''}/${parameters.name}`;
  }),
  age(),
]);

export const networkPolicyColumns: Columns<NetworkPolicy> = columnsOf<NetworkPolicy>([
  column('Pod-Selector', ({ spec }) => formatLabelSelector(spec?.podSelector) || '<none>'),
  age(),
]);

export const serviceCidrColumns: Columns<ServiceCIDR> = columnsOf<ServiceCIDR>([
  column('CIDRs', ({ spec }) => (spec?.cidrs ?? []).join(',')),
  age(),
]);

export const ipAddressColumns: Columns<IPAddress> = columnsOf<IPAddress>([
  column('ParentRef', ({ spec }) => {
    const ref = spec?.parentRef;
    if (!ref) return '';
    const resource = ref.group ? `${ref.resource}.${ref.group}` : ref.resource;
    return [resource, ref.namespace, ref.name].filter(Boolean).join('/');
  }),
  age(),
]);

function externalText({ spec, status }: Service): string {
  const external = spec?.externalIPs ?? [];
  if (spec?.type === 'ExternalName') return spec.externalName ?? '';
  if (spec?.type !== 'LoadBalancer') return external.join(',') || '<none>';
  const balancers = balancerText(status?.loadBalancer?.ingress ?? []);
  return [...(balancers ? [balancers] : []), ...external].join(',') || '<pending>';
}

function balancerText(ingress: readonly { readonly ip?: string | undefined; readonly hostname?: string | undefined }[]): string {
  return [...new Set(ingress.flatMap(({ ip, hostname }) => ip || hostname || []))].sort().join(',');
}

function portsText({ spec }: Service): string {
  const list = (spec?.ports ?? []).map(({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol ?? 'TCP'}`);
  return list.join(',') || '<none>';
}

/** The first three, and how many more. */
function someOf(list: readonly string[]): string {
  const text = list.slice(0, shown).join(',');
  return list.length > shown ? `${text} + ${list.length - shown} more...` : text;
}
