/**
 * The IP families of Services, as upstream's initIPFamilyFields (pkg/registry/core/service/storage/alloc.go). They depend on the ranges of the
 * cluster, so it is the API server that asks, not the row of Services. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { familyOf } from '../../ip/ip.ts';
import type { ServiceSpec } from '../schema/types.ts';
import { eachOf, type FieldError, failing, invalid } from '../validation/field-error.ts';
import { serviceAddressErrors } from '../validation/service.ts';
import { needsClusterIp } from './service.ts';

export type IpFamily = 'IPv4' | 'IPv6';

const policyPath = 'spec.ipFamilyPolicy';

/**
 * Writes the policy and the families of a Service with cluster addresses or None. `cluster` are the families of the ranges for cluster
 * addresses, that of the first range first. Returns why it cannot be.
 */
export function defaultFamilies(spec: ServiceSpec, before: ServiceSpec | undefined, cluster: readonly IpFamily[]): FieldError[] {
  if (!needsClusterIp(spec) || (before && prefersWhatItHas(spec, before))) return [];
  spec.ipFamilyPolicy ??= before?.ipFamilyPolicy ?? (isOfAnyFamily(spec) ? 'RequireDualStack' : 'SingleStack');
  const malformed = serviceAddressErrors(spec);
  if (malformed.length > 0) return malformed;
  if (before && spec.ipFamilyPolicy === 'SingleStack') keepFirst(spec, before);
  const refused = [...releaseErrors(spec, before), ...severalErrors(spec), ...takeThoseOfAddresses(spec, cluster)];
  if (refused.length > 0) return refused;
  // Somebody else writes its endpoints, which may be of a family that the cluster has no range of.
  const known = isOfAnyFamily(spec) ? (['IPv4', 'IPv6'] as const) : cluster;
  const unknown = unknownErrors(spec, known);
  if (unknown.length === 0) fillIn(spec, cluster, known);
  return unknown;
}

function fillIn(spec: ServiceSpec, [primary = 'IPv4']: readonly IpFamily[], known: readonly IpFamily[]): void {
  const asked = spec.ipFamilies?.length ? spec.ipFamilies : [primary];
  const other = known.find((family) => family !== asked[0]);
  const addsOther = spec.ipFamilyPolicy !== 'SingleStack' && asked.length === 1 && other !== undefined;
  spec.ipFamilies = addsOther ? [...asked, other] : asked;
}

export function ipFamilyOf(ip: string): IpFamily {
  return `IPv${familyOf(ip)}`;
}

/** A headless Service without selector: nobody knows of which family the endpoints are that somebody else writes. */
function isOfAnyFamily({ clusterIP, selector = {} }: ServiceSpec): boolean {
  return clusterIP === 'None' && Object.keys(selector).length === 0;
}

/** A cluster that becomes dual-stack, or no longer is, changes no Service that is left as it is. */
function prefersWhatItHas(spec: ServiceSpec, before: ServiceSpec): boolean {
  const prefers = [spec.ipFamilyPolicy, before.ipFamilyPolicy ?? 'PreferDualStack'].every((policy) => policy === 'PreferDualStack');
  return prefers && spec.type === before.type && isSame('clusterIPs', spec, before) && isSame('ipFamilies', spec, before);
}

/** Who asks for one family and leaves the lists alone means the first. */
function keepFirst(spec: ServiceSpec, before: ServiceSpec): void {
  if (isSame('clusterIPs', spec, before)) spec.clusterIPs &&= spec.clusterIPs.slice(0, 1);
  if (isSame('ipFamilies', spec, before)) spec.ipFamilies &&= spec.ipFamilies.slice(0, 1);
}

function releaseErrors({ ipFamilyPolicy, ...spec }: ServiceSpec, before: ServiceSpec = {}): FieldError[] {
  const isReduced = (key: 'clusterIPs' | 'ipFamilies'): boolean =>
    ipFamilyPolicy !== 'SingleStack' && (spec[key]?.length ?? 0) > 0 && spec[key]!.length < (before[key]?.length ?? 0);
  const release = (what: string): FieldError =>
    invalid(policyPath, ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
  return failing([
    [isReduced('clusterIPs'), () => release('cluster IP')],
    [isReduced('ipFamilies'), () => release('IP family')],
  ]);
}

function severalErrors({ ipFamilyPolicy: policy, clusterIPs = [], ipFamilies = [] }: ServiceSpec): FieldError[] {
  const several = (what: string): FieldError =>
    invalid(policyPath, policy, `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`);
  return failing([
    [policy === 'SingleStack' && clusterIPs.length === 2, () => several('cluster IPs')],
    [policy === 'SingleStack' && ipFamilies.length === 2, () => several('IP families')],
  ]);
}

/** The families of addresses that are asked for by number need not be named. */
function takeThoseOfAddresses(spec: ServiceSpec, cluster: readonly IpFamily[]): FieldError[] {
  const { clusterIPs = [] } = spec;
  return eachOf(clusterIPs[0] === 'None' ? [] : clusterIPs, 'spec.clusterIPs', (ip, at, i) => {
    const family = ipFamilyOf(ip);
    if (i < (spec.ipFamilies?.length ?? 0)) return [];
    if (!cluster.includes(family)) return [invalid(at, clusterIPs, `${family} is not configured on this cluster`)];
    spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
    return [];
  });
}

function unknownErrors({ ipFamilyPolicy: policy, ipFamilies }: ServiceSpec, known: readonly IpFamily[]): FieldError[] {
  const isDual = known.length > 1;
  return [
    ...failing([
      [
        policy === 'RequireDualStack' && !isDual,
        () => invalid(policyPath, policy, 'this cluster is not configured for dual-stack services'),
      ],
    ]),
    ...eachOf(ipFamilies, 'spec.ipFamilies', (family, at) =>
      known.some((one) => one === family) ? [] : [invalid(at, family, 'not configured on this cluster')],
    ),
  ];
}

function isSame(key: 'clusterIPs' | 'ipFamilies', one: ServiceSpec, other: ServiceSpec): boolean {
  return isDeepStrictEqual(one[key] ?? [], other[key] ?? []);
}
