/** Which sockets of a network namespace wait for others, over NETLINK_SOCK_DIAG. Pure. Source: include/uapi/linux/inet_diag.h. */
import { bytesToIp, type Family } from '../../ip/ip.ts';
import { addressFamilies } from '../socket-address.ts';
import type { NetlinkMessage, NetlinkRequest } from './message.ts';

export const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const TCP_LISTEN = 10;
/** What the kernel calls a UDP socket that is not connected. */
const TCP_CLOSE = 7;
const protocols = { tcp: 6, udp: 17 } as const;

export interface ListeningSocket {
  /** `0.0.0.0` or `::` for every address. */
  readonly ip: string;
  readonly protocol: keyof typeof protocols;
  readonly port: number;
}

/** Asks for TCP sockets that listen, or UDP sockets that are not connected. */
export function getListening(family: Family, protocol: keyof typeof protocols): NetlinkRequest {
  const body = Buffer.alloc(56);
  body.writeUInt8(addressFamilies[family], 0);
  body.writeUInt8(protocols[protocol], 1);
  body.writeUInt32LE(1 << (protocol === 'tcp' ? TCP_LISTEN : TCP_CLOSE), 4);
  return { type: SOCK_DIAG_BY_FAMILY, body };
}

export function parseListening({ type, data }: NetlinkMessage, protocol: keyof typeof protocols): ListeningSocket | undefined {
  if (type !== SOCK_DIAG_BY_FAMILY || data.length < 72) return undefined;
  const port = data.readUInt16BE(4);
  const ip = bytesToIp(data.subarray(8, data.readUInt8(0) === addressFamilies[4] ? 12 : 24));
  return port === 0 ? undefined : { ip, protocol, port };
}
