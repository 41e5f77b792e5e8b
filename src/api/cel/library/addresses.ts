/** IP addresses and networks. */
import type { Environment } from '@marcbachmann/cel-js';
import { type Cidr, cidrContains, familyOf, ipToBytes, isUnspecified, parseCidr, parseIp } from '../../../ip/ip.ts';
import type { Comparable } from '../equal.ts';
import { RuleError } from '../meter.ts';
import { register } from './register.ts';

/** An address as it is written in its canonical form. */
export class Ip implements Comparable {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  equals(other: unknown): boolean {
    return other instanceof Ip && other.text === this.text;
  }

  toString(): string {
    return this.text;
  }
}

class Network implements Comparable {
  readonly address: string;
  readonly prefix: number;
  readonly cidr: Cidr;

  constructor(address: string, prefix: number, cidr: Cidr) {
    this.address = address;
    this.prefix = prefix;
    this.cidr = cidr;
  }

  equals(other: unknown): boolean {
    return other instanceof Network && other.address === this.address && other.prefix === this.prefix;
  }

  toString(): string {
    return `${this.address}/${this.prefix}`;
  }
}

/** IPv4 addresses in the clothes of IPv6 are none. */
function ipOf(text: string): Ip | undefined {
  if (text.includes('%') || (text.includes(':') && text.includes('.'))) return undefined;
  if (/(^|\.)0\d/.test(text)) return undefined;
  const found = parseIp(text);
  return found === undefined || /^::ffff:[0-9a-f]+:[0-9a-f]+$/.test(found) ? undefined : new Ip(found);
}

function mustIp(text: string): Ip {
  const found = ipOf(text);
  if (!found) throw new RuleError(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);
  return found;
}

function networkOf(text: string): Network | undefined {
  const [address = '', bits = ''] = text.split('/');
  const ip = ipOf(address);
  const cidr = ip && /^(0|[1-9]\d*)$/.test(bits) ? parseCidr(text) : undefined;
  return ip && cidr && new Network(ip.text, Number(bits), cidr);
}

function mustNetwork(text: string): Network {
  const found = networkOf(text);
  if (!found) throw new RuleError('network address parse error during conversion from string');
  return found;
}

function containsNetwork(outer: Network, inner: Network): boolean {
  return outer.prefix <= inner.prefix && familyOf(outer.address) === familyOf(inner.address) && cidrContains(outer.cidr, inner.address);
}

const isIpv4 = ({ text }: Ip): boolean => familyOf(text) === 4;
const first = ({ text }: Ip): number => ipToBytes(text)[0] ?? 0;
const second = ({ text }: Ip): number => ipToBytes(text)[1] ?? 0;
const third = ({ text }: Ip): number => ipToBytes(text)[2] ?? 0;

function isLoopback(ip: Ip): boolean {
  return isIpv4(ip) ? first(ip) === 127 : ip.text === '::1';
}

function isLinkLocalMulticast(ip: Ip): boolean {
  return isIpv4(ip) ? first(ip) === 224 && second(ip) === 0 && third(ip) === 0 : first(ip) === 0xff && (second(ip) & 0x0f) === 2;
}

function isLinkLocalUnicast(ip: Ip): boolean {
  return isIpv4(ip) ? first(ip) === 169 && second(ip) === 254 : first(ip) === 0xfe && (second(ip) & 0xc0) === 0x80;
}

function isMulticast(ip: Ip): boolean {
  return isIpv4(ip) ? (first(ip) & 0xf0) === 0xe0 : first(ip) === 0xff;
}

function isGlobalUnicast(ip: Ip): boolean {
  if (isUnspecified(ip.text) || ip.text === '255.255.255.255') return false;
  return !isLoopback(ip) && !isMulticast(ip) && !isLinkLocalUnicast(ip);
}

class IpNamespace {}

export function registerAddresses(environment: Environment): void {
  environment.registerType('net.IP', Ip as never);
  environment.registerType('net.CIDR', Network as never);
  environment.registerType('IpNamespace', IpNamespace as never);
  environment.registerConstant('ip', 'IpNamespace', new IpNamespace());
  for (const type of ['net.IP', 'net.CIDR']) environment.registerOperator(`${type} == ${type}`, (a: Comparable, b: unknown) => a.equals(b));
  const add = register(environment);
  add('ip(string): net.IP', mustIp);
  add('isIP(string): bool', (text: string) => ipOf(text) !== undefined);
  add('IpNamespace.isCanonical(string): bool', (_: unknown, text: string) => mustIp(text).text === text);
  add('net.IP.family(): int', (ip: Ip) => BigInt(familyOf(ip.text)));
  add('net.IP.isUnspecified(): bool', (ip: Ip) => isUnspecified(ip.text));
  add('net.IP.isLoopback(): bool', isLoopback);
  add('net.IP.isLinkLocalMulticast(): bool', isLinkLocalMulticast);
  add('net.IP.isLinkLocalUnicast(): bool', isLinkLocalUnicast);
  add('net.IP.isGlobalUnicast(): bool', isGlobalUnicast);
  add('string(net.IP): string', String);
  add('cidr(string): net.CIDR', mustNetwork);
  add('isCIDR(string): bool', (text: string) => networkOf(text) !== undefined);
  add('net.CIDR.containsIP(string): bool', (of: Network, ip: string) => cidrContains(of.cidr, mustIp(ip).text));
  add('net.CIDR.containsIP(net.IP): bool', (of: Network, ip: Ip) => cidrContains(of.cidr, ip.text));
  add('net.CIDR.containsCIDR(string): bool', (of: Network, text: string) => containsNetwork(of, mustNetwork(text)));
  add('net.CIDR.containsCIDR(net.CIDR): bool', containsNetwork);
  add('net.CIDR.ip(): net.IP', (of: Network) => new Ip(of.address));
  add('net.CIDR.prefixLength(): int', (of: Network) => BigInt(of.prefix));
  add('net.CIDR.masked(): net.CIDR', masked);
  add('string(net.CIDR): string', String);
}

function masked({ cidr, prefix }: Network): Network {
  return new Network(cidr.base, prefix, cidr);
}
