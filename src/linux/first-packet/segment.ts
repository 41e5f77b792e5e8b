/**
 * The first packet of a connection without its IP header, as a raw socket takes it: a TCP SYN, an empty UDP datagram, an SCTP INIT; and what comes
 * back. Pure. Sources: RFC 9293 §3.1, RFC 768, RFC 9260 §3.
 */
import { ipToBytes } from '../../ip/ip.ts';
import { IPPROTO } from '../netlink/tracked-flow.ts';

export type RawProtocol = keyof typeof IPPROTO;

export interface SegmentEnds {
  readonly from: string;
  readonly sourcePort: number;
  readonly to: string;
  readonly port: number;
}

const tcpFlags = { syn: 2, reset: 4, ack: 16 } as const;
const sctpChunk = { init: 1, initAck: 2, abort: 6 } as const;
const sctpHeaderBytes = 12;
/** Tag, window, streams out and in, first sequence number. */
const initBytes = 16;

/** One's complement sum of RFC 1071 over the pseudo header and the segment. */
function internetChecksum(protocol: number, { from, to }: SegmentEnds, segment: Buffer): number {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(segment.length);
  const bytes = Buffer.concat([
    ipToBytes(from),
    ipToBytes(to),
    length,
    Buffer.from([0, 0, 0, protocol]),
    segment,
    Buffer.alloc(segment.length % 2),
  ]);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Castagnoli's, which SCTP has (RFC 9260, appendix A). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

function tcpSyn(ends: SegmentEnds, sequence: number): Buffer {
  const maximumSegmentSize = [2, 4, 0x05, 0xb4];
  const segment = Buffer.concat([Buffer.alloc(20), Buffer.from(maximumSegmentSize)]);
  segment.writeUInt16BE(ends.sourcePort, 0);
  segment.writeUInt16BE(ends.port, 2);
  segment.writeUInt32BE(sequence, 4);
  segment[12] = (segment.length / 4) << 4;
  segment[13] = tcpFlags.syn;
  segment.writeUInt16BE(64_240, 14);
  segment.writeUInt16BE(internetChecksum(IPPROTO.tcp, ends, segment), 16);
  return segment;
}

function udpDatagram(ends: SegmentEnds): Buffer {
  const segment = Buffer.alloc(8);
  segment.writeUInt16BE(ends.sourcePort, 0);
  segment.writeUInt16BE(ends.port, 2);
  segment.writeUInt16BE(segment.length, 4);
  // 0 would say that there is no checksum.
  segment.writeUInt16BE(internetChecksum(IPPROTO.udp, ends, segment) || 0xffff, 6);
  return segment;
}

/** A packet of one chunk, whose checksum does not depend on addresses. */
function sctpPacket({ sourcePort, port }: Pick<SegmentEnds, 'sourcePort' | 'port'>, tag: number, chunk: number, body: Buffer): Buffer {
  const packet = Buffer.concat([Buffer.alloc(sctpHeaderBytes + 4), body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
  packet.writeUInt16BE(sourcePort, 0);
  packet.writeUInt16BE(port, 2);
  packet.writeUInt32BE(tag, 4);
  packet[sctpHeaderBytes] = chunk;
  packet.writeUInt16BE(4 + body.length, sctpHeaderBytes + 2);
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

function sctpInitBody(tag: number): Buffer {
  const body = Buffer.alloc(initBytes);
  body.writeUInt32BE(tag, 0);
  body.writeUInt32BE(64 << 10, 4);
  body.writeUInt16BE(1, 8);
  body.writeUInt16BE(1, 10);
  body.writeUInt32BE(1, 12);
  return body;
}

/** `random` is a number from 1 to 2³²−1: the first sequence number, or the tag. */
export function firstSegment(protocol: RawProtocol, ends: SegmentEnds, random: number): Buffer {
  if (protocol === 'tcp') return tcpSyn(ends, random);
  if (protocol === 'udp') return udpDatagram(ends);
  return sctpPacket(ends, 0, sctpChunk.init, sctpInitBody(random));
}

/** What an SCTP host answers to an INIT, with words of its own as the cookie that the client is to give back; undefined of any other packet. */
export function sctpInitAck(segment: Buffer, cookie: string): Buffer | undefined {
  if (segment[sctpHeaderBytes] !== sctpChunk.init || segment.length < sctpHeaderBytes + 4 + initBytes) return undefined;
  const words = Buffer.from(cookie);
  const parameter = Buffer.alloc(4);
  const stateCookie = 7;
  parameter.writeUInt16BE(stateCookie, 0);
  parameter.writeUInt16BE(4 + words.length, 2);
  const body = Buffer.concat([sctpInitBody(1), parameter, words]);
  const back = { sourcePort: segment.readUInt16BE(2), port: segment.readUInt16BE(0) };
  return sctpPacket(back, segment.readUInt32BE(sctpHeaderBytes + 4), sctpChunk.initAck, body);
}

/** The cookie of `sctpInitAck`. */
export function sctpCookie(segment: Buffer): string {
  const at = sctpHeaderBytes + 4 + initBytes;
  return segment.toString('utf8', at + 4, at + segment.readUInt16BE(at + 2));
}

export type SegmentAnswer = 'answered' | 'refused';

/** What a segment says to the first one; undefined when it is about something else. */
export function answerOf(protocol: RawProtocol, { sourcePort, port }: SegmentEnds, segment: Buffer): SegmentAnswer | undefined {
  if (segment.length < 8 || segment.readUInt16BE(0) !== port || segment.readUInt16BE(2) !== sourcePort) return undefined;
  if (protocol === 'udp') return 'answered';
  if (protocol === 'tcp') {
    const flags = segment[13] ?? 0;
    if ((flags & tcpFlags.reset) !== 0) return 'refused';
    return (flags & tcpFlags.syn) !== 0 && (flags & tcpFlags.ack) !== 0 ? 'answered' : undefined;
  }
  const chunk = segment[sctpHeaderBytes];
  return chunk === sctpChunk.abort ? 'refused' : chunk === sctpChunk.initAck ? 'answered' : undefined;
}

/** What follows the header of IPv4. */
export function segmentOf(packet: Buffer): Buffer {
  return packet.subarray(((packet[0] ?? 0) & 15) * 4);
}
