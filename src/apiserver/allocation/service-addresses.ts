/** ClusterIPs: which Service has which address of the ranges. Messages are upstream's. */
import { isOfAnyFamily, needsClusterIp } from '../../api/defaults/service.ts';
import { ipAddresses } from '../../api/resource-types.ts';
import type { IPAddress, Service, ServiceSpec } from '../../api/schema/types.ts';
import { eachOf, type FieldError, failing, invalid } from '../../api/validation/field-error.ts';
import { isIp, parseIp } from '../../ip/ip.ts';
import type { Lookup } from '../cache/lookup.ts';
import { internalError } from '../status/status-error.ts';
import { isOfService } from './ip-address.ts';
import type { NumberPool } from './number-pool.ts';
import { ServiceRanges } from './service-ranges.ts';

export class ServiceAddresses {
  readonly #ranges: ServiceRanges;
  readonly #pool: NumberPool;

  /** Follows ServiceCIDRs and IPAddresses from the call on; `serviceCidr` is one range of either family, ServiceCIDRs add to it. */
  constructor(serviceCidr: string, pool: NumberPool, lookup: Lookup) {
    this.#ranges = new ServiceRanges(serviceCidr, lookup);
    this.#pool = pool;
    lookup.follow(ipAddresses, {
      put: (object) => {
        for (const one of this.#reserved(object)) pool.hold(one, `ipaddress ${object.metadata.name}`);
      },
      delete: (object) => {
        for (const one of this.#reserved(object)) pool.drop(one, `ipaddress ${object.metadata.name}`);
      },
    });
  }

  /** The addresses that a Service has or asks for, written in the one canonical way. */
  idsOf({ spec = {} }: Service): string[] {
    return needsClusterIp(spec) ? (spec.clusterIPs ?? []).flatMap((ip) => parseIp(ip) ?? []) : [];
  }

  /** Undefined for what cannot be in any range. */
  numberOf(ip: string): number | undefined {
    return this.#ranges.numberOf(ip);
  }

  /** What a stored Service has, as numbers of the pool. */
  heldBy({ spec = {} }: Service): number[] {
    return needsClusterIp(spec) ? this.#numbersOf(spec.clusterIPs ?? []) : [];
  }

  /** Takes the addresses that are asked for, or any, and writes them into the spec. Returns what is wrong. */
  allocate(spec: ServiceSpec, owner: string): FieldError[] {
    if (!needsClusterIp(spec)) return [];
    const errors = isOfAnyFamily(spec) ? [] : this.#familyErrors(spec);
    if (errors.length > 0 || spec.clusterIP === 'None') return errors;
    const asked = spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : [];
    if (asked.length === 0) return this.#allocateAny(spec, owner);
    for (const ip of asked) {
      const why = this.#take(ip, owner);
      if (why) return [invalid('spec.clusterIPs', asked, why)];
    }
    spec.clusterIP = asked[0]!;
    spec.clusterIPs = [...asked];
    return [];
  }

  #familyErrors({ ipFamilies, ipFamilyPolicy: policy, clusterIPs = [] }: ServiceSpec): FieldError[] {
    const own = `IPv${this.#ranges.family}`;
    return [
      ...failing([
        [
          policy === 'RequireDualStack',
          () => invalid('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services'),
        ],
      ]),
      ...eachOf(ipFamilies, 'spec.ipFamilies', (family, at, i) => {
        if (family === own) return [];
        if (!isIp(clusterIPs[i] ?? '')) return [invalid(at, family, 'not configured on this cluster')];
        return [invalid(`spec.clusterIPs[${i}]`, clusterIPs, `${family} is not configured on this cluster`)];
      }),
    ];
  }

  /** Why the address cannot be had. */
  #take(ip: string, owner: string): string | undefined {
    if (!isIp(ip)) return 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
    const number = this.#ranges.numberOf(ip);
    if (number === undefined || !this.#ranges.contains(ip))
      return `failed to allocate IP ${ip}: the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${this.#ranges.text}`;
    return this.#pool.take(number, owner) ? undefined : `failed to allocate IP ${ip}: provided IP is already allocated`;
  }

  #allocateAny(spec: ServiceSpec, owner: string): FieldError[] {
    const { bands, text } = this.#ranges;
    for (const band of bands) {
      const number = this.#pool.takeAny(band, owner);
      if (number === undefined) continue;
      spec.clusterIP = this.#ranges.addressOf(number);
      spec.clusterIPs = [spec.clusterIP];
      return [];
    }
    throw internalError(`failed to allocate a serviceIP: range is full (${text})`);
  }

  /** An address that somebody keeps for something else; those of Services are only the shadow of the Services. */
  #reserved({ metadata }: IPAddress): number[] {
    return isOfService(metadata) ? [] : this.#numbersOf([metadata.name]);
  }

  #numbersOf(ips: readonly string[]): number[] {
    return ips.flatMap((ip) => this.#ranges.numberOf(ip) ?? []);
  }
}
