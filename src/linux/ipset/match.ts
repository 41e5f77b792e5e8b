/** Whether a packet is in a set, as the match of iptables asks (`--match-set NAME dst,dst`). Pure. Source: ipset(8), iptables-extensions(8). */
import { cidrContains, parseCidr } from '../../ip/ip.ts';
import type { IpsetDeclaration } from './ipset.ts';

interface MatchedSet {
  readonly set: IpsetDeclaration;
  readonly entries: ReadonlySet<string>;
}

/** What of a packet is asked for. */
interface MatchedPacket {
  readonly from: string;
  readonly sourcePort: number;
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
}

/** `sides`: for each part of an entry whether the packet's source or destination is looked at. */
export function isInSet({ set, entries }: MatchedSet, packet: MatchedPacket, sides: string): boolean {
  const [first, second, third] = sides.split(',');
  const ipOf = (side: string | undefined): string => (side === 'src' ? packet.from : packet.to);
  const portOf = (side: string | undefined): number => (side === 'src' ? packet.sourcePort : packet.port);
  if (set.type === 'bitmap:port') return entries.has(String(portOf(first)));
  if (set.type === 'hash:ip') return entries.has(ipOf(first));
  const entry = `${ipOf(first)},${packet.protocol}:${portOf(second)}`;
  if (set.type === 'hash:ip,port') return entries.has(entry);
  const other = ipOf(third);
  if (entries.has(`${entry},${other}`)) return true;
  const ranges = [...entries].filter((one) => one.startsWith(`${entry},`)).map((one) => parseCidr(one.slice(entry.length + 1)));
  return ranges.some((range) => range && cidrContains(range, other));
}
