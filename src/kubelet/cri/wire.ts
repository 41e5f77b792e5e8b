/**
 * Protobuf for the CRI messages, driven by the table in messages.ts. Decoding fills in proto3's defaults for everything but
 * messages; encoding leaves defaults out. Unknown fields are skipped: a newer runtime may send them.
 */
import { type MessageName, messageTable } from './messages.ts';

interface Field {
  readonly name: string;
  readonly number: number;
  readonly many: boolean;
  readonly type: string;
}
interface Message {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}
type Value = Record<string, unknown>;

const parsed = new Map<string, Message>();

function messageOf(name: string): Message {
  let message = parsed.get(name);
  if (!message) {
    const row = messageTable[name as MessageName];
    const fields = row === '' ? [] : row.split(' ').map(fieldOf);
    message = { fields, byNumber: new Map(fields.map((f) => [f.number, f])) };
    parsed.set(name, message);
  }
  return message;
}

function fieldOf(cell: string): Field {
  const [name = '', number = '', type = ''] = cell.split(':');
  const many = type.startsWith('[]');
  return { name, number: Number(number), many, type: many ? type.slice(2) : type };
}

function isVarint(type: string): boolean {
  return type === 'int32' || type === 'int64' || type === 'uint32' || type === 'uint64' || type === 'bool';
}

class Writer {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  #reserve(n: number): void {
    if (this.#length + n <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + n));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }

  varint(value: number | boolean | bigint): void {
    this.#reserve(10);
    if (typeof value === 'number' && value >= 0 && value < 0x80000000) {
      let rest = value;
      while (rest > 0x7f) {
        this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      this.#bytes[this.#length++] = rest;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  string(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#reserve(length);
    this.#length += this.#bytes.write(value, this.#length);
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

function writeOne(w: Writer, number: number, type: string, value: unknown): void {
  if (isVarint(type)) {
    w.varint(number << 3);
    w.varint(value as number);
  } else if (type === 'double') {
    w.varint((number << 3) | 1);
    w.double(value as number);
  } else {
    w.varint((number << 3) | 2);
    if (type === 'string') w.string(value as string);
    else if (type === 'bytes') w.bytes(value as Uint8Array);
    else w.bytes(encodeMessage(type, value as Value));
  }
}

function encodeMessage(name: string, value: Value): Buffer {
  const w = new Writer();
  for (const { name: key, number, many, type } of messageOf(name).fields) {
    const v = value[key];
    if (v === undefined || v === null) continue;
    if (type === 'map') {
      for (const [k, entry] of Object.entries(v as Record<string, string>)) {
        const pair = new Writer();
        writeOne(pair, 1, 'string', k);
        writeOne(pair, 2, 'string', entry);
        w.varint((number << 3) | 2);
        w.bytes(pair.done());
      }
    } else if (many) {
      const items = v as readonly unknown[];
      if (items.length > 0 && isVarint(type)) {
        const packed = new Writer();
        for (const item of items) packed.varint(item as number);
        w.varint((number << 3) | 2);
        w.bytes(packed.done());
      } else for (const item of items) writeOne(w, number, type, item);
    } else if (v !== 0 && v !== '' && v !== false) writeOne(w, number, type, v);
  }
  return w.done();
}

/** The bytes of a message. */
export function encode(name: MessageName, value: object): Buffer {
  return encodeMessage(name, value as Value);
}

class Reader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = bytes.length;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new RangeError('Cannot decode a CRI message: it ends early');
    return this.#bytes[this.#at++] as number;
  }

  /** A signed 64-bit value as a number; beyond 2^53 it is rounded. */
  varint(signed: boolean): number {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const b = this.#byte();
      low |= (b & 0x7f) << shift;
      if (b < 0x80) return low;
    }
    let value = BigInt(low);
    for (let shift = 28n; ; shift += 7n) {
      const b = this.#byte();
      value |= BigInt(b & 0x7f) << shift;
      if (b < 0x80) break;
    }
    return Number(signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value));
  }

  double(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  chunk(): Buffer {
    const length = this.varint(false);
    if (this.#at + length > this.#end) throw new RangeError('Cannot decode a CRI message: it ends early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint(false);
    else if (wireType === 1) this.#at += 8;
    else if (wireType === 2) this.chunk();
    else if (wireType === 5) this.#at += 4;
    else throw new RangeError(`Cannot decode a CRI message: wire type ${wireType}`);
  }
}

function defaultOf({ many, type }: Field): unknown {
  if (many) return [];
  if (type === 'map') return {};
  if (type === 'string') return '';
  if (type === 'bool') return false;
  if (type === 'bytes') return new Uint8Array(0);
  return isVarint(type) || type === 'double' ? 0 : undefined;
}

function readOne(r: Reader, type: string): unknown {
  if (type === 'bool') return r.varint(false) !== 0;
  if (isVarint(type)) return r.varint(type[0] === 'i');
  if (type === 'double') return r.double();
  if (type === 'string') return r.chunk().toString();
  if (type === 'bytes') return Uint8Array.from(r.chunk());
  return decodeMessage(type, r.chunk());
}

function decodeMessage(name: string, bytes: Buffer): Value {
  const message = messageOf(name);
  const value: Value = {};
  for (const field of message.fields) value[field.name] = defaultOf(field);
  const r = new Reader(bytes);
  while (!r.done) {
    const tag = r.varint(false);
    const field = message.byNumber.get(tag >>> 3);
    if (!field) r.skip(tag & 7);
    else if (field.type === 'map') {
      const entry = new Reader(r.chunk());
      const pair = ['', '', ''];
      while (!entry.done) {
        const n = entry.varint(false) >>> 3;
        pair[n] = entry.chunk().toString();
      }
      (value[field.name] as Record<string, string>)[pair[1] as string] = pair[2] as string;
    } else if (!field.many) value[field.name] = readOne(r, field.type);
    else if ((tag & 7) === 2 && isVarint(field.type)) {
      const packed = new Reader(r.chunk());
      while (!packed.done) (value[field.name] as unknown[]).push(readOne(packed, field.type));
    } else (value[field.name] as unknown[]).push(readOne(r, field.type));
  }
  return value;
}

/** A message from its bytes, with defaults filled in. Throws RangeError on bytes that are cut off. */
export function decode(name: MessageName, bytes: Uint8Array): unknown {
  return decodeMessage(name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** The byte fields of any message by number, the last one of each: for messages that are not in the table. */
export function decodeFields(bytes: Uint8Array): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  const r = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  while (!r.done) {
    const tag = r.varint(false);
    if ((tag & 7) === 2) fields.set(tag >>> 3, r.chunk());
    else r.skip(tag & 7);
  }
  return fields;
}
