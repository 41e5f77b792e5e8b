/**
 * Netlink attributes (`struct nlattr`): a growing buffer to write messages into, and a reader. nf_tables numbers are
 * big-endian; the headers of netlink itself are host-endian, which is little-endian on every machine Node.js runs on here.
 */

const nested = 0x8000;
const typeMask = 0x3fff;

/** An attribute as data: bytes, or attributes inside it. */
export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array | readonly Attribute[];
}

/** Collects messages and attributes; nested lengths are filled in when they end. */
export class AttributeWriter {
  #buffer: Buffer;
  length = 0;

  constructor(capacity = 4096) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  #grow(extra: number): void {
    if (this.length + extra <= this.#buffer.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + extra));
    this.#buffer.copy(bigger, 0, 0, this.length);
    this.#buffer = bigger;
  }

  /** What was written so far; valid until the next write. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  /** `struct nlmsghdr` and `struct nfgenmsg`; gives the position for `endMessage`. */
  beginMessage(type: number, flags: number, sequence: number, family: number, resource = 0): number {
    this.#grow(20);
    const at = this.length;
    const b = this.#buffer;
    b.writeUInt32LE(0, at);
    b.writeUInt16LE(type, at + 4);
    b.writeUInt16LE(flags, at + 6);
    b.writeUInt32LE(sequence, at + 8);
    b.writeUInt32LE(0, at + 12);
    b[at + 16] = family;
    b[at + 17] = 0;
    b.writeUInt16BE(resource, at + 18);
    this.length = at + 20;
    return at;
  }

  endMessage(at: number): void {
    this.#buffer.writeUInt32LE(this.length - at, at);
  }

  #header(type: number, length: number): number {
    const padded = (length + 7) & ~3;
    this.#grow(padded);
    const at = this.length;
    this.#buffer.writeUInt16LE(length + 4, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    if (padded > 4) this.#buffer.writeUInt32LE(0, at + padded - 4);
    this.length = at + padded;
    return at + 4;
  }

  raw(type: number, value: Uint8Array): void {
    const at = this.#header(type, value.length);
    this.#buffer.set(value, at);
  }

  u32(type: number, value: number): void {
    const at = this.#header(type, 4);
    this.#buffer.writeUInt32BE(value >>> 0, at);
  }

  u64(type: number, value: bigint): void {
    const at = this.#header(type, 8);
    this.#buffer.writeBigUInt64BE(value, at);
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
    const at = this.#header(type | nested, 0);
    return at - 4;
  }

  end(at: number): void {
    const length = this.length - at;
    if (length > 0xffff) throw new RangeError(`Cannot write a netlink attribute of ${length} bytes: the limit is 65535`);
    this.#buffer.writeUInt16LE(length, at);
  }

  attribute(attr: Attribute): void {
    if (attr.value instanceof Uint8Array) {
      this.raw(attr.type, attr.value);
      return;
    }
    const at = this.begin(attr.type);
    for (const inner of attr.value) this.attribute(inner);
    this.end(at);
  }
}

/** Calls `visit` for each attribute in `bytes`. */
export function eachAttribute(bytes: Uint8Array, visit: (type: number, value: Uint8Array) => void): void {
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    if (length < 4 || at + length > bytes.length) return;
    visit(((bytes[at + 2] ?? 0) | ((bytes[at + 3] ?? 0) << 8)) & typeMask, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
}

/** The attributes in `bytes` by type; the last of a type wins. */
export function readAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  eachAttribute(bytes, (type, value) => found.set(type, value));
  return found;
}

export function readU32(value: Uint8Array | undefined): number {
  if (value === undefined || value.length < 4) return 0;
  return (((value[0] ?? 0) << 24) | ((value[1] ?? 0) << 16) | ((value[2] ?? 0) << 8) | (value[3] ?? 0)) >>> 0;
}

export function readText(value: Uint8Array | undefined): string {
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return Buffer.from(value.buffer, value.byteOffset, end < 0 ? value.length : end).toString('utf8');
}

export function u32Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** Host order, which the kernel's registers hold for values that are not from a packet. */
export function u32HostBytes(value: number): Uint8Array {
  return Uint8Array.of(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
}

export function textBytes(value: string): Uint8Array {
  return Buffer.from(`${value}\0`);
}
