/** What a Service asks for, in its fields and in MetalLB's annotations: pure. */
import { objectKey } from '../../api/object-key.ts';
import type { Namespace, Service } from '../../api/schema/types.ts';
import { type Family, familyOf, parseIp } from '../../ip/ip.ts';
import type { Claim } from './address-book.ts';
import type { AddressRequest } from './allocate.ts';

/** MetalLB's annotations, under the name that they have and the one that they had before version 0.13. */
const prefixes = ['metallb.io', 'metallb.universe.tf'] as const;

function annotationOf({ metadata }: Service, name: string): string | undefined {
  return prefixes.map((prefix) => metadata.annotations?.[`${prefix}/${name}`]).find((value) => value !== undefined && value !== '');
}

/** What the Service asks for, or what is wrong with it. */
export function addressRequest(service: Service, namespace: Namespace | undefined): AddressRequest | { readonly why: string } {
  const { spec, metadata } = service;
  const text = annotationOf(service, 'loadBalancerIPs');
  if (text !== undefined && spec?.loadBalancerIP) return { why: 'both spec.loadBalancerIP and annotation loadBalancerIPs are set' };
  const words = (text ?? spec?.loadBalancerIP ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
  const wanted = words.map(parseIp);
  const unreadable = wanted.indexOf(undefined);
  if (unreadable >= 0) return { why: `invalid requested address "${words[unreadable]}"` };
  return {
    service: objectKey(service),
    families: familiesOf(service),
    mayLackSecond: spec?.ipFamilyPolicy === 'PreferDualStack',
    wanted: wanted.filter((ip) => ip !== undefined),
    pool: annotationOf(service, 'address-pool'),
    namespaceLabels: namespace?.metadata.labels ?? {},
    labels: metadata.labels ?? {},
    claim: claimOf(service),
  };
}

function familiesOf({ spec }: Service): Family[] {
  const named = (spec?.ipFamilies ?? []).map((family): Family => (family === 'IPv6' ? 6 : 4));
  if (named.length > 0) return named;
  const clusterIps = (spec?.clusterIPs ?? []).filter((ip) => ip !== 'None').map(familyOf);
  return clusterIps.length > 0 ? clusterIps : [4];
}

export function claimOf(service: Service): Claim {
  const { ports = [], externalTrafficPolicy, selector = {} } = service.spec ?? {};
  const pairs = Object.entries(selector).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    ports: ports.map(({ protocol = 'TCP', port }) => `${protocol}/${port}`),
    sharingKey: annotationOf(service, 'allow-shared-ip') ?? '',
    backendKey: externalTrafficPolicy === 'Local' ? pairs.map(([key, value]) => `${key}=${value}`).join(',') : '',
  };
}
