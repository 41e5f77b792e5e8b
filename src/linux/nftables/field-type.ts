/**
 * The types of the fields that keys and values of sets are made of: their numbers in nft (`enum datatypes`, nftables'
 * datatype.h), their width, and how one value turns from text into the bytes of a register and back.
 */
import { bytesToIp, ipToBytes } from '../../ip/ip.ts';

export interface FieldType {
  readonly name: string;
  /** nft's number for the type; packed six bits each to describe a concatenation. */
  readonly id: number;
  /** Bytes of the value; a register slot is padded to four. */
  readonly length: number;
  encode(text: string, into: Uint8Array, at: number): void;
  decode(bytes: Uint8Array, at: number): string;
}

export const protocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };
const protocolNames = new Map(Object.entries(protocols).map(([name, number]) => [number, name]));

const dot = 46;

function encodeIpv4(text: string, into: Uint8Array, at: number): void {
  let octet = -1;
  let end = at;
  for (let i = 0; i <= text.length; i++) {
    const c = i === text.length ? dot : text.charCodeAt(i);
    if (c >= 48 && c <= 57) octet = Math.max(octet, 0) * 10 + c - 48;
    else if (c === dot && octet >= 0 && octet < 256) {
      into[end++] = octet;
      octet = -1;
    } else break;
  }
  // What is half an address here, or of the other family, would be some other address in the kernel.
  if (end !== at + 4 || octet !== -1) throw new RangeError(`Cannot use "${text}" as an IPv4 address in a set element`);
}

function number(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 0) throw new RangeError(`Cannot use "${text}" as a number in a set element`);
  return n;
}

const ipv4: FieldType = {
  name: 'ipv4_addr',
  id: 7,
  length: 4,
  encode: encodeIpv4,
  decode: (b, at) => `${b[at]}.${b[at + 1]}.${b[at + 2]}.${b[at + 3]}`,
};

const ipv6: FieldType = {
  name: 'ipv6_addr',
  id: 8,
  length: 16,
  encode: (text, into, at) => into.set(ipToBytes(text), at),
  decode: (b, at) => bytesToIp(b.subarray(at, at + 16)),
};

const protocol: FieldType = {
  name: 'inet_proto',
  id: 12,
  length: 1,
  encode(text, into, at) {
    into[at] = protocols[text] ?? number(text);
  },
  decode: (b, at) => protocolNames.get(b[at] ?? 0) ?? String(b[at]),
};

const port: FieldType = {
  name: 'inet_service',
  id: 13,
  length: 2,
  encode(text, into, at) {
    const n = number(text);
    into[at] = n >>> 8;
    into[at + 1] = n & 255;
  },
  decode: (b, at) => String(((b[at] ?? 0) << 8) | (b[at + 1] ?? 0)),
};

/** A number as the kernel computes it (`numgen`, `jhash`): host order. */
const integer: FieldType = {
  name: 'integer',
  id: 4,
  length: 4,
  encode(text, into, at) {
    const n = number(text);
    into[at] = n & 255;
    into[at + 1] = (n >>> 8) & 255;
    into[at + 2] = (n >>> 16) & 255;
    into[at + 3] = n >>> 24;
  },
  decode: (b, at) => String(((b[at] ?? 0) | ((b[at + 1] ?? 0) << 8) | ((b[at + 2] ?? 0) << 16) | ((b[at + 3] ?? 0) << 24)) >>> 0),
};

const all = [ipv4, ipv6, protocol, port, integer];
const byName = new Map(all.map((t) => [t.name, t]));
const byId = new Map(all.map((t) => [t.id, t]));

/** What a field of a `typeof` declaration evaluates to, and nft's notes on it (`struct expr_ops` build_udata). */
interface TypeofField {
  readonly type: FieldType;
  readonly notes: Uint8Array;
}

function note(type: number, value: Uint8Array): Uint8Array {
  return Uint8Array.of(type, value.length, ...value);
}

function hostNote(type: number, value: number): Uint8Array {
  return note(type, Uint8Array.of(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24));
}

function expression(kind: number, ...notes: Uint8Array[]): Uint8Array {
  return Buffer.concat([hostNote(0, kind), note(1, Buffer.concat(notes))]);
}

const payload = (header: number, field: number): Uint8Array => expression(7, hostNote(0, header), hostNote(1, field));

const typeofFields = new Map<string, TypeofField>([
  ['ip saddr', { type: ipv4, notes: payload(12, 11) }],
  ['ip daddr', { type: ipv4, notes: payload(12, 12) }],
  ['ip6 saddr', { type: ipv6, notes: payload(13, 8) }],
  ['ip6 daddr', { type: ipv6, notes: payload(13, 9) }],
  ['th sport', { type: port, notes: payload(11, 1) }],
  ['th dport', { type: port, notes: payload(11, 2) }],
  ['meta l4proto', { type: protocol, notes: expression(9, hostNote(0, 16)) }],
  ['numgen random mod 65536', { type: integer, notes: expression(23, hostNote(0, 1), hostNote(1, 65536), hostNote(2, 0)) }],
]);

