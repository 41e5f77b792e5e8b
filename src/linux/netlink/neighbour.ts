/**
 * Neighbours (which MAC an address has) and forwarding entries of a VXLAN (behind which node a MAC is), over rtnetlink. Pure.
 * Source: include/uapi/linux/neighbour.h.
 */
import { bytesToIp } from '../../ip/ip.ts';
import { addressFamilyOf } from '../socket-address.ts';
import { decodeAttrs, formatMac, ip, mac } from './attribute.ts';
import { type NetlinkMessage, type NetlinkRequest, NLM_F_CREATE, NLM_F_REPLACE } from './message.ts';

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const NDA = { dst: 1, lladdr: 2 } as const;
const NUD_PERMANENT = 0x80;
/** NUD_REACHABLE, STALE, DELAY, PROBE, NOARP and PERMANENT: the states in which the MAC is known. */
const NUD_VALID = 0xde;
const NTF_USE = 0x01;
const NTF_SELF = 0x02;
const AF_BRIDGE = 7;

/** `neighbour`: the MAC of an address. `fdb`: the node (`ip`) behind which a VXLAN finds a MAC. */
export interface Neighbour {
  readonly kind: 'neighbour' | 'fdb';
  readonly index: number;
  readonly ip: string;
  readonly mac: string;
}

function ndmsg(family: number, index: number, state: number, flags: number): Uint8Array {
  const body = Buffer.alloc(12);
  body.writeUInt8(family, 0);
  body.writeInt32LE(index, 4);
  body.writeUInt16LE(state, 8);
  body.writeUInt8(flags, 10);
  return body;
}

function request(type: number, flags: number, n: Neighbour): NetlinkRequest {
  const family = n.kind === 'fdb' ? AF_BRIDGE : addressFamilyOf(n.ip);
  return {
    type,
    flags,
    body: ndmsg(family, n.index, NUD_PERMANENT, n.kind === 'fdb' ? NTF_SELF : 0),
    attrs: [
      [NDA.dst, ip(n.ip)],
      [NDA.lladdr, mac(n.mac)],
    ],
  };
}

/** A permanent entry; takes the place of one for the same address (for fdb: the same MAC). */
export function replaceNeighbour(n: Neighbour): NetlinkRequest {
  return request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, n);
}

export function deleteNeighbour(n: Neighbour): NetlinkRequest {
  return request(RTM_DELNEIGH, 0, n);
}

/** An address on a link. */
export interface NeighbourTarget {
  readonly index: number;
  readonly ip: string;
}

function onTarget(type: number, flags: number, { index, ip: address }: NeighbourTarget, use: number): NetlinkRequest {
  const family = addressFamilyOf(address);
  return { type, flags, body: ndmsg(family, index, 0, use), attrs: [[NDA.dst, ip(address)]] };
}

/** Lets the kernel ask the link who has an address, as if a packet had to go there; `getNeighbour` shows the answer. */
export function solicitNeighbour(target: NeighbourTarget): NetlinkRequest {
  return onTarget(RTM_NEWNEIGH, NLM_F_CREATE, target, NTF_USE);
}

/** ENOENT when the kernel knows nothing of it. */
export function getNeighbour(target: NeighbourTarget): NetlinkRequest {
  return onTarget(RTM_GETNEIGH, 0, target, 0);
}

export function forgetNeighbour(target: NeighbourTarget): NetlinkRequest {
  return onTarget(RTM_DELNEIGH, 0, target, 0);
}

/** Whether an entry has a MAC: somebody has answered. */
export function isResolved(message: NetlinkMessage): boolean {
  return message.type === RTM_NEWNEIGH && message.data.length >= 12 && (message.data.readUInt16LE(8) & NUD_VALID) !== 0;
}

export const getNeighbours: NetlinkRequest = { type: RTM_GETNEIGH, body: ndmsg(0, 0, 0, 0) };
export const getFdb: NetlinkRequest = { type: RTM_GETNEIGH, body: ndmsg(AF_BRIDGE, 0, 0, 0) };

/** Reads a permanent entry that has both an address and a MAC; undefined for everything else. */
export function parseNeighbour(message: NetlinkMessage): Neighbour | undefined {
  if (message.type !== RTM_NEWNEIGH || message.data.length < 12) return undefined;
  if ((message.data.readUInt16LE(8) & NUD_PERMANENT) === 0) return undefined;
  const attrs = decodeAttrs(message.data, 12);
  const dst = attrs.get(NDA.dst);
  const lladdr = attrs.get(NDA.lladdr);
  if (!dst || !lladdr || lladdr.length !== 6) return undefined;
  return {
    kind: message.data.readUInt8(0) === AF_BRIDGE ? 'fdb' : 'neighbour',
    index: message.data.readInt32LE(4),
    ip: bytesToIp(dst),
    mac: formatMac(lladdr),
  };
}
