/** ClusterIPs: which Service has which address of the ranges. Messages are upstream's. */
import { needsClusterIp } from '../../api/defaults/service.ts';
import { type IpFamily, ipFamilyOf } from '../../api/defaults/service-families.ts';
import { ipAddresses } from '../../api/resource-types.ts';
import type { IPAddress, Service, ServiceSpec } from '../../api/schema/types.ts';
import { type FieldError, invalid } from '../../api/validation/field-error.ts';
import { parseIp } from '../../ip/ip.ts';
import type { Lookup } from '../cache/lookup.ts';
import { internalError } from '../status/status-error.ts';
import { isOfService } from './ip-address.ts';
import type { NumberPool, Place } from './number-pool.ts';
import { ServiceRanges } from './service-ranges.ts';

/** The ranges of one family, and what is taken of them. */
interface Addresses {
  readonly ranges: ServiceRanges;
  readonly pool: NumberPool;
}

export class ServiceAddresses {
  readonly #families: ReadonlyMap<IpFamily, Addresses>;

  /** Follows ServiceCIDRs and IPAddresses from the call on; `serviceCidrs` is a range, or one of each family. ServiceCIDRs add to them. */
  constructor(serviceCidrs: readonly string[], newPool: () => NumberPool, lookup: Lookup) {
    const openRange = (cidr: string): readonly [IpFamily, Addresses] => [
      ipFamilyOf(cidr),
      { ranges: new ServiceRanges(cidr, lookup), pool: newPool() },
    ];
    this.#families = new Map(serviceCidrs.map(openRange));
    lookup.follow(ipAddresses, {
      put: (object) => {
        for (const { pool, number } of this.#reserved(object)) pool.hold(number, `ipaddress ${object.metadata.name}`);
      },
      delete: (object) => {
        for (const { pool, number } of this.#reserved(object)) pool.drop(number, `ipaddress ${object.metadata.name}`);
      },
    });
  }

  /** Those of which there are addresses. A Service that names none gets one of the first. */
  get families(): readonly IpFamily[] {
    return [...this.#families.keys()];
  }

  get pools(): readonly NumberPool[] {
    return [...this.#families.values()].map(({ pool }) => pool);
  }

  /** The addresses that a Service has or asks for, written in the one canonical way. */
  idsOf({ spec = {} }: Service): string[] {
    return needsClusterIp(spec) ? (spec.clusterIPs ?? []).flatMap((ip) => parseIp(ip) ?? []) : [];
  }

  /** Undefined for what cannot be in any range. */
  placeOf(ip: string): Place | undefined {
    const own = this.#families.get(ipFamilyOf(ip));
    const number = own?.ranges.numberOf(ip);
    return own && number !== undefined ? { pool: own.pool, number } : undefined;
  }

  /** What a stored Service has. */
  heldBy({ spec = {} }: Service): Place[] {
    return needsClusterIp(spec) ? this.#placesOf(spec.clusterIPs ?? []) : [];
  }

  /**
   * Takes an address of each family of the Service, those that it asks for or any, and writes them into the spec. What it had `before` it keeps,
   * even where it is of no range any more. Returns what is wrong.
   */
  allocate(spec: ServiceSpec, owner: string, before: ServiceSpec = {}): FieldError[] {
    // An alias that was a Service before may have kept another address, of no meaning; upstream then shows it twice.
    if (!needsClusterIp(spec) && spec.clusterIP) spec.clusterIPs ??= [spec.clusterIP];
    if (!needsClusterIp(spec) || spec.clusterIP === 'None') return [];
    const had = needsClusterIp(before) ? (before.clusterIPs ?? []) : [];
    const asked = (spec.ipFamilies ?? []).map((_, i) => spec.clusterIPs?.[i] ?? '');
    const given: string[] = [];
    for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
      const ip = asked[i]!;
      const why = ip && !had.includes(ip) ? this.#take(ip, owner) : undefined;
      if (why) return [invalid('spec.clusterIPs', asked, why)];
      given.push(ip || this.#takeAny(family as IpFamily, owner));
    }
    [spec.clusterIP] = given;
    spec.clusterIPs = given;
    return [];
  }

  /** Why the address cannot be had. */
  #take(ip: string, owner: string): string | undefined {
    const own = this.#families.get(ipFamilyOf(ip));
    const number = own?.ranges.numberOf(ip);
    const range = own?.ranges.rangeOf(ip);
    if (!own || number === undefined || !range) {
      const current = own ? ` ${own.ranges.text}` : '';
      return `failed to allocate IP ${ip}: the provided network does not match the current range${current}`;
    }
    if (!own.ranges.contains(ip))
      return `failed to allocate IP ${ip}: the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${range}`;
    return own.pool.take(number, owner) ? undefined : `failed to allocate IP ${ip}: provided IP is already allocated`;
  }

  #takeAny(family: IpFamily, owner: string): string {
    const { ranges, pool } = this.#families.get(family)!;
    for (const band of ranges.bands) {
      const number = pool.takeAny(band, owner);
      if (number !== undefined) return ranges.addressOf(number);
    }
    throw internalError(`failed to allocate a serviceIP: range is full (${ranges.text})`);
  }

  /** An address that somebody keeps for something else; those of Services are only the shadow of the Services. */
  #reserved({ metadata }: IPAddress): Place[] {
    return isOfService(metadata) ? [] : this.#placesOf([metadata.name]);
  }

  #placesOf(ips: readonly string[]): Place[] {
    return ips.flatMap((ip) => this.placeOf(ip) ?? []);
  }
}
