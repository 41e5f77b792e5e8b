/**
 * The messages of generic netlink family IPVS: changes, and what the kernel answers. Pure; commands are numbers of
 * `GenericNetlink.command`. Source: include/uapi/linux/ip_vs.h.
 */
import { bytesToIp, familyOf } from '../../ip/ip.ts';
import type {
  HashFlag,
  HeldRealServer,
  IpvsOp,
  IpvsTimeouts,
  RealServer,
  RealTraffic,
  ServerTraffic,
  TransportProtocol,
  VirtualAddress,
  VirtualServer,
} from '../ipvs/ipvs.ts';
import { addressFamilies } from '../socket-address.ts';
import { type Attr, decodeAttrs, ip, readText, readU32, text, u16be, u32 } from './attribute.ts';
import { genericHeader } from './generic.ts';
import type { NetlinkMessage } from './message.ts';
import { IPPROTO } from './tracked-flow.ts';

export const IPVS_CMD = {
  newService: 1,
  setService: 2,
  delService: 3,
  getService: 4,
  newDest: 5,
  setDest: 6,
  delDest: 7,
  getDest: 8,
  setConfig: 12,
  getConfig: 13,
  getInfo: 15,
  flush: 17,
} as const;
const CMD_ATTR = { service: 1, dest: 2, timeoutTcp: 4, timeoutTcpFin: 5, timeoutUdp: 6 } as const;
const SVC = {
  family: 1,
  protocol: 2,
  address: 3,
  port: 4,
  mark: 5,
  scheduler: 6,
  flags: 7,
  timeout: 8,
  netmask: 9,
  stats: 10,
  stats64: 12,
} as const;
const STATS = { connections: 1, bytesIn: 4, bytesOut: 5 } as const;
const DEST = {
  address: 1,
  port: 2,
  method: 3,
  weight: 4,
  upper: 5,
  lower: 6,
  active: 7,
  inactive: 8,
  stats: 10,
  family: 11,
  stats64: 12,
} as const;
const INFO_VERSION = 1;
/** NAT: the only way of forwarding that changes ports. */
const IP_VS_CONN_F_MASQ = 0;
const IP_VS_SVC_F_PERSISTENT = 0x1;
const IP_VS_SVC_F_SCHED1 = 0x8;
const IP_VS_SVC_F_SCHED2 = 0x10;
/** Of those flags that are ours to say; the kernel sets others by itself. */
const FLAG_MASK = 0xffffffff;
const wholeMask4 = 0xffffffff;

export interface IpvsCommand {
  readonly command: number;
  readonly attrs: readonly Attr[];
}

/** Addresses of both families take sixteen bytes. */
function address16(address: string): Uint8Array {
  const bytes = ip(address);
  if (bytes.length === 16) return bytes;
  const padded = new Uint8Array(16);
  padded.set(bytes);
  return padded;
}

const u16 = (n: number): Uint8Array => Uint8Array.of(n & 0xff, (n >> 8) & 0xff);

/** What finds a virtual server. */
function identity(address: VirtualAddress): Attr[] {
  if (address.kind === 'mark')
    return [
      [SVC.family, u16(addressFamilies[address.family])],
      [SVC.mark, u32(address.mark)],
    ];
  return [
    [SVC.family, u16(addressFamilies[familyOf(address.ip)])],
    [SVC.protocol, u16(IPPROTO[address.protocol])],
    [SVC.address, address16(address.ip)],
    [SVC.port, u16be(address.port)],
  ];
}

function familyOfAddress(address: VirtualAddress): 4 | 6 {
  return address.kind === 'mark' ? address.family : familyOf(address.ip);
}

