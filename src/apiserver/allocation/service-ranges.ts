/** The ranges of ClusterIPs: the server's own, and those of the ServiceCIDRs that are ready (KEP-1880). */
import { serviceCidrs } from '../../api/resource-types.ts';
import type { ServiceCIDR } from '../../api/schema/types.ts';
import { bigIntToIp, type Cidr, cidrContains, type Family, familyOf, ipToBigInt, isIp, mustCidr, parseCidr } from '../../ip/ip.ts';
import type { Lookup } from '../cache/lookup.ts';
import { type Band, inBand } from './number-pool.ts';

interface Range {
  readonly cidr: Cidr;
  readonly band: Band;
}

export class ServiceRanges {
  readonly #main: Range;
  /** By the name of their ServiceCIDR. */
  readonly #added = new Map<string, readonly Range[]>();

  /** Follows the cache from the call on. All ranges are of the family of `serviceCidr`. */
  constructor(serviceCidr: string, lookup: Lookup) {
    const cidr = mustCidr(serviceCidr);
    this.#main = { cidr, band: bandOf(cidr, cidr) };
    lookup.follow(serviceCidrs, { put: (object) => this.#put(object), delete: ({ metadata }) => this.#added.delete(metadata.name) });
  }

  get family(): Family {
    return this.#main.cidr.family;
  }

  /** The one to take from first comes first. */
  get bands(): readonly Band[] {
    return [this.#main, ...this.#others()].map((range) => range.band);
  }

  /** For messages. */
  get text(): string {
    return [this.#main, ...this.#others()].map((range) => range.cidr.text).join(', ');
  }

  contains(ip: string): boolean {
    const number = this.numberOf(ip);
    return number !== undefined && this.#ranges(ip).some(({ band }) => inBand(band, number));
  }

  /** Undefined for what cannot be in any range. */
  numberOf(ip: string): number | undefined {
    if (!isIp(ip) || familyOf(ip) !== this.family) return undefined;
    const number = numberOf(ipToBigInt(ip), this.#main.cidr);
    return Number.isSafeInteger(number) ? number : undefined;
  }

  /** The range that an address is of; not all of its addresses are given out. */
  rangeOf(ip: string): string | undefined {
    return this.#ranges(ip)[0]?.cidr.text;
  }

  addressOf(number: number): string {
    return bigIntToIp(BigInt(number) + this.#main.cidr.first, this.family);
  }

  #ranges(ip: string): Range[] {
    return [this.#main, ...this.#others()].filter(({ cidr }) => cidrContains(cidr, ip));
  }

  #others(): Range[] {
    return [...this.#added.values()].flat();
  }

  #put({ metadata, spec, status }: ServiceCIDR): void {
    const isReady = status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') && !metadata.deletionTimestamp;
    const { cidr: main } = this.#main;
    const cidrs = (isReady ? (spec?.cidrs ?? []) : []).flatMap((text) => parseCidr(text) ?? []);
    const usable = cidrs.filter((c) => c.family === main.family && c.text !== main.text && Number.isSafeInteger(numberOf(c.last, main)));
    this.#added.set(
      metadata.name,
      usable.map((cidr) => ({ cidr, band: bandOf(cidr, main) })),
    );
  }
}

/** Counted from the main range, so that those of IPv6 near it are exact too. */
function numberOf(address: bigint, main: Cidr): number {
  return Number(address - main.first);
}

function bandOf(cidr: Cidr, main: Cidr): Band {
  const bits = (cidr.family === 4 ? 32 : 128) - cidr.prefix;
  // No broadcast address, and no more than upstream keeps track of in a range of IPv6.
  const last = bits >= 16 ? (cidr.family === 4 ? Math.min(2 ** bits - 2, 2 ** 20) : 65_535) : 2 ** bits - (cidr.family === 4 ? 2 : 1);
  const start = numberOf(cidr.first, main);
  return { first: start + 1, last: start + last, dynamicFrom: start + 1 + Math.min(Math.max(16, Math.floor(last / 16)), 256) };
}
