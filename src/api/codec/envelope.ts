/**
 * The envelope around every protobuf body: the magic `k8s\0` and a runtime.Unknown, which says what the bytes inside are.
 * Source: k8s.io/apimachinery pkg/runtime (generated.proto, serializer/protobuf).
 */
import { type ApiType, typeNamed, typeOfObject } from '../schema/schema.ts';
import { ProtobufError, WireReader } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

const magic: Uint8Array = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Buffer;
  readonly contentType: string;
  /** Undefined for a kind that is not in the tables. */
  readonly type: ApiType | undefined;
}

/** True when the bytes begin with the magic. */
function isProtobuf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && magic.every((b, i) => bytes[i] === b);
}

/** Opens the envelope. Throws ProtobufError. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (!isProtobuf(bytes)) throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  const reader = new WireReader(bytes);
  const end = reader.length;
  let apiVersion = '';
  let kind = '';
  let contentType = '';
  let encoding = '';
  let raw: Buffer = Buffer.alloc(0);
  reader.pos = magic.length;
  while (reader.pos < end) {
    const tag = reader.uint32(end);
    if (tag === 0x0a) {
      const stop = reader.lengthDelimited(end);
      while (reader.pos < stop) {
        const inner = reader.uint32(stop);
        if (inner === 0x0a) apiVersion = reader.string(stop);
        else if (inner === 0x12) kind = reader.string(stop);
        else reader.skip(inner & 7, stop);
      }
    } else if (tag === 0x12) raw = reader.bytes(end);
    else if (tag === 0x1a) encoding = reader.string(end);
    else if (tag === 0x22) contentType = reader.string(end);
    else reader.skip(tag & 7, end);
  }
  if (encoding !== '') throw new ProtobufError(`cannot read content encoding ${JSON.stringify(encoding)}`);
  // A WatchEvent names no type; it is nothing that could be stored.
  const type = kind === '' ? undefined : typeOfObject(apiVersion, kind);
  return { apiVersion, kind, raw, contentType, type };
}

/** Puts the envelope around the message that fills the writer, which began when `written` was `from`. */
export function writeEnvelope(writer: WireWriter, apiVersion: string, kind: string, writeBody: () => void): void {
  // Back to front. Go writes contentEncoding and contentType even though they are empty.
  writer.string('');
  writer.uint32(0x22);
  writer.string('');
  writer.uint32(0x1a);
  const bodyFrom = writer.written;
  writeBody();
  writer.uint32(writer.written - bodyFrom);
  writer.uint32(0x12);
  const typeFrom = writer.written;
  writer.string(kind);
  writer.uint32(0x12);
  writer.string(apiVersion);
  writer.uint32(0x0a);
  writer.uint32(writer.written - typeFrom);
  writer.uint32(0x0a);
  writer.raw(magic);
}

/** The type of a body that names none, by what the request expects. */
export function expectedType(expected: { readonly apiVersion: string; readonly kind: string } | undefined): ApiType | undefined {
  return expected && (typeOfObject(expected.apiVersion, expected.kind) ?? typeNamed(expected.kind));
}
