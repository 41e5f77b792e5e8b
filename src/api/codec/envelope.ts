/**
 * The envelope around every protobuf body: the magic `k8s\0` and a runtime.Unknown, which says what the bytes inside are.
 * Source: k8s.io/apimachinery pkg/runtime (generated.proto, serializer/protobuf).
 */
import { type ApiType, typeNamed, typeOfObject } from '../schema/schema.ts';
import { ProtobufError, WireReader } from './wire-reader.ts';

const magic: Uint8Array = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Buffer;
  /** Undefined for a kind that is not in the tables. */
  readonly type: ApiType | undefined;
}

/** Opens the envelope. Throws ProtobufError. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  if (!magic.every((b, i) => bytes[i] === b))
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  const reader = new WireReader(bytes);
  const end = reader.length;
  let [apiVersion, kind, encoding] = ['', '', ''];
  let raw: Buffer = Buffer.alloc(0);
  const readType = (): void => {
    const stop = reader.lengthDelimited(end);
    readFields(reader, stop, {
      10: () => (apiVersion = reader.string(stop)),
      18: () => (kind = reader.string(stop)),
    });
  };
  reader.pos = magic.length;
  readFields(reader, end, {
    10: readType,
    18: () => (raw = reader.bytes(end)),
    26: () => (encoding = reader.string(end)),
  });
  if (encoding !== '') throw new ProtobufError(`cannot read content encoding ${JSON.stringify(encoding)}`);
  // A WatchEvent names no type; it is nothing that could be stored.
  const type = kind === '' ? undefined : typeOfObject(apiVersion, kind);
  return { apiVersion, kind, raw, type };
}

/** Reads the fields of a message by their tags, and passes over the others. */
function readFields(reader: WireReader, end: number, read: Readonly<Record<number, () => unknown>>): void {
  while (reader.pos < end) {
    const tag = reader.uint32(end);
    const field = read[tag];
    if (field) field();
    else reader.skip(tag & 7, end);
  }
}

/** The tag and the length of a field that is a message, a text or bytes. */
export function fieldHead(field: number, length: number): Buffer {
  const out = Buffer.allocUnsafe(10);
  let at = 0;
  for (const value of [(field << 3) | 2, length]) {
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
    out[at++] = rest;
  }
  return out.subarray(0, at);
}

function textField(field: number, text: string): Buffer {
  return Buffer.concat([fieldHead(field, Buffer.byteLength(text)), Buffer.from(text)]);
}

/** What stands before a message of so many bytes. */
export function envelopeHead(apiVersion: string, kind: string, length: number): Buffer {
  const type = Buffer.concat([textField(1, apiVersion), textField(2, kind)]);
  return Buffer.concat([magic, fieldHead(1, type.length), type, fieldHead(2, length)]);
}

/** What stands behind the message: Go writes contentEncoding and contentType even though they are empty. */
export const envelopeTail: Buffer = Buffer.of(0x1a, 0, 0x22, 0);

/** The type of a body that names none, by what the request expects. */
export function expectedType(expected: { readonly apiVersion: string; readonly kind: string } | undefined): ApiType | undefined {
  return expected && (typeOfObject(expected.apiVersion, expected.kind) ?? typeNamed(expected.kind));
}
