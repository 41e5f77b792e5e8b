/**
 * Netlink messages as bytes: header, attributes, errors. Pure. Numbers are in the machine's byte order (little endian on
 * x64 and arm64) unless a name says `be`. Source: include/uapi/linux/netlink.h.
 */
import { ipToBytes } from '../../ip/ip.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** Of an answer: the request is not repeated in it, and attributes follow. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const HEADER = 16;

/** An attribute: its type and its bytes, or the attributes nested in it. */
export type Attr = readonly [type: number, value: Uint8Array | readonly Attr[]];

/** What a request says; the socket adds sequence number and the REQUEST and ACK flags. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags?: number;
  /** The fixed part that follows the header: ifinfomsg, rtmsg … */
  readonly body: Uint8Array;
  readonly attrs?: readonly Attr[];
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  /** Of the socket that asked, also in notices about what it changed; 0 for the kernel's own doing. */
  readonly port: number;
  readonly data: Buffer;
}

function align(n: number): number {
  return (n + 3) & ~3;
}

export function u8(n: number): Uint8Array {
  return Uint8Array.of(n);
}

export function u16(n: number): Uint8Array {
  return Uint8Array.of(n & 0xff, (n >> 8) & 0xff);
}

export function u16be(n: number): Uint8Array {
  return Uint8Array.of((n >> 8) & 0xff, n & 0xff);
}

export function u32(n: number): Uint8Array {
  return Uint8Array.of(n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, (n >>> 24) & 0xff);
}

/** A string with its closing zero, as the kernel wants names. */
export function text(s: string): Uint8Array {
  return Buffer.from(`${s}\0`, 'utf8');
}

export function ip(address: string): Uint8Array {
  return ipToBytes(address);
}

/** `0a:58:…` as six bytes. */
export function mac(address: string): Uint8Array {
  return Uint8Array.from(address.split(':'), (b) => Number.parseInt(b, 16));
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(':');
}

export function readText(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

export function encodeAttrs(attrs: readonly Attr[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const [type, value] of attrs) {
    const nested = !(value instanceof Uint8Array);
    const bytes = nested ? encodeAttrs(value) : value;
    const part = Buffer.alloc(align(4 + bytes.length));
    part.writeUInt16LE(4 + bytes.length, 0);
    part.writeUInt16LE(nested ? type | NLA_F_NESTED : type, 2);
    part.set(bytes, 4);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The attributes that start at `offset`, the last of a type winning. Flags in the type are dropped. */
export function decodeAttrs(data: Buffer, offset = 0): Map<number, Buffer> {
  const attrs = new Map<number, Buffer>();
  for (let at = offset; at + 4 <= data.length; ) {
    const length = data.readUInt16LE(at);
    if (length < 4) break;
    attrs.set(data.readUInt16LE(at + 2) & NLA_TYPE_MASK, data.subarray(at + 4, at + length));
    at += align(length);
  }
  return attrs;
}

export function encodeMessage(request: NetlinkRequest, seq: number, flags: number): Buffer {
  const attrs = encodeAttrs(request.attrs ?? []);
  const bodyLength = align(request.body.length);
  const message = Buffer.alloc(HEADER + bodyLength + attrs.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(request.type, 4);
  message.writeUInt16LE(flags | (request.flags ?? 0), 6);
  message.writeUInt32LE(seq, 8);
  message.set(request.body, HEADER);
  message.set(attrs, HEADER + bodyLength);
  return message;
}

export function decodeMessages(data: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER <= data.length; ) {
    const length = data.readUInt32LE(at);
    if (length < HEADER) break;
    messages.push({
      type: data.readUInt16LE(at + 4),
      flags: data.readUInt16LE(at + 6),
      seq: data.readUInt32LE(at + 8),
      port: data.readUInt32LE(at + 12),
      data: data.subarray(at + HEADER, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** Of NLMSG_ERROR and NLMSG_DONE: the errno (0 is success), and what the kernel says about it in words (an extended ack). */
export function readRefusal({ type, flags, data }: NetlinkMessage): { readonly errno: number; readonly said?: string } {
  if (data.length < 4) return { errno: 0 };
  const errno = -data.readInt32LE(0);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno };
  // An error repeats the request, or at least its header.
  const repeated = type === NLMSG_DONE ? 0 : (flags & NLM_F_CAPPED) !== 0 ? HEADER : align(data.readUInt32LE(4));
  const said = decodeAttrs(data, 4 + repeated).get(NLMSGERR_ATTR_MSG);
  return said === undefined ? { errno } : { errno, said: readText(said) };
}
