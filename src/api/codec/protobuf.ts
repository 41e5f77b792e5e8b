/**
 * `application/vnd.kubernetes.protobuf`: kubectl 1.32 and later send it, client-go programs prefer it in answers. Objects go in
 * and come out as JSON shows them. Lists and watch events can be put together from messages that are encoded already.
 */
import type { KubeObject } from '../resource-types.ts';
import { type ApiType, typeNamed, typeOfObject } from '../schema/schema.ts';
import { decodeEnvelope, expectedType, writeEnvelope } from './envelope.ts';
import { measureJson } from './limits.ts';
import { decodeMessage } from './protobuf-decode.ts';
import { writeMessage } from './protobuf-encode.ts';
import { ProtobufError } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** What a request expects its body to be, for bodies that do not say. */
export interface ExpectedKind {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * Decodes a body with its envelope; JSON inside the envelope is taken too. `expected` types a body that names no kind.
 * Throws ProtobufError: no envelope, broken bytes, or a kind that is not in the tables; LimitError for what is too much.
 */
export function decodeProtobuf(bytes: Uint8Array, expected?: ExpectedKind): KubeObject {
  const envelope = decodeEnvelope(bytes);
  const { raw, apiVersion, kind } = envelope;
  // `{` begins no protobuf message (it would be a group, which proto3 does not have).
  if (raw[0] === 0x7b) return parseJson(raw);
  const type = envelope.type ?? (kind === '' ? expectedType(expected) : undefined);
  if (!type) throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
  const named = kind === '' ? expected && type.isKind && expected : { kind, apiVersion };
  return decodeMessage(raw, type, named ? { kind: named.kind, apiVersion: named.apiVersion } : {}) as unknown as KubeObject;
}

function parseJson(raw: Buffer): KubeObject {
  measureJson(raw);
  try {
    return JSON.parse(raw.toString('utf8')) as KubeObject;
  } catch (cause) {
    throw new ProtobufError(cause instanceof Error ? cause.message : 'not JSON');
  }
}

/** True when objects of the kind can be encoded; a server answers JSON for the others. */
export function hasProtobuf(apiVersion: string, kind: string): boolean {
  return typeOfObject(apiVersion, kind) !== undefined;
}

/** Encoding does not nest across calls, so that one buffer serves all. */
const writer = new WireWriter();

/** Encodes an object with its envelope. Throws ProtobufError for a kind that is not in the tables or a value that is not of its type. */
export function encodeProtobuf(object: { readonly apiVersion: string; readonly kind: string }): Buffer {
  const { apiVersion, kind } = object;
  const type = typeOfObject(apiVersion, kind);
  if (!type) throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
  writer.reset();
  writeEnvelope(writer, apiVersion, kind, () => writeMessage(writer, type, object as unknown as Record<string, unknown>));
  return writer.finish();
}

/** The message alone, as it stands in a list. */
export function encodeItem(object: object, type: ApiType): Buffer {
  writer.reset();
  writeMessage(writer, type, object as Record<string, unknown>);
  return writer.finish();
}

/** A list (`v1`, `PodList`) from its metadata and items that `encodeItem` made. Every list has metadata as 1 and items as 2. */
export function encodeList(apiVersion: string, listKind: string, metadata: object, items: readonly Uint8Array[]): Buffer {
  writer.reset();
  writeEnvelope(writer, apiVersion, listKind, () => {
    for (let i = items.length - 1; i >= 0; i--) {
      writer.bytes(items[i] as Uint8Array);
      writer.uint32(0x12);
    }
    writer.bytes(encodeListMeta(metadata));
    writer.uint32(0x0a);
  });
  return writer.finish();
}

function encodeListMeta(metadata: object): Buffer {
  const own = new WireWriter();
  writeMessage(own, typeNamed('meta.v1.ListMeta') as ApiType, metadata as Record<string, unknown>);
  return own.finish();
}

/** The envelope around an item that `encodeItem` made: the object of a watch event or of a GET. */
export function wrapItem(apiVersion: string, kind: string, item: Uint8Array): Buffer {
  writer.reset();
  writeEnvelope(writer, apiVersion, kind, () => writer.raw(item));
  return writer.finish();
}

/** One frame of `;stream=watch`: four bytes of length, then a WatchEvent without envelope, whose object (`wrapItem`) has one. */
export function encodeWatchEvent(type: string, object: Uint8Array): Buffer {
  writer.reset();
  const from = writer.written;
  writer.bytes(object);
  writer.uint32(0x0a);
  writer.uint32(writer.written - from);
  writer.uint32(0x12);
  writer.string(type);
  writer.uint32(0x0a);
  const frame = writer.finish();
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}
