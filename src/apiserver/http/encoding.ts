/** How an answer is written: as JSON, or as protobuf, which programs prefer. What it says is the same. */
import { encodeProtobuf, type KindedObject, watchFrame } from '../../api/codec/protobuf.ts';

export interface Encoding {
  readonly name: 'json' | 'protobuf';
  readonly contentType: string;
  /** The content type of a watch. */
  readonly streamType: string;
  encode(object: KindedObject): Buffer;
  /** One event of a watch; the object is encoded already. */
  event(type: string, object: Buffer): Buffer;
}

const heads = new Map<string, Buffer>();
const tail = Buffer.from('}\n');

function eventHead(type: string): Buffer {
  const head = heads.get(type) ?? Buffer.from(`{"type":"${type}","object":`);
  heads.set(type, head);
  return head;
}

export const json: Encoding = {
  name: 'json',
  contentType: 'application/json',
  streamType: 'application/json',
  encode: (object) => Buffer.from(JSON.stringify(object)),
  event: (type, object) => Buffer.concat([eventHead(type), object, tail]),
};

export const protobuf: Encoding = {
  name: 'protobuf',
  contentType: 'application/vnd.kubernetes.protobuf',
  streamType: 'application/vnd.kubernetes.protobuf;stream=watch',
  encode: encodeProtobuf,
  event: watchFrame,
};
