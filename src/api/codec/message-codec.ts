/**
 * Protobuf messages by a table of their fields, on the reader and writer that the API's codec uses. Decoding fills in proto3's defaults
 * for everything but messages; encoding leaves defaults out. Unknown fields are skipped: a newer runtime may send them.
 */

import type { Input, MessageOf, MessageTable } from './message-type.ts';
import { WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

type Value = Record<string, unknown>;

/** How the values of one type go over the wire: scalars, and messages of the table. */
interface Type {
  readonly wireType: 0 | 1 | 2;
  read(reader: WireReader, end: number): unknown;
  write(writer: WireWriter, value: unknown): void;
  /** The default; undefined for a message. */
  zero(): unknown;
}

interface Field {
  readonly name: string;
  readonly number: number;
  readonly shape: 'one' | 'many' | 'map';
  readonly type: Type;
}

interface Message {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

function varint(read: (value: number) => unknown, zero: unknown): Type {
  return {
    wireType: 0,
    read: (r, end) => read(r.int64(end)),
    write: (w, value) => w.int64(Number(value)),
    zero: () => zero,
  };
}

const signed = varint((n) => n, 0);
const unsigned = varint((n) => (n < 0 ? n + 2 ** 64 : n), 0);

const scalars: Readonly<Record<string, Type>> = {
  int32: signed,
  int64: signed,
  uint32: unsigned,
  uint64: unsigned,
  bool: varint((n) => n !== 0, false),
  double: { wireType: 1, read: (r, end) => r.double(end), write: (w, value) => w.double(value as number), zero: () => 0 },
  string: { wireType: 2, read: (r, end) => r.string(end), write: (w, value) => w.string(value as string), zero: () => '' },
  bytes: {
    wireType: 2,
    // Not copied: they are part of the message's bytes, which live as long as they do.
    read: (r, end) => r.bytes(end),
    write: (w, value) => w.bytes(value as Uint8Array),
    zero: () => Buffer.alloc(0),
  },
};
const text = scalars.string as Type;

export class MessageCodec<const Table extends MessageTable> {
  readonly #table: Table;
  readonly #messages = new Map<string, Message>();
  readonly #writer = new WireWriter();

  constructor(table: Table) {
    this.#table = table;
  }

  /** The bytes of a message. */
  encode<Name extends string & keyof Table>(name: Name, value: Input<MessageOf<Table, Name>>): Buffer {
    this.#writer.reset();
    writeMessage(this.#writer, this.#message(name), value as Value);
    return this.#writer.finish();
  }

  /** A message from its bytes, with defaults filled in. Throws ProtobufError on bytes that are none. */
  decode<Name extends string & keyof Table>(name: Name, bytes: Uint8Array): MessageOf<Table, Name> {
    const reader = new WireReader(bytes);
    return readMessage(reader, this.#message(name), reader.length) as MessageOf<Table, Name>;
  }

  #message(name: string): Message {
    const known = this.#messages.get(name);
    if (known) return known;
    const row = this.#table[name] as string;
    const fields = row === '' ? [] : row.split(' ').map((cell) => this.#field(cell));
    const message = { fields, byNumber: new Map(fields.map((f) => [f.number, f])) };
    this.#messages.set(name, message);
    return message;
  }

  #field(cell: string): Field {
    const [name = '', number = '', type = ''] = cell.split(':');
    if (type === 'map') return { name, number: Number(number), shape: 'map', type: text };
    const many = type.startsWith('[]');
    return { name, number: Number(number), shape: many ? 'many' : 'one', type: this.#type(many ? type.slice(2) : type) };
  }

  /** A message's own fields are looked up when one comes by: messages may hold their like. */
  #type(name: string): Type {
    const scalar = scalars[name];
    if (scalar) return scalar;
    return {
      wireType: 2,
      read: (r, end) => readMessage(r, this.#message(name), r.lengthDelimited(end)),
      write: (w, value) => writeDelimited(w, () => writeMessage(w, this.#message(name), value as Value)),
      zero: () => undefined,
    };
  }
}

function readMessage(r: WireReader, { fields, byNumber }: Message, end: number): Value {
  const value: Value = {};
  for (const { name, shape, type } of fields) value[name] = shape === 'many' ? [] : shape === 'map' ? {} : type.zero();
  while (r.pos < end) {
    const tag = r.uint32(end);
    const field = byNumber.get(tag >>> 3);
    if (!field) r.skip(tag & 7, end);
    else if (field.shape === 'map') readEntry(r, end, value[field.name] as Record<string, string>);
    else if (field.shape === 'many') readItems(r, field.type, tag & 7, end, value[field.name] as unknown[]);
    else value[field.name] = field.type.read(r, end);
  }
  return value;
}

/** Numbers may come packed into one value. */
function readItems(r: WireReader, type: Type, wireType: number, end: number, items: unknown[]): void {
  if (type.wireType !== 0 || wireType !== 2) {
    items.push(type.read(r, end));
    return;
  }
  const stop = r.lengthDelimited(end);
  while (r.pos < stop) items.push(type.read(r, stop));
}

function readEntry(r: WireReader, end: number, map: Record<string, string>): void {
  const stop = r.lengthDelimited(end);
  let key = '';
  let value = '';
  while (r.pos < stop) {
    const number = r.uint32(stop) >>> 3;
    if (number === 1) key = r.string(stop);
    else value = r.string(stop);
  }
  map[key] = value;
}

/** The writer works from the end to the start: last fields first, and a tag after its value. */
function writeMessage(w: WireWriter, { fields }: Message, message: Value): void {
  for (const { name, number, shape, type } of fields.toReversed()) {
    const value = message[name];
    if (value === undefined || value === null) continue;
    if (shape === 'map') writeEntries(w, number, value as Record<string, string>);
    else if (shape === 'many') writeItems(w, number, type, value as readonly unknown[]);
    else if (value !== 0 && value !== '' && value !== false) writeField(w, number, type, value);
  }
}

function writeField(w: WireWriter, number: number, type: Type, value: unknown): void {
  type.write(w, value);
  w.uint32((number << 3) | type.wireType);
}

function writeItems(w: WireWriter, number: number, type: Type, items: readonly unknown[]): void {
  if (type.wireType !== 0) {
    for (const item of items.toReversed()) writeField(w, number, type, item);
  } else if (items.length > 0) {
    writeDelimited(w, () => {
      for (const item of items.toReversed()) type.write(w, item);
    });
    w.uint32((number << 3) | 2);
  }
}

function writeEntries(w: WireWriter, number: number, map: Record<string, string>): void {
  for (const [key, value] of Object.entries(map).toReversed()) {
    writeDelimited(w, () => {
      writeField(w, 2, text, value);
      writeField(w, 1, text, key);
    });
    w.uint32((number << 3) | 2);
  }
}

function writeDelimited(w: WireWriter, write: () => void): void {
  const before = w.written;
  write();
  w.uint32(w.written - before);
}