function serviceAttrs(server: VirtualServer): Attr[] {
  const hash = server.hash ?? [];
  let flags = 0;
  if (server.persistentSeconds !== undefined) flags |= IP_VS_SVC_F_PERSISTENT;
  if (hash.includes('fallback')) flags |= IP_VS_SVC_F_SCHED1;
  if (hash.includes('port')) flags |= IP_VS_SVC_F_SCHED2;
  // Clients are told apart by their whole address: as a mask in IPv4, as a length of prefix in IPv6.
  const netmask = familyOfAddress(server.address) === 4 ? wholeMask4 : 128;
  return [
    ...identity(server.address),
    [SVC.scheduler, text(server.scheduler)],
    [SVC.flags, Buffer.concat([u32(flags), u32(FLAG_MASK)])],
    [SVC.timeout, u32(server.persistentSeconds ?? 0)],
    [SVC.netmask, u32(netmask)],
  ];
}

function destIdentity({ ip: address, port }: Pick<RealServer, 'ip' | 'port'>): Attr[] {
  return [
    [DEST.address, address16(address)],
    [DEST.port, u16be(port)],
    [DEST.family, u16(addressFamilies[familyOf(address)])],
  ];
}

function destAttrs(real: RealServer): Attr[] {
  return [
    ...destIdentity(real),
    [DEST.method, u32(IP_VS_CONN_F_MASQ)],
    [DEST.weight, u32(real.weight)],
    [DEST.upper, u32(0)],
    [DEST.lower, u32(0)],
  ];
}

/** The message of a change. Refusals: EEXIST, ESRCH for no such virtual server, ENOENT for no such real server or no such scheduler. */
export function changeIpvs(op: IpvsOp): IpvsCommand {
  switch (op.op) {
    case 'add-server':
      return { command: IPVS_CMD.newService, attrs: [[CMD_ATTR.service, serviceAttrs(op.server)]] };
    case 'set-server':
      return { command: IPVS_CMD.setService, attrs: [[CMD_ATTR.service, serviceAttrs(op.server)]] };
    case 'delete-server':
      return { command: IPVS_CMD.delService, attrs: [[CMD_ATTR.service, identity(op.address)]] };
    case 'add-real':
      return aboutReal(IPVS_CMD.newDest, op.address, destAttrs(op.real));
    case 'set-real':
      return aboutReal(IPVS_CMD.setDest, op.address, destAttrs(op.real));
    case 'delete-real':
      return aboutReal(IPVS_CMD.delDest, op.address, destIdentity(op.real));
  }
}

function aboutReal(command: number, address: VirtualAddress, dest: readonly Attr[]): IpvsCommand {
  return {
    command,
    attrs: [
      [CMD_ATTR.service, identity(address)],
      [CMD_ATTR.dest, dest],
    ],
  };
}

/** What lists the real servers of a virtual server. */
export function listReal(address: VirtualAddress): IpvsCommand {
  return { command: IPVS_CMD.getDest, attrs: [[CMD_ATTR.service, identity(address)]] };
}

export function setTimeouts({ tcp, tcpFin, udp }: IpvsTimeouts): IpvsCommand {
  return {
    command: IPVS_CMD.setConfig,
    attrs: [
      [CMD_ATTR.timeoutTcp, u32(tcp)],
      [CMD_ATTR.timeoutTcpFin, u32(tcpFin)],
      [CMD_ATTR.timeoutUdp, u32(udp)],
    ],
  };
}

export function parseTimeouts(message: NetlinkMessage | undefined): IpvsTimeouts {
  const attrs = decodeAttrs(message?.data, genericHeader);
  return {
    tcp: readU32(attrs.get(CMD_ATTR.timeoutTcp)),
    tcpFin: readU32(attrs.get(CMD_ATTR.timeoutTcpFin)),
    udp: readU32(attrs.get(CMD_ATTR.timeoutUdp)),
  };
}

/** `1.2.1`. */
export function parseVersion(message: NetlinkMessage | undefined): string {
  const version = readU32(decodeAttrs(message?.data, genericHeader).get(INFO_VERSION));
  return [version >> 16, (version >> 8) & 0xff, version & 0xff].join('.');
}

const protocols = new Map<number, TransportProtocol>(
  Object.entries(IPPROTO).map(([name, number]) => [number, name as TransportProtocol] as const),
);

function addressIn(bytes: Buffer | undefined, family: number): string {
  return bytesToIp((bytes ?? Buffer.alloc(16)).subarray(0, family === addressFamilies[4] ? 4 : 16));
}

