/**
 * Where the relay connects to: addresses of the world outside, and what somebody opened by name. Pure. It decides on addresses as they
 * are after resolution, never on how they were written.
 */
import { type Cidr, cidrContains, familyOf, mustCidr, parseIp } from '../../ip/ip.ts';

export interface Destinations {
  /** The lab's own ranges. */
  readonly lab: readonly Cidr[];
  /** Everything the kernel of this machine takes for itself at the moment. */
  readonly own: readonly Cidr[];
  /** Private ranges that are open all the same. */
  readonly allowed: readonly Cidr[];
}

/** What nobody can open: it stays on this machine or on its links. */
const closed: readonly (readonly [Cidr, string])[] = (
  [
    ['0.0.0.0/8', 'unspecified'],
    ['127.0.0.0/8', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['224.0.0.0/4', 'multicast'],
    ['240.0.0.0/4', 'reserved'],
    ['::/128', 'unspecified'],
    ['::1/128', 'loopback'],
    ['fe80::/10', 'link-local'],
    ['ff00::/8', 'multicast'],
  ] as const
).map(([text, what]) => [mustCidr(text), what]);

/** Special-purpose ranges (RFC 6890 and the IANA registries that it made). */
const special: readonly (readonly [Cidr, string])[] = (
  [
    ['10.0.0.0/8', 'private'],
    ['100.64.0.0/10', 'private'],
    ['172.16.0.0/12', 'private'],
    ['192.168.0.0/16', 'private'],
    ['192.0.0.0/24', 'reserved'],
    ['192.0.2.0/24', 'for documentation'],
    ['198.51.100.0/24', 'for documentation'],
    ['203.0.113.0/24', 'for documentation'],
    ['192.88.99.0/24', '6to4'],
    ['198.18.0.0/15', 'for benchmarks'],
    ['fc00::/7', 'private'],
    ['64:ff9b::/96', 'NAT64'],
    ['64:ff9b:1::/48', 'NAT64'],
    ['2001::/23', 'reserved'],
    ['2001:db8::/32', 'for documentation'],
    ['3fff::/20', 'for documentation'],
    ['2002::/16', '6to4'],
  ] as const
).map(([text, what]) => [mustCidr(text), what]);

/** All that is given out to the world so far (RFC 4291 §2.4): IPv4-compatible addresses and site-local ones are not of it. */
const globalUnicast = mustCidr('2000::/3');

function within(ranges: readonly Cidr[], ip: string): boolean {
  return ranges.some((range) => cidrContains(range, ip));
}

/** Why nothing is connected to this address, or undefined. */
export function whyClosed(address: string, port: number, destinations: Destinations): string | undefined {
  if (port !== 443) return `port ${port} is not 443`;
  const ip = parseIp(address);
  if (ip === undefined) return `"${address}" is no address`;
  if (familyOf(ip) !== familyOf(address)) return `${address} is an IPv4 address in disguise`;
  if (within(destinations.own, ip)) return `${ip} is this machine`;
  if (within(destinations.lab, ip)) return `${ip} is of this lab`;
  const shut = closed.find(([range]) => cidrContains(range, ip));
  if (shut) return `${ip} is ${shut[1]}`;
  if (within(destinations.allowed, ip)) return undefined;
  const odd = special.find(([range]) => cidrContains(range, ip));
  if (odd) return `${ip} is ${odd[1]} ("fairlead lab up --relay-allow" opens it)`;
  return familyOf(ip) === 6 && !cidrContains(globalUnicast, ip) ? `${ip} is not of the world outside` : undefined;
}

/** What `--relay-allow` says: ranges, and names of hosts. */
export interface Allowed {
  readonly ranges: readonly Cidr[];
  readonly names: readonly string[];
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** Whether a host was opened by its name. */
export function isAllowedName(allowed: Allowed, host: string): boolean {
  return allowed.names.includes(plainName(host));
}

/** Reads `10.1.0.0/16,registry.example`. Gives the word that is neither. */
export function parseAllowed(text: string): Allowed | { readonly wrong: string } {
  const ranges: Cidr[] = [];
  const names: string[] = [];
  for (const word of text.split(',').filter(Boolean)) {
    const isRange = /^[\d.]+(\/\d+)?$|:/.test(word);
    const isName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*\.?$/i.test(word);
    if (isRange)
      try {
        ranges.push(mustCidr(word));
      } catch {
        return { wrong: word };
      }
    else if (isName) names.push(plainName(word));
    else return { wrong: word };
  }
  return { ranges, names };
}
