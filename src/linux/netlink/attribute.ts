/**
 * Netlink attributes (`struct nlattr`) and the messages around them: a growing buffer to write into, a reader, and values as bytes.
 * Numbers are in the machine's byte order (little endian on x64 and arm64) unless a name says `be`; nf_tables wants the latter.
 * Pure. Source: include/uapi/linux/netlink.h.
 */
import { ipToBytes } from '../../ip/ip.ts';

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
/** `struct nlmsghdr`. */
export const HEADER = 16;

/** An attribute: its type and its bytes, or the attributes nested in it. */
export type Attr = readonly [type: number, value: Uint8Array | readonly Attr[]];

export function align(n: number): number {
  return (n + 3) & ~3;
}

/** Collects messages and attributes; lengths are filled in when something ends. */
export class MessageWriter {
  #buffer: Buffer;
  length = 0;

  constructor(capacity = 4096) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  /** What was written so far; valid until the next write. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  /** A header, and the fixed part that follows it (`struct ifinfomsg`, `struct nfgenmsg` …). Gives the position for `endMessage`. */
  beginMessage(type: number, flags: number, seq: number, body: Uint8Array): number {
    const at = this.#take(HEADER + align(body.length));
    const b = this.#buffer;
    b.writeUInt32LE(0, at);
    b.writeUInt16LE(type, at + 4);
    b.writeUInt16LE(flags, at + 6);
    b.writeUInt32LE(seq, at + 8);
    b.writeUInt32LE(0, at + 12);
    b.set(body, at + HEADER);
    b.fill(0, at + HEADER + body.length, this.length);
    return at;
  }

  endMessage(at: number): void {
    this.#buffer.writeUInt32LE(this.length - at, at);
  }

  raw(type: number, value: Uint8Array): void {
    const at = this.#header(type, value.length);
    this.#buffer.set(value, at);
  }

  u32be(type: number, value: number): void {
    const at = this.#header(type, 4);
    this.#buffer.writeUInt32BE(value >>> 0, at);
  }

  /** A name, with its closing zero. */
  text(type: number, value: string): void {
    const length = Buffer.byteLength(value);
    const at = this.#header(type, length + 1);
    this.#buffer.write(value, at);
    this.#buffer[at + length] = 0;
  }

  /** Opens a nested attribute; gives the position for `end`. */
  begin(type: number): number {
    return this.#header(type | NLA_F_NESTED, 0) - 4;
  }

  end(at: number): void {
    const length = this.length - at;
    if (length > 0xffff) throw new RangeError(`Cannot write a netlink attribute of ${length} bytes: the limit is 65535`);
    this.#buffer.writeUInt16LE(length, at);
  }

  attr([type, value]: Attr): void {
    if (value instanceof Uint8Array) {
      this.raw(type, value);
      return;
    }
    const at = this.begin(type);
    for (const inner of value) this.attr(inner);
    this.end(at);
  }

  /** Room for so many bytes; gives where they start. */
  #take(extra: number): number {
    const at = this.length;
    this.length += extra;
    if (this.length > this.#buffer.length) {
      const bigger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length));
      this.#buffer.copy(bigger, 0, 0, at);
      this.#buffer = bigger;
    }
    return at;
  }

  /** Gives where the value goes; what pads it is zero. */
  #header(type: number, length: number): number {
    const padded = align(length + 4);
    const at = this.#take(padded);
    this.#buffer.writeUInt16LE(length + 4, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    if (padded > 4) this.#buffer.writeUInt32LE(0, at + padded - 4);
    return at + 4;
  }
}

/** Sets flags in the header of the message at `at`. */
export function addFlags(bytes: Buffer, at: number, flags: number): void {
  bytes.writeUInt16LE(bytes.readUInt16LE(at + 6) | flags, at + 6);
}

export function encodeAttrs(attrs: readonly Attr[]): Buffer {
  const out = new MessageWriter(256);
  for (const attr of attrs) out.attr(attr);
  return out.bytes();
}

/** Calls `visit` for each attribute from `offset` on. Flags in the type are dropped; it ends where a length makes no sense. */
export function eachAttr(data: Buffer, visit: (type: number, value: Buffer) => void, offset = 0): void {
  for (let at = offset; at + 4 <= data.length; ) {
    const length = data.readUInt16LE(at);
    if (length < 4 || at + length > data.length) return;
    visit(data.readUInt16LE(at + 2) & NLA_TYPE_MASK, data.subarray(at + 4, at + length));
    at += align(length);
  }
}

/** The attributes from `offset` on by type; the last of a type wins. None of an attribute that is not there. */
export function decodeAttrs(data: Buffer | undefined, offset = 0): Map<number, Buffer> {
  const attrs = new Map<number, Buffer>();
  if (data) eachAttr(data, (type, value) => attrs.set(type, value), offset);
  return attrs;
}

/** The first attribute of a type: where thousands are read, that is far cheaper than all of them. */
export function firstAttr(data: Buffer | undefined, type: number): Buffer | undefined {
  if (!data) return undefined;
  for (let at = 0; at + 4 <= data.length; ) {
    const length = data.readUInt16LE(at);
    if (length < 4) break;
    if ((data.readUInt16LE(at + 2) & NLA_TYPE_MASK) === type) return data.subarray(at + 4, at + length);
    at += align(length);
  }
  return undefined;
}

/** 0 of an attribute that is not there, or too short. */
export function readU32(value: Buffer | undefined): number {
  return value !== undefined && value.length >= 4 ? value.readUInt32LE(0) : 0;
}

export function readU32be(value: Buffer | undefined): number {
  return value && value.length >= 4 ? value.readUInt32BE(0) : 0;
}

/** Up to the closing zero; '' of an attribute that is not there. */
export function readText(value: Buffer | undefined): string {
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

export function u8(n: number): Uint8Array {
  return Uint8Array.of(n);
}

export function u16be(n: number): Uint8Array {
  return Uint8Array.of((n >> 8) & 0xff, n & 0xff);
}

export function u32(n: number): Uint8Array {
  return Uint8Array.of(n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, (n >>> 24) & 0xff);
}

export function u32be(n: number): Uint8Array {
  return Uint8Array.of((n >>> 24) & 0xff, (n >> 16) & 0xff, (n >> 8) & 0xff, n & 0xff);
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