/** The type that a declaration's field names. */
export function fieldType(field: string): FieldType {
  const type = byName.get(field) ?? typeofFields.get(field)?.type;
  if (!type) throw new RangeError(`Cannot use "${field}" as a field of a set: unknown type`);
  return type;
}

/** What nft reads back to print `typeof …`: a concatenation of the fields' notes. */
export function typeofNotes(fields: readonly string[]): Uint8Array {
  const notes = fields.map((field) => {
    const known = typeofFields.get(field);
    if (!known) throw new RangeError(`Cannot use "typeof ${field}": unknown expression`);
    return known.notes;
  });
  const only = notes[0];
  if (notes.length === 1 && only) return only;
  return expression(13, ...notes.map((n, i) => note(i, n)));
}

/** The number by which nft knows a type or a concatenation. */
export function typeNumber(types: readonly FieldType[]): number {
  return types.reduce((sum, type) => sum * 64 + type.id, 0);
}

/** The types behind such a number; undefined when one is not known here. */
export function typesOfNumber(value: number): FieldType[] | undefined {
  const types: FieldType[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 64)) {
    const type = byId.get(rest % 64);
    if (!type) return undefined;
    types.unshift(type);
  }
  return types;
}

const slot = (length: number): number => (length + 3) & ~3;

/** Bytes of a key or value: one field as it is, several padded to four each. */
export function widthOf(types: readonly FieldType[]): number {
  const only = types[0];
  return types.length === 1 && only ? only.length : types.reduce((sum, type) => sum + slot(type.length), 0);
}

/** Encodes `10.96.0.1 . tcp . 80`. */
export function encodeFields(types: readonly FieldType[], text: string): Uint8Array {
  const bytes = new Uint8Array(widthOf(types));
  let at = 0;
  let from = 0;
  for (const type of types) {
    const dot = text.indexOf(' . ', from);
    type.encode(dot < 0 ? text.slice(from) : text.slice(from, dot), bytes, at);
    from = dot < 0 ? text.length : dot + 3;
    at += slot(type.length);
  }
  return bytes;
}

export function decodeFields(types: readonly FieldType[], bytes: Uint8Array): string {
  let text = '';
  let at = 0;
  for (const type of types) {
    text += at === 0 ? type.decode(bytes, at) : ` . ${type.decode(bytes, at)}`;
    at += slot(type.length);
  }
  return text;
}

/** First and last key of an element whose last field is a prefix or goes from one value to another: `10.96.0.1 . tcp . 80 . 10.0.0.0/8`. */
export function encodeInterval(types: readonly FieldType[], text: string): [first: Uint8Array, last: Uint8Array] {
  const dash = text.lastIndexOf('-');
  if (dash >= 0) {
    const dot = text.lastIndexOf(' . ');
    const outer = dot < 0 ? '' : text.slice(0, dot + 3);
    return [encodeFields(types, text.slice(0, dash)), encodeFields(types, outer + text.slice(dash + 1))];
  }
  const slash = text.lastIndexOf('/');
  const first = encodeFields(types, slash < 0 ? text : text.slice(0, slash));
  const last = Uint8Array.from(first);
  const type = types.at(-1);
  if (slash >= 0 && type) {
    const from = last.length - slot(type.length);
    for (let bit = Number(text.slice(slash + 1)); bit < type.length * 8; bit++) {
      const at = from + (bit >> 3);
      last[at] = (last[at] ?? 0) | (128 >> (bit & 7));
    }
  }
  return [first, last];
}

export function decodeInterval(types: readonly FieldType[], first: Uint8Array, last: Uint8Array): string {
  const text = decodeFields(types, first);
  const type = types.at(-1);
  if (!type) return text;
  const from = first.length - slot(type.length);
  let prefix = 0;
  while (
    prefix < type.length * 8 &&
    (((first[from + (prefix >> 3)] ?? 0) ^ (last[from + (prefix >> 3)] ?? 0)) & (128 >> (prefix & 7))) === 0
  )
    prefix++;
  if (prefix === type.length * 8) return text;
  if (isWhole(first, last, from * 8 + prefix, (from + type.length) * 8)) return `${text}/${prefix}`;
  return `${text}-${type.decode(last, from)}`;
}

/** Whether from this bit on one has none set and the other all. */
function isWhole(first: Uint8Array, last: Uint8Array, from: number, end: number): boolean {
  for (let bit = from; bit < end; bit++) {
    const mask = 128 >> (bit & 7);
    if (((first[bit >> 3] ?? 0) & mask) !== 0 || ((last[bit >> 3] ?? 0) & mask) === 0) return false;
  }
  return true;
}
