/**
 * Reads /proc/net/ip_vs, which has every real server of a network namespace in one piece; over netlink each virtual server is a listing of its
 * own. Pure. Source: ip_vs_info_seq_show() in Linux.
 */
import { parseIp } from '../../ip/ip.ts';
import { type HeldRealServer, serverName, type TransportProtocol, type VirtualAddress } from './ipvs.ts';

/** `0AF40102:1F90` or `[fd00:…:0002]:0035`. */
function readSocket(text: string): { readonly ip: string; readonly port: number } | undefined {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon);
  const port = Number.parseInt(text.slice(colon + 1), 16);
  if (host.startsWith('[')) {
    const ip = parseIp(host.slice(1, -1));
    return ip === undefined ? undefined : { ip, port };
  }
  const number = Number.parseInt(host, 16);
  return { ip: [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.'), port };
}

const protocols: Readonly<Record<string, TransportProtocol>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

function readServer([protocol = '', at = '']: readonly string[]): VirtualAddress | undefined {
  if (protocol === 'FWM') return { kind: 'mark', mark: Number.parseInt(at, 16), family: 4 };
  const known = protocols[protocol];
  const socket = known && readSocket(at);
  return known && socket ? { kind: 'address', ...socket, protocol: known } : undefined;
}

/** Real servers by the name of their virtual server. Of a firewall mark, the family is that of IPv4 here: the text does not tell. */
export function parseProcTable(text: string): Map<string, HeldRealServer[]> {
  const table = new Map<string, HeldRealServer[]>();
  let current: HeldRealServer[] | undefined;
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0] !== '->') {
      const address = readServer(words);
      current = address ? [] : undefined;
      if (address && current) table.set(serverName(address), current);
      continue;
    }
    const socket = readSocket(words[1] ?? '');
    const [weight = 0, activeConnections = 0, inactiveConnections = 0] = words.slice(3).map(Number);
    // The heading of the columns has an arrow, too.
    if (socket && !Number.isNaN(weight)) current?.push({ ...socket, weight, activeConnections, inactiveConnections });
  }
  return table;
}
