/** Tracked connections over nfnetlink: requests and what the kernel answers. Pure. Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h. */
import { bytesToIp, type Family } from '../../ip/ip.ts';
import { addressFamilies } from '../socket-address.ts';
import { type Attr, align, decodeAttrs, firstAttr, ip, readU32be, u8, u16be, u32, u32be } from './attribute.ts';
import type { NetlinkMessage, NetlinkRequest } from './message.ts';

const CTNETLINK = 1 << 8;
const CT_NEW = CTNETLINK | 0;
const CT_GET = CTNETLINK | 1;
const CT_DELETE = CTNETLINK | 2;
const CTA = {
  orig: 1,
  reply: 2,
  status: 3,
  protoInfo: 4,
  mark: 8,
  countersOrig: 9,
  countersReply: 10,
  id: 12,
  filter: 25,
  statusMask: 26,
} as const;
const PROTO_INFO = { tcp: 1, tcpState: 1 } as const;
const FILTER = { orig: 1, reply: 2, ipDst: 1 << 1, protoNumber: 1 << 3, dstPort: 1 << 5 } as const;
const ATTRIBUTE_TYPE = 0x3fff;
const IPS_SEEN_REPLY = 1 << 1;
const IPS_DST_NAT = 1 << 5;
/** TCP_CONNTRACK_FIN_WAIT of nf_conntrack_tcp.h: from here on it ends. */
const firstClosingState = 4;
const TUPLE = { ip: 1, proto: 2 } as const;
const TUPLE_IP = { src4: 1, dst4: 2, src6: 3, dst6: 4 } as const;
const TUPLE_PROTO = { number: 1, srcPort: 2, dstPort: 3 } as const;

/** CTA_COUNTERS_BYTES: 64 bits. */
const COUNTERS_BYTES = 2;

/** IP protocol numbers that have ports. */
export const IPPROTO = { tcp: 6, udp: 17, sctp: 132 } as const;
export const protocolNames: ReadonlyMap<number, string> = new Map(Object.entries(IPPROTO).map(([name, number]) => [number, name]));

/** One direction of a connection. Ports are 0 for protocols without. */
export interface FlowTuple {
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
}

export interface TrackedFlow {
  readonly family: Family;
  /** IP protocol number. */
  readonly protocol: number;
  /** As the one who started sent it: `dst` is what was asked for, a Service's address for example. */
  readonly orig: FlowTuple;
  /** As answers come: `src` is who really answers, an endpoint for example. */
  readonly reply: FlowTuple;
  readonly mark: number;
  /** The kernel's number for it, as long as it is tracked. */
  readonly id: number;
  /** Whether a packet came back. */
  readonly isAnswered: boolean;
  /** A TCP connection of which one side has said that it ends. */
  readonly isClosing: boolean;
}

/** What a flow carried since it began, in bytes of IP packets. */
export interface FlowBytes {
  readonly id: number;
  /** From whoever began it. */
  readonly orig: number;
  readonly reply: number;
}

/**
 * Which flows the kernel is to tell of: those to an address, those of a protocol (to a port of any), all whose destination was translated, or all
 * that nobody has answered. Kernels before 5.8, or for the last two before 5.15, tell of all.
 */
export type FlowFilter = { readonly to: string } | { readonly protocol: number; readonly port?: number } | 'translated' | 'unanswered';

/** struct nfgenmsg. */
function body(family: Family): Uint8Array {
  return Uint8Array.of(addressFamilies[family], 0, 0, 0);
}

export function getFlows(family: Family, filter?: FlowFilter): NetlinkRequest {
  return { type: CT_GET, body: body(family), ...(filter ? { attrs: filterAttrs(family, filter) } : {}) };
}

function filterAttrs(family: Family, filter: FlowFilter): Attr[] {
  if (filter === 'translated')
    return [
      [CTA.status, u32be(IPS_DST_NAT)],
      [CTA.statusMask, u32be(IPS_DST_NAT)],
    ];
  if (filter === 'unanswered')
    return [
      [CTA.status, u32be(0)],
      [CTA.statusMask, u32be(IPS_SEEN_REPLY)],
    ];
  const by = (flags: number, tuple: Attr): Attr[] => [
    [CTA.orig, [tuple]],
    [
      CTA.filter,
      [
        [FILTER.orig, u32(flags)],
        [FILTER.reply, u32(0)],
      ],
    ],
  ];
  if ('to' in filter) return by(FILTER.ipDst, [TUPLE.ip, [[family === 4 ? TUPLE_IP.dst4 : TUPLE_IP.dst6, ip(filter.to)]]]);
  const number: Attr = [TUPLE_PROTO.number, u8(filter.protocol)];
  if (filter.port === undefined) return by(FILTER.protoNumber, [TUPLE.proto, [number]]);
  return by(FILTER.protoNumber | FILTER.dstPort, [TUPLE.proto, [number, [TUPLE_PROTO.dstPort, u16be(filter.port)]]]);
}

