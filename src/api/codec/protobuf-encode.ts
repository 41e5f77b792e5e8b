/** The object as JSON shows it → protobuf bytes, driven by the tables of `schema/`. Fields by rising number, maps by key, as Go does. */

import { parseInstant } from '../../clock/timestamp.ts';
import type { ApiType, Field } from '../schema/schema.ts';
import { asGoWrites } from './go-json.ts';
import { ProtobufError } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

type Json = Readonly<Record<string, unknown>>;

/** Writes the fields of a message, without a length. Throws ProtobufError when a value is not of its type. */
export function writeMessage(writer: WireWriter, type: ApiType, value: Json): void {
  const fields = type.wireFields;
  for (let i = fields.length - 1; i >= 0; i--) {
    const field = fields[i] as Field;
    if (field.inline && field.type) {
      const from = writer.written;
      writeMessage(writer, field.type, value);
      writer.uint32(writer.written - from);
      writer.uint32((field.number << 3) | 2);
      continue;
    }
    const content = value[field.name];
    if (content !== undefined && content !== null) writeField(writer, field, content);
  }
}

function writeField(writer: WireWriter, field: Field, content: unknown): void {
  if (field.shape === 'one') {
    writeValue(writer, field, content, field.number);
  } else if (field.shape === 'list') {
    if (!Array.isArray(content)) throw mismatch(field, content);
    for (let i = content.length - 1; i >= 0; i--) writeValue(writer, field, content[i], field.number);
  } else {
    if (typeof content !== 'object') throw mismatch(field, content);
    writeMap(writer, field, content as Json);
  }
}

function writeMap(writer: WireWriter, field: Field, map: Json): void {
  const keys = Object.keys(map).sort();
  for (let i = keys.length - 1; i >= 0; i--) {
    const key = keys[i] as string;
    const from = writer.written;
    const entry = map[key];
    if (entry === null || entry === undefined) writeEmptyEntry(writer, field);
    else writeValue(writer, field, entry, 2);
    writer.string(key);
    writer.uint32(0x0a);
    writer.uint32(writer.written - from);
    writer.uint32((field.number << 3) | 2);
  }
}

/** Null in JSON is Go's zero value: an empty message, and nothing at all for a scalar. */
function writeEmptyEntry(writer: WireWriter, field: Field): void {
  if (field.kind === 'string' || field.kind === 'bytes' || field.kind === 'bool' || field.kind === 'int32' || field.kind === 'int64')
    return;
  writer.uint32(0);
  writer.uint32(0x12);
}

function mismatch(field: Field, value: unknown): ProtobufError {
  return new ProtobufError(`${field.owner}.${field.name}: cannot encode ${JSON.stringify(value)} as ${field.kind}`);
}

function textOf(field: Field, value: unknown): string {
  if (typeof value !== 'string') throw mismatch(field, value);
  return value;
}

function writeValue(writer: WireWriter, field: Field, value: unknown, number: number): void {
  switch (field.kind) {
    case 'string':
      writer.string(textOf(field, value));
      break;
    case 'bool':
      writer.uint32(value === true ? 1 : 0);
      writer.uint32(number << 3);
      return;
    case 'int32':
    case 'int64':
      if (typeof value !== 'number') throw mismatch(field, value);
      writer.int64(value);
      writer.uint32(number << 3);
      return;
    case 'bytes':
      writer.bytes(Buffer.from(textOf(field, value), 'base64'));
      break;
    default: {
      const from = writer.written;
      if (field.kind === 'message') {
        if (typeof value !== 'object' || value === null) throw mismatch(field, value);
        writeMessage(writer, field.type as ApiType, value as Json);
      } else writeSpecial(writer, field, value);
      writer.uint32(writer.written - from);
    }
  }
  writer.uint32((number << 3) | 2);
}

function writeSpecial(writer: WireWriter, field: Field, value: unknown): void {
  switch (field.kind) {
    case 'time':
    case 'microTime': {
      const instant = parseInstant(textOf(field, value));
      if (!instant) throw mismatch(field, value);
      // Go keeps microseconds of a MicroTime, and no fraction of a Time.
      writer.int64(field.kind === 'time' ? 0 : instant.nanos - (instant.nanos % 1000));
      writer.uint32(0x10);
      writer.int64(instant.seconds);
      writer.uint32(0x08);
      return;
    }
    case 'quantity':
      writer.string(String(value));
      writer.uint32(0x0a);
      return;
    case 'intOrString':
      // Go writes all three fields always.
      writer.string(typeof value === 'string' ? value : '');
      writer.uint32(0x1a);
      writer.int64(typeof value === 'number' ? value : 0);
      writer.uint32(0x10);
      writer.uint32(typeof value === 'string' ? 1 : 0);
      writer.uint32(0x08);
      return;
    case 'strings': {
      const list = value as readonly unknown[];
      for (let i = list.length - 1; i >= 0; i--) {
        writer.string(textOf(field, list[i]));
        writer.uint32(0x0a);
      }
      return;
    }
    default:
      writer.string(JSON.stringify(field.kind === 'raw' ? asGoWrites(value) : value));
      writer.uint32(0x0a);
  }
}
