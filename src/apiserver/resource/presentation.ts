/**
 * The shapes in which one object can be shown: as it is, as of another API version, as a Table row, as metadata only. What a
 * presentation makes of an object is bytes, so that lists are concatenations and watchers share frames.
 */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource-types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { AnswerShape } from '../http/negotiate.ts';
import { badRequest } from '../status/status-error.ts';

export interface Presentation {
  /** Equal for presentations that make equal bytes. */
  readonly id: string;
  /** One object alone, as GET and watch events show it. */
  one(object: CachedObject): Buffer;
  /** One object as an element of a list. */
  item(object: CachedObject): Buffer;
  /** What stands before the elements. `meta` is the ListMeta. */
  listHead(meta: object): string;
  readonly listTail: string;
  /** An object without content that only carries metadata: for bookmarks. */
  empty(meta: object): object;
}

/** The object in the row's version; shared, not to be changed. */
export function viewOf(row: ResourceRow, object: CachedObject): KubeObject {
  return row.conversion ? row.conversion.fromStored(object.object) : object.object;
}

/** The object in the row's version; the caller's own. */
export function copyOf(row: ResourceRow, object: CachedObject): KubeObject {
  return row.conversion ? row.conversion.fromStored(object.copy()) : object.copy();
}

export function presentationOf(row: ResourceRow, shape: AnswerShape, query: URLSearchParams, clock: Clock): Presentation {
  if (shape === 'table') return tablePresentation(row, query.get('includeObject') ?? 'Metadata', clock);
  if (shape === 'metadata') return metadataPresentation(row);
  return plainPresentation(row);
}

function plainPresentation(row: ResourceRow): Presentation {
  const apiVersion = apiVersionOf(row.type);
  const bytes = row.conversion
    ? (o: CachedObject): Buffer => Buffer.from(JSON.stringify(viewOf(row, o)))
    : (o: CachedObject): Buffer => o.bytes;
  return {
    id: `plain ${apiVersion}`,
    one: bytes,
    item: bytes,
    listHead: (meta) => `{"kind":"${row.listKind}","apiVersion":"${apiVersion}","metadata":${JSON.stringify(meta)},"items":[`,
    listTail: ']}\n',
    empty: (meta) => ({ kind: row.type.kind, apiVersion, metadata: meta }),
  };
}

const metaVersion = 'meta.k8s.io/v1';

function partial(o: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata: o.metadata };
}

function metadataPresentation(row: ResourceRow): Presentation {
  const bytes = (o: CachedObject): Buffer => Buffer.from(JSON.stringify(partial(viewOf(row, o))));
  return {
    id: 'metadata',
    one: bytes,
    item: bytes,
    listHead: (meta) => `{"kind":"PartialObjectMetadataList","apiVersion":"${metaVersion}","metadata":${JSON.stringify(meta)},"items":[`,
    listTail: ']}\n',
    empty: (meta) => ({ kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata: meta }),
  };
}

function tablePresentation(row: ResourceRow, includeObject: string, clock: Clock): Presentation {
  if (includeObject !== 'Metadata' && includeObject !== 'Object' && includeObject !== 'None') {
    throw badRequest(`unrecognized includeObject value: ${JSON.stringify(includeObject)}`);
  }
  const columns = JSON.stringify(row.columns.definitions);
  const head = (meta: object): string =>
    `{"kind":"Table","apiVersion":"${metaVersion}","metadata":${JSON.stringify(meta)},"columnDefinitions":${columns},"rows":[`;
  const rowOf = (o: CachedObject): string => {
    const object = viewOf(row, o);
    const conditions = row.columns.conditions?.(object) ?? [];
    return JSON.stringify({
      cells: row.columns.cells(object, new Date(clock.now())),
      ...(conditions.length > 0 ? { conditions } : {}),
      object: includeObject === 'None' ? null : includeObject === 'Object' ? object : partial(object),
    });
  };
  return {
    id: `table ${apiVersionOf(row.type)} ${includeObject}`,
    one: (o) => Buffer.from(`${head({ resourceVersion: String(o.revision) })}${rowOf(o)}]}`),
    item: (o) => Buffer.from(rowOf(o)),
    listHead: head,
    listTail: ']}\n',
    empty: (meta) => ({ kind: 'Table', apiVersion: metaVersion, metadata: meta, columnDefinitions: row.columns.definitions, rows: [] }),
  };
}
