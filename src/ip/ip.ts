/**
 * Addresses and CIDRs as values, over ip6addr. An address is kept as its canonical text (IPv4 dotted, IPv6 in RFC 5952
 * form), so that equal addresses are equal strings. Pure.
 */
import ip6addr from 'ip6addr';

export type Family = 4 | 6;

/** The bytes of an address, 4 or 16 in network order; undefined when it is none. */
function bytesOf(text: string): Uint8Array | undefined {
  // IPv4 without the library: a table of rules has tens of thousands of them.
  if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) {
    const octets = text.split('.').map(Number);
    return octets.every((octet) => octet < 256) ? Uint8Array.from(octets) : undefined;
  }
  if (!text.includes(':')) return undefined;
  try {
    const addr = ip6addr.parse(text);
    return addr.kind() === 'ipv4' ? bytesOf(addr.toString({ format: 'v4' })) : Uint8Array.from(addr.toBuffer(Buffer.alloc(16)));
  } catch {
    return undefined;
  }
}

/** Canonical text of an address, or undefined when it is none. Leading zeros in IPv4 octets are read as decimal, as kube-proxy does. */
export function parseIp(text: string): string | undefined {
  const bytes = bytesOf(text);
  // Not in the library's form of IPv6, which shortens a single zero, too.
  return bytes && (bytes.length === 4 ? bytes.join('.') : compressed(groupsOf(bytes)));
}

export function isIp(text: string): boolean {
  return parseIp(text) !== undefined;
}

/** Whether it is the address that means any, `0.0.0.0` or `::`, however it is written. */
export function isUnspecified(text: string): boolean {
  return ['0.0.0.0', '::'].includes(parseIp(text) ?? '');
}

/** 4 or 6 for a valid address or CIDR. */
export function familyOf(text: string): Family {
  return text.includes(':') ? 6 : 4;
}

/** Go's net.JoinHostPort: an IPv6 address in brackets. */
export function joinHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** 4 or 16 bytes in network order. Throws RangeError when `text` is no address. */
export function ipToBytes(text: string): Uint8Array {
  const bytes = bytesOf(text);
  if (!bytes) throw new RangeError(`Cannot read "${text}": not an IP address`);
  return bytes;
}

/** Canonical text of 4 or 16 bytes in network order. */
export function bytesToIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = groupsOf(bytes);
  // IPv4 in IPv6 is IPv4.
  if (groups.slice(0, 5).every((group) => group === 0)) return parseIp(groups.map((group) => group.toString(16)).join(':')) ?? '';
  return compressed(groups);
}

function groupsOf(bytes: Uint8Array): number[] {
  return Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
}

/** RFC 5952, without parsing what is known to be an address: a large table of rules has hundreds of thousands of them. */
function compressed(groups: readonly number[]): string {
  let [from, length] = [0, 1];
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (groups[end] === 0) end++;
    if (end - at > length) [from, length] = [at, end - at];
    at = Math.max(at, end);
  }
  const text = (list: readonly number[]): string => list.map((group) => group.toString(16)).join(':');
  return length === 1 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + length))}`;
}

function bytesToBigInt(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

export function ipToBigInt(text: string): bigint {
  return bytesToBigInt(ipToBytes(text));
}

export function bigIntToIp(value: bigint, family: Family): string {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = bytes.length - 1, v = value; i >= 0; i--, v >>= 8n) bytes[i] = Number(v & 0xffn);
  return bytesToIp(bytes);
}

const addressBits: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

export interface Cidr {
  readonly family: Family;
  /** The first address of the range. */
  readonly base: string;
  readonly prefix: number;
  readonly first: bigint;
  readonly last: bigint;
  /** Canonical text, host bits cleared. */
  readonly text: string;
}

/** The first address of a range as bytes, and the length of its prefix; undefined when it is no CIDR. */
export function cidrBytes(text: string): { readonly bytes: Uint8Array; readonly prefix: number } | undefined {
  const [addr = '', length, ...rest] = text.trim().split('/');
  const bytes = bytesOf(addr);
  if (!bytes || rest.length > 0) return undefined;
  const bits = bytes.length * 8;
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (prefix < 0 || prefix > bits) return undefined;
  for (let i = prefix >> 3; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) & (0xff00 >> Math.max(0, prefix - i * 8));
  return { bytes, prefix };
}

/** Reads `10.0.0.0/16`; host bits are cleared, a bare address is a full-length prefix. Undefined when it is no CIDR. */
export function parseCidr(text: string): Cidr | undefined {
  const read = cidrBytes(text);
  if (!read) return undefined;
  const { bytes, prefix } = read;
  const base = bytesToIp(bytes);
  const first = bytesToBigInt(bytes);
  return {
    family: familyOf(base),
    base,
    prefix,
    first,
    last: first + (1n << BigInt(bytes.length * 8 - prefix)) - 1n,
    text: `${base}/${prefix}`,
  };
}

/** As parseCidr, but throws RangeError naming the text. */
export function mustCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new RangeError(`Cannot read "${text}": not a CIDR such as 10.0.0.0/16`);
  return cidr;
}

const parsed = new WeakMap<Cidr, ReturnType<typeof ip6addr.createCIDR>>();

/** Throws RangeError when `ip` is no address. */
export function cidrContains(cidr: Cidr, ip: string): boolean {
  if (familyOf(ip) !== cidr.family) return false;
  let range = parsed.get(cidr);
  if (!range) {
    range = ip6addr.createCIDR(cidr.base, cidr.prefix);
    parsed.set(cidr, range);
  }
  try {
    return range.contains(ip);
  } catch (cause) {
    throw new RangeError(`Cannot read "${ip}": not an IP address`, { cause });
  }
}

export function cidrOverlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** The address `n` steps after the first; a negative `n` counts back from one past the last. */
export function nthIp(cidr: Cidr, n: number): string {
  const value = n >= 0 ? cidr.first + BigInt(n) : cidr.last + 1n + BigInt(n);
  if (value < cidr.first || value > cidr.last) throw new RangeError(`Cannot take address ${n} of ${cidr.text}: outside the range`);
  return bigIntToIp(value, cidr.family);
}

/** The `n`-th sub-range of length `prefix`. */
export function nthSubnet(cidr: Cidr, prefix: number, n: number): Cidr {
  const bits = addressBits[cidr.family];
  const base = cidr.first + (BigInt(n) << BigInt(bits - prefix));
  if (prefix < cidr.prefix || base > cidr.last)
    throw new RangeError(`Cannot take /${prefix} number ${n} of ${cidr.text}: outside the range`);
  return mustCidr(`${bigIntToIp(base, cidr.family)}/${prefix}`);
}

/**
 * A MAC that follows from an address: two bytes that say whose it is (`0a:58` is what the CNI project's plugins take), and the last four of
 * the address. When the address is used again, nobody holds a wrong neighbour entry.
 */
export function macOfIp(ip: string, prefix: '0a:58' | '0e:58' = '0a:58'): string {
  return [prefix, ...Array.from(ipToBytes(ip).slice(-4), (byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** `4.3.2.1.in-addr.arpa` or the nibble form under ip6.arpa, without a trailing dot. */
export function reverseName(ip: string): string {
  const bytes = ipToBytes(ip);
  if (bytes.length === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa`;
  const nibbles = [...bytes].flatMap((b) => [b >> 4, b & 15]).reverse();
  return `${nibbles.map((n) => n.toString(16)).join('.')}.ip6.arpa`;
}