/** The request that forgets one flow. */
export function deleteFlow(flow: TrackedFlow): NetlinkRequest {
  const { family, orig } = flow;
  const [src, dst] = family === 4 ? [TUPLE_IP.src4, TUPLE_IP.dst4] : [TUPLE_IP.src6, TUPLE_IP.dst6];
  const addresses: Attr[] = [
    [src, ip(orig.src)],
    [dst, ip(orig.dst)],
  ];
  const proto: Attr[] = [
    [TUPLE_PROTO.number, u8(flow.protocol)],
    [TUPLE_PROTO.srcPort, u16be(orig.srcPort)],
    [TUPLE_PROTO.dstPort, u16be(orig.dstPort)],
  ];
  const tuple: Attr[] = [
    [TUPLE.ip, addresses],
    [TUPLE.proto, proto],
  ];
  return { type: CT_DELETE, body: body(family), attrs: [[CTA.orig, tuple]] };
}

/** Reads a flow of the protocol, when one is given; undefined for everything else. */
export function parseFlow(message: NetlinkMessage, family: Family, protocol: number | undefined): TrackedFlow | undefined {
  if (message.type !== CT_NEW) return undefined;
  const attrs = decodeAttrs(message.data, 4);
  const orig = parseTuple(attrs.get(CTA.orig), protocol);
  const reply = orig && parseTuple(attrs.get(CTA.reply), protocol);
  if (!orig || !reply) return undefined;
  const tcpState = decodeAttrs(decodeAttrs(attrs.get(CTA.protoInfo)).get(PROTO_INFO.tcp)).get(PROTO_INFO.tcpState)?.[0] ?? 0;
  return {
    family,
    protocol: orig.protocol,
    orig: orig.tuple,
    reply: reply.tuple,
    mark: readU32be(attrs.get(CTA.mark)),
    id: readU32be(attrs.get(CTA.id)),
    isAnswered: (readU32be(attrs.get(CTA.status)) & IPS_SEEN_REPLY) !== 0,
    isClosing: tcpState >= firstClosingState,
  };
}

/**
 * Reads only what a flow carried: of a hundred thousand most carried nothing since the last time, and need not be read further. Undefined when the
 * kernel does not count its bytes, or its destination was not translated.
 */
export function readBytes({ type, data }: NetlinkMessage): FlowBytes | undefined {
  if (type !== CT_NEW) return undefined;
  let [id, status, orig, reply] = [0, 0, -1, -1];
  // Without a view of each attribute: that would take most of the time.
  for (let at = 4; at + 4 <= data.length; ) {
    const length = data.readUInt16LE(at);
    if (length < 4 || at + length > data.length) break;
    const kind = data.readUInt16LE(at + 2) & ATTRIBUTE_TYPE;
    if (kind === CTA.id) id = data.readUInt32BE(at + 4);
    else if (kind === CTA.status) status = data.readUInt32BE(at + 4);
    else if (kind === CTA.countersOrig) orig = bytesIn(data.subarray(at + 4, at + length));
    else if (kind === CTA.countersReply) reply = bytesIn(data.subarray(at + 4, at + length));
    at += align(length);
  }
  return orig < 0 || reply < 0 || (status & IPS_DST_NAT) === 0 ? undefined : { id, orig, reply };
}

/** -1 when they are not counted. */
function bytesIn(counters: Buffer): number {
  const bytes = firstAttr(counters, COUNTERS_BYTES);
  return bytes?.length === 8 ? bytes.readUInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4) : -1;
}

function parseTuple(
  data: Buffer | undefined,
  protocol: number | undefined,
): { readonly protocol: number; readonly tuple: FlowTuple } | undefined {
  const tuple = decodeAttrs(data);
  const proto = decodeAttrs(tuple.get(TUPLE.proto));
  const number = proto.get(TUPLE_PROTO.number)?.[0] ?? 0;
  // Before the addresses are read: on a busy node most flows are of another protocol.
  if (protocol !== undefined && number !== protocol) return undefined;
  const addresses = decodeAttrs(tuple.get(TUPLE.ip));
  const src = addresses.get(TUPLE_IP.src4) ?? addresses.get(TUPLE_IP.src6);
  const dst = addresses.get(TUPLE_IP.dst4) ?? addresses.get(TUPLE_IP.dst6);
  if (!src || !dst) return undefined;
  return {
    protocol: number,
    tuple: {
      src: bytesToIp(src),
      dst: bytesToIp(dst),
      srcPort: proto.get(TUPLE_PROTO.srcPort)?.readUInt16BE(0) ?? 0,
      dstPort: proto.get(TUPLE_PROTO.dstPort)?.readUInt16BE(0) ?? 0,
    },
  };
}
