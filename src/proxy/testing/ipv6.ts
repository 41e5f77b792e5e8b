/**
 * The address plan of the scenarios in IPv6: `10.244.1.2` is `fd00:10:244:1::2`, `10.244.1.0/24` is `fd00:10:244:1::/64`. So what is written for IPv4 is
 * run in both families. Pure.
 */
import { parseIp } from '../../ip/ip.ts';

const groupBits = 16;
const octetBits = 8;

function addressInIpv6(ip: string): string {
  if (ip.startsWith('127.')) return '::1';
  const [a, b, c, d] = ip.split('.').map(Number);
  return parseIp(`fd00:${a}:${b}:${c}::${d}`) ?? ip;
}

function textInIpv6(text: string): string {
  if (text === 'IPv4') return 'IPv6';
  return text.replace(/\b(\d+\.\d+\.\d+\.\d+)(?:\/(\d+))?\b/g, (_, ip: string, prefix: string | undefined) => {
    if (prefix === undefined) return addressInIpv6(ip);
    const bits = prefix === '32' ? 128 : prefix === '0' ? 0 : (Number(prefix) / octetBits + 1) * groupBits;
    return `${bits === 0 ? '::' : addressInIpv6(ip)}/${bits}`;
  });
}

/** The same with every address and range in it, in whatever text, in IPv6. */
export function inIpv6<T>(value: T): T {
  if (typeof value === 'string') return textInIpv6(value) as T;
  if (Array.isArray(value)) return value.map((one) => inIpv6(one)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, inIpv6(inner)])) as T;
}