type Attrs = ReturnType<typeof decodeAttrs>;

/** Undefined for one of a protocol that is not known here. */
function parseAddress(attrs: Attrs): VirtualAddress | undefined {
  const family = attrs.get(SVC.family)?.readUInt16LE(0) ?? 0;
  const mark = readU32(attrs.get(SVC.mark));
  if (mark !== 0) return { kind: 'mark', mark, family: family === addressFamilies[6] ? 6 : 4 };
  const protocol = protocols.get(attrs.get(SVC.protocol)?.readUInt16LE(0) ?? 0);
  if (protocol === undefined) return undefined;
  return { kind: 'address', ip: addressIn(attrs.get(SVC.address), family), port: attrs.get(SVC.port)?.readUInt16BE(0) ?? 0, protocol };
}

function serviceIn(message: NetlinkMessage): Attrs {
  return decodeAttrs(decodeAttrs(message.data, genericHeader).get(CMD_ATTR.service));
}

/** One of the answers to a listing of virtual servers; undefined for one of a protocol that is not known here. */
export function parseServer(message: NetlinkMessage): VirtualServer | undefined {
  const attrs = serviceIn(message);
  const address = parseAddress(attrs);
  if (!address) return undefined;
  const flags = readU32(attrs.get(SVC.flags));
  const hash: HashFlag[] = [];
  if ((flags & IP_VS_SVC_F_SCHED1) !== 0) hash.push('fallback');
  if ((flags & IP_VS_SVC_F_SCHED2) !== 0) hash.push('port');
  return {
    address,
    scheduler: readText(attrs.get(SVC.scheduler)),
    ...((flags & IP_VS_SVC_F_PERSISTENT) !== 0 ? { persistentSeconds: readU32(attrs.get(SVC.timeout)) } : {}),
    ...(hash.length > 0 ? { hash } : {}),
  };
}

function readCount(bytes: Buffer | undefined): number {
  return bytes?.length === 8 ? Number(bytes.readBigUInt64LE(0)) : readU32(bytes);
}

/** What the same answer says of traffic. A kernel before 4.2 counts connections in 32 bits. */
export function parseTraffic(message: NetlinkMessage): ServerTraffic | undefined {
  const attrs = serviceIn(message);
  const address = parseAddress(attrs);
  if (!address) return undefined;
  return { address, ...countsIn(attrs.get(SVC.stats64) ?? attrs.get(SVC.stats)) };
}

function countsIn(bytes: Buffer | undefined): Omit<ServerTraffic, 'address'> {
  const stats = decodeAttrs(bytes);
  const count = (name: keyof typeof STATS): number => readCount(stats.get(STATS[name]));
  return { connections: count('connections'), bytesIn: count('bytesIn'), bytesOut: count('bytesOut') };
}

/** What an answer to `listReal` says of traffic. */
export function parseRealTraffic(message: NetlinkMessage, family: 4 | 6): RealTraffic {
  const attrs = decodeAttrs(decodeAttrs(message.data, genericHeader).get(CMD_ATTR.dest));
  const { ip, port } = parseReal(message, family);
  return { ip, port, ...countsIn(attrs.get(DEST.stats64) ?? attrs.get(DEST.stats)) };
}

/** One of the answers to `listReal`. A kernel before 3.18 does not tell the family, which is the virtual server's. */
export function parseReal(message: NetlinkMessage, family: 4 | 6): HeldRealServer {
  const attrs = decodeAttrs(decodeAttrs(message.data, genericHeader).get(CMD_ATTR.dest));
  const told = attrs.get(DEST.family)?.readUInt16LE(0) ?? addressFamilies[family];
  return {
    ip: addressIn(attrs.get(DEST.address), told),
    port: attrs.get(DEST.port)?.readUInt16BE(0) ?? 0,
    weight: readU32(attrs.get(DEST.weight)),
    activeConnections: readU32(attrs.get(DEST.active)),
    inactiveConnections: readU32(attrs.get(DEST.inactive)),
  };
}
