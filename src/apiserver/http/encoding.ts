/** How an answer is written: as JSON, as protobuf, which programs prefer, or as YAML. What it says is the same. */

import { encodeProtobuf, type KindedObject, watchFrame } from '../../api/codec/protobuf.ts';
import { toYaml } from '../../api/codec/to-yaml.ts';

export interface Encoding {
  readonly name: 'json' | 'protobuf' | 'yaml';
  readonly contentType: string;
  /** The content type of a watch; undefined where there is none. */
  readonly streamType: string | undefined;
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

export const yaml: Encoding = {
  name: 'yaml',
  contentType: 'application/yaml',
  streamType: undefined,
  encode: (object) => Buffer.from(toYaml(object)),
  event: () => {
    throw new TypeError('YAML has no events');
  },
};
