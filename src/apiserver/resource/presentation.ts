/**
 * The shapes in which one object can be shown: as it is, as of another API version, as a Table row, as metadata only; and how it is
 * written. What a presentation makes of an object is bytes, so that lists are concatenations and watchers share frames.
 */
import type { KindedObject } from '../../api/codec/protobuf.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { Encoding } from '../http/encoding.ts';

/** Of Tables and PartialObjectMetadata. */
export const metaVersion = 'meta.k8s.io/v1';

export interface Presentation {
  /** Equal for presentations that make equal bytes. */
  readonly id: string;
  readonly encoding: Encoding;
  /** One object alone, as GET and watch events show it. */
  one(object: CachedObject): Buffer;
  /** A list, in pieces that make a whole when written one after the other. `meta` is the ListMeta. */
  list(meta: object, objects: readonly CachedObject[]): Iterable<Buffer>;
  /** An object without content that only carries metadata: for bookmarks. */
  empty(meta: object): KindedObject;
  /** Makes now, a few at a time, what is made once for all readers of these objects; without it the first reader would hold everybody up. */
  prepare?(objects: readonly CachedObject[]): Promise<void>;
}

/** The object in the row's version, which a `remote` has made already; shared, not to be changed. */
export function viewOf(row: ResourceRow, object: CachedObject): KubeObject {
  return row.conversion ? row.conversion.fromStored(object.object) : object.object;
}

/** The object in the row's version, which a `remote` has made already; the caller's own. */
export function copyOf(row: ResourceRow, object: CachedObject): KubeObject {
  return row.conversion ? row.conversion.fromStored(object.copy()) : object.copy();
}
