/**
 * Objects as protobuf. The message of an object is made when the first reader asks for one, and shared by all: it stands in lists as it is,
 * an envelope around it is the answer to a GET, and its front is the metadata.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeMessage, type KindedObject, listOfMessages, metadataOf, wrapMessage } from '../../api/codec/protobuf.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf } from '../../api/resource-types.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { protobuf } from '../http/encoding.ts';
import { metaVersion, type Presentation, viewOf } from './presentation.ts';

/** How long the thread works on messages before others have their turn. */
const sliceMs = 5;

export function protobufPresentation(row: ResourceRow): Presentation {
  return presentation(row, { apiVersion: apiVersionOf(row.type), kind: row.type.kind, listKind: row.listKind }, (message) => message);
}

export function protobufMetadata(row: ResourceRow): Presentation {
  const names = { apiVersion: metaVersion, kind: 'PartialObjectMetadata', listKind: 'PartialObjectMetadataList' };
  return presentation(row, names, metadataOf);
}

interface Names {
  readonly apiVersion: string;
  readonly kind: string;
  readonly listKind: string;
}

function presentation(row: ResourceRow, { apiVersion, kind, listKind }: Names, partOf: (message: Buffer) => Buffer): Presentation {
  const message = (o: CachedObject): Buffer => partOf(row.conversion ? encodeMessage(viewOf(row, o)) : o.message);
  return {
    id: `protobuf ${apiVersion} ${kind}`,
    encoding: protobuf,
    one: (o) => wrapMessage(apiVersion, kind, message(o)),
    list: (meta, objects) => listOfMessages(apiVersion, listKind, meta, objects.map(message)),
    empty: (metadata) => ({ apiVersion, kind, metadata }) as KindedObject,
    async prepare(objects) {
      let began = performance.now();
      for (const object of row.conversion ? [] : objects) {
        void object.message;
        if (performance.now() - began < sliceMs) continue;
        await nextTurn();
        began = performance.now();
      }
    },
  };
}
