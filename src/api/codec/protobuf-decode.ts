/** Protobuf bytes → the object as JSON shows it, driven by the tables of `schema/`. */

import { formatMicroTime, formatTime } from '../../clock/timestamp.ts';
import type { ApiType, Field } from '../schema/schema.ts';
import { emptyEntry } from './empty-entry.ts';
import { decodeEnvelope } from './envelope.ts';
import type { Json } from './json-object.ts';
import type { Budget } from './limits.ts';
import { ProtobufError, WireReader } from './wire-reader.ts';

/** Decodes the message that fills `bytes`. Throws ProtobufError, and LimitError for what is too much of it. */
export function decodeMessage(bytes: Uint8Array, type: ApiType, target: Json = {}, budget?: Budget): Json {
  const reader = new WireReader(bytes, budget);
  readMessage(reader, type, reader.length, target);
  return target;
}

function readMessage(reader: WireReader, type: ApiType, end: number, target: Json): void {
  const fields = type.fieldsByNumber;
  reader.budget.enter();
  while (reader.pos < end) {
    reader.budget.value();
    const tag = reader.uint32(end);
    const field = fields[tag >>> 3];
    if (field === undefined) reader.skip(tag & 7, end);
    else readField(reader, field, tag & 7, end, target);
  }
  reader.budget.leave();
}

function readField(reader: WireReader, field: Field, wireType: number, end: number, target: Json): void {
  const expected = wireTypeOf(field);
  if (wireType !== expected) {
    if (field.shape === 'list' && expected === 0 && wireType === 2) {
      readPacked(reader, field, end, target);
      return;
    }
    throw new ProtobufError(`proto: wrong wireType = ${wireType} for field ${field.name}`);
  }
  if (field.inline && field.type) {
    const stop = reader.lengthDelimited(end);
    readMessage(reader, field.type, stop, target);
    return;
  }
  if (field.shape === 'map') {
    readMapEntry(reader, field, end, target);
    return;
  }
  const value = readValue(reader, field, end);
  if (field.shape === 'list') {
    const list = target[field.name];
    if (Array.isArray(list)) list.push(value);
    else target[field.name] = [value];
  } else if (value !== undefined && (field.zeroCounts || !isZero(value))) target[field.name] = value;
}

/** A sender may pack a list of numbers into one value. */
function readPacked(reader: WireReader, field: Field, end: number, target: Json): void {
  const stop = reader.lengthDelimited(end);
  target[field.name] ??= [];
  const list = target[field.name] as unknown[];
  while (reader.pos < stop) {
    reader.budget.value();
    list.push(readValue(reader, field, stop));
  }
}

/** An entry is a message of key and value; what is not there is zero. */
function readMapEntry(reader: WireReader, field: Field, end: number, target: Json): void {
  const stop = reader.lengthDelimited(end);
  let key = '';
  let value: unknown;
  while (reader.pos < stop) {
    const tag = reader.uint32(stop);
    if (tag === 0x0a) key = reader.string(stop);
    else if (tag >>> 3 === 2) value = readValue(reader, field, stop);
    else reader.skip(tag & 7, stop);
  }
  target[field.name] ??= {};
  const map = target[field.name] as Json;
  const content = value === undefined ? emptyEntry(field) : value;
  // Assigned, this name would change the prototype.
  if (key === '__proto__') Object.defineProperty(map, key, { value: content, enumerable: true, configurable: true, writable: true });
  else map[key] = content;
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}

function wireTypeOf(field: Field): number {
  if (field.shape === 'map') return 2;
  return field.kind === 'bool' || field.kind === 'int32' || field.kind === 'int64' ? 0 : 2;
}

/** The value of one entry; undefined for a zero time or an empty raw value, which JSON shows as null. */
function readValue(reader: WireReader, field: Field, end: number): unknown {
  switch (field.kind) {
    case 'string':
      return reader.string(end);
    case 'message': {
      const stop = reader.lengthDelimited(end);
      const value: Json = {};
      readMessage(reader, field.type as ApiType, stop, value);
      return value;
    }
    case 'bool':
      return reader.int64(end) !== 0;
    case 'int32':
      return reader.int64(end) | 0;
    case 'int64':
      return reader.int64(end);
    case 'bytes':
      return reader.bytes(end).toString('base64');
    default:
      return readSpecial(reader, field, end);
  }
}

function readSpecial(reader: WireReader, field: Field, end: number): unknown {
  const stop = reader.lengthDelimited(end);
  switch (field.kind) {
    case 'time':
    case 'microTime':
      return readTime(reader, field, stop);
    case 'quantity':
      return readLast(reader, stop, (r) => r.string(stop)) ?? '0';
    case 'intOrString':
      return readIntOrString(reader, stop);
    case 'strings': {
      const list: string[] = [];
      readLast(reader, stop, (r) => list.push(r.string(stop)));
      return list;
    }
    default: {
      const bytes = readLast(reader, stop, (r) => r.bytes(stop));
      return bytes === undefined || bytes.length === 0 ? undefined : decodeRaw(bytes, field, reader.budget);
    }
  }
}

/** Reads a message whose only field is number 1. */
function readLast<T>(reader: WireReader, stop: number, read: (reader: WireReader) => T): T | undefined {
  let value: T | undefined;
  while (reader.pos < stop) {
    const tag = reader.uint32(stop);
    reader.budget.value();
    if (tag === 0x0a) value = read(reader);
    else reader.skip(tag & 7, stop);
  }
  return value;
}

function readTime(reader: WireReader, field: Field, stop: number): string | undefined {
  // A zero Go time is an empty message.
  if (reader.pos === stop) return undefined;
  let seconds = 0;
  let nanos = 0;
  while (reader.pos < stop) {
    const tag = reader.uint32(stop);
    if (tag === 0x08) seconds = reader.int64(stop);
    else if (tag === 0x10) nanos = reader.int64(stop);
    else reader.skip(tag & 7, stop);
  }
  const text = (field.kind === 'time' ? formatTime : formatMicroTime)({ seconds, nanos });
  if (text === undefined) throw new ProtobufError(`Time.${field.name}: year outside of range [0,9999]`);
  return text;
}

function readIntOrString(reader: WireReader, stop: number): number | string {
  let isString = false;
  let number = 0;
  let text = '';
  while (reader.pos < stop) {
    const tag = reader.uint32(stop);
    if (tag === 0x08) isString = reader.int64(stop) !== 0;
    else if (tag === 0x10) number = reader.int64(stop) | 0;
    else if (tag === 0x1a) text = reader.string(stop);
    else reader.skip(tag & 7, stop);
  }
  return isString ? text : number;
}

/** A RawExtension holds JSON, or a whole enveloped object (in watch events); FieldsV1 is JSON. */
function decodeRaw(bytes: Buffer, field: Field, budget: Budget): unknown {
  if (bytes[0] === 0x6b) {
    const envelope = decodeEnvelope(bytes);
    const type = envelope?.type;
    if (!envelope || !type) throw new ProtobufError(`${field.name}: object of an unknown kind`);
    return decodeMessage(envelope.raw, type, { kind: envelope.kind, apiVersion: envelope.apiVersion }, budget);
  }
  budget.json(bytes);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new ProtobufError(`${field.name}: ${cause instanceof Error ? cause.message : 'not JSON'}`);
  }
}
