/** Address families and socket addresses of both (ip(7), ipv6(7)). Pure. */
import { type Family, familyOf, ipToBytes } from '../ip/ip.ts';

/** `AF_INET` and `AF_INET6`. */
export const addressFamilies: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };

export function addressFamilyOf(ip: string): number {
  return addressFamilies[familyOf(ip)];
}

/** `struct sockaddr_in` or `struct sockaddr_in6`. Throws RangeError when `ip` is no address. */
export function socketAddress(ip: string, port: number): Uint8Array {
  const isSix = familyOf(ip) === 6;
  const bytes = Buffer.alloc(isSix ? 28 : 16);
  bytes.writeUInt16LE(addressFamilyOf(ip), 0);
  bytes.writeUInt16BE(port, 2);
  // Before an IPv6 address comes its flow label.
  bytes.set(ipToBytes(ip), isSix ? 8 : 4);
  return bytes;
}
