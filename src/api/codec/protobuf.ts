/**
 * `application/vnd.kubernetes.protobuf`: kubectl 1.32 and later send it, client-go programs prefer it in answers. Objects go in
 * and come out as JSON shows them. Lists and watch events can be put together from messages that are encoded already.
 */
import type { KubeObject } from '../resource-types.ts';
import { type ApiType, typeNamed, typeOfObject } from '../schema/schema.ts';
import { decodeEnvelope, envelopeHead, envelopeTail, expectedType, fieldHead } from './envelope.ts';
import { measureJson } from './limits.ts';
import { decodeMessage } from './protobuf-decode.ts';
import { writeMessage } from './protobuf-encode.ts';
import { ProtobufError, WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** An object that says what it is. */
export interface KindedObject {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * Decodes a body with its envelope; JSON inside the envelope is taken too. `expected` types a body that names no kind.
 * Throws ProtobufError: no envelope, broken bytes, or a kind that is not in the tables; LimitError for what is too much.
 */
export function decodeProtobuf(bytes: Uint8Array, expected?: KindedObject): KubeObject {
  const envelope = decodeEnvelope(bytes);
  const { raw, apiVersion, kind } = envelope;
  // `{` begins no protobuf message (it would be a group, which proto3 does not have).
  if (raw[0] === 0x7b) return parseJson(raw);
  const type = envelope.type ?? (kind === '' ? expectedType(expected) : undefined);
  if (!type) throw unregistered(apiVersion, kind);
  const named = kind === '' ? expected && type.isKind && expected : { kind, apiVersion };
  return decodeMessage(raw, type, named ? { kind: named.kind, apiVersion: named.apiVersion } : {}) as unknown as KubeObject;
}

function unregistered(apiVersion: string, kind: string): ProtobufError {
  return new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
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
export function encodeProtobuf(object: KindedObject): Buffer {
  return wrapMessage(object.apiVersion, object.kind, encodeMessage(object));
}

/** The object without envelope, as it stands in a list. Throws ProtobufError. */
export function encodeMessage(object: KindedObject): Buffer {
  const { apiVersion, kind } = object;
  const type = typeOfObject(apiVersion, kind);
  if (!type) throw unregistered(apiVersion, kind);
  return messageOf(type, object);
}

function messageOf(type: ApiType, object: object): Buffer {
  writer.reset();
  writeMessage(writer, type, object as Record<string, unknown>);
  return writer.finish();
}

/** The envelope around a message: the answer to a GET, the object of a watch event. */
export function wrapMessage(apiVersion: string, kind: string, message: Buffer): Buffer {
  return Buffer.concat([envelopeHead(apiVersion, kind, message.length), message, envelopeTail]);
}

/** A list (`v1`, `PodList`) in pieces, from its metadata and messages. Every list has its metadata as field 1 and its items as field 2. */
export function listOfMessages(apiVersion: string, listKind: string, metadata: object, messages: readonly Buffer[]): Buffer[] {
  const meta = messageOf(typeNamed('meta.v1.ListMeta') as ApiType, metadata);
  const items: Buffer[] = [];
  let size = fieldHead(1, meta.length).length + meta.length;
  for (const message of messages) {
    const head = fieldHead(2, message.length);
    items.push(head, message);
    size += head.length + message.length;
  }
  const head = Buffer.concat([envelopeHead(apiVersion, listKind, size), fieldHead(1, meta.length), meta]);
  return [head, ...items, envelopeTail];
}

/** The PartialObjectMetadata of an object's message: a piece of it, because every kind has its metadata as the first field. */
export function metadataOf(message: Buffer): Buffer {
  if (message[0] !== 0x0a) return message.subarray(0, 0);
  const reader = new WireReader(message);
  reader.pos = 1;
  return message.subarray(0, reader.lengthDelimited(reader.length));
}

/** One frame of `;stream=watch`: four bytes of length, then a WatchEvent without envelope, whose object has one (`wrapMessage`). */
export function watchFrame(type: string, object: Buffer): Buffer {
  const name = Buffer.from(type);
  // The object is a RawExtension, whose only field is bytes.
  const raw = fieldHead(1, object.length);
  const event = [fieldHead(1, name.length), name, fieldHead(2, raw.length + object.length), raw, object];
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(event.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([length, ...event]);
}
