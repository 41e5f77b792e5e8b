/** Netlink messages as bytes: requests, answers, refusals. Pure. Source: include/uapi/linux/netlink.h. */
import { type Attr, align, decodeAttrs, HEADER, MessageWriter, readText } from './attribute.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
/** Of an answer: the request is not repeated in it, and attributes follow. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

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

export function encodeMessage(request: NetlinkRequest, seq: number, flags: number): Buffer {
  const out = new MessageWriter(256);
  writeMessage(out, request, seq, flags);
  return out.bytes();
}

/** Behind what was written before. */
export function writeMessage(out: MessageWriter, request: NetlinkRequest, seq: number, flags: number): void {
  const at = out.beginMessage(request.type, flags | (request.flags ?? 0), seq, request.body);
  for (const attr of request.attrs ?? []) out.attr(attr);
  out.endMessage(at);
}

export function decodeMessages(data: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER <= data.length; ) {
    const length = data.readUInt32LE(at);
    if (length < HEADER || at + length > data.length) break;
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
  const errno = Math.abs(data.readInt32LE(0));
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno };
  // An error repeats the request, or at least its header.
  const repeated = type === NLMSG_DONE ? 0 : (flags & NLM_F_CAPPED) !== 0 ? HEADER : align(data.readUInt32LE(4));
  const said = decodeAttrs(data, 4 + repeated).get(NLMSGERR_ATTR_MSG);
  return said === undefined ? { errno } : { errno, said: readText(said) };
}
