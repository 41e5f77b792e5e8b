/** Which address is next. Pure. */
import { bigIntToIp, cidrContains, ipToBigInt, mustCidr } from '../../ip/ip.ts';

/** Addresses that no pod gets: the range's first (the VXLAN device's own), the bridge's, and the broadcast address. */
const reservedAtStart = 2n;
const reservedAtEnd = 1n;

/** How many pods a range can hold. */
export function capacityOf(podCidr: string): number {
  const { first, last } = mustCidr(podCidr);
  return Number(last - first + 1n - reservedAtStart - reservedAtEnd);
}

/**
 * The free address after `after`, going round; undefined when all are taken. Going round leaves an address that has just
 * become free alone for as long as possible: connections to the pod that had it may still be on their way.
 */
export function nextAddress(podCidr: string, taken: Pick<ReadonlySet<string>, 'has'>, after: string | undefined): string | undefined {
  const cidr = mustCidr(podCidr);
  const low = cidr.first + reservedAtStart;
  const size = BigInt(Math.max(0, capacityOf(podCidr)));
  const start = after !== undefined && cidrContains(cidr, after) ? ipToBigInt(after) + 1n - low : 0n;
  for (let i = 0n; i < size; i++) {
    const ip = bigIntToIp(low + ((((start + i) % size) + size) % size), cidr.family);
    if (!taken.has(ip)) return ip;
  }
  return undefined;
}
