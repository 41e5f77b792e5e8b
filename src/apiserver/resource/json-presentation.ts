/** Objects as JSON: whole, which are the very bytes of the cache, as metadata only, or as rows of a Table. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource-types.ts';
import { invalid, textOf } from '../../api/validation/field-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { json } from '../http/encoding.ts';
import { badRequest } from '../status/status-error.ts';
import { metaVersion, type Presentation, viewOf } from './presentation.ts';

const comma = Buffer.from(',');
const listTail = Buffer.from(']}\n');

/** Of bytes that are there already. */
function listOfBytes(head: string, items: readonly Buffer[]): Buffer[] {
  const pieces: Buffer[] = [Buffer.from(head)];
  for (const item of items) pieces.push(item, comma);
  if (items.length > 0) pieces.pop();
  pieces.push(listTail);
  return pieces;
}

/** Of what is made when its turn comes, for a slow reader not to hold all of it. */
function* jsonList(head: string, objects: readonly CachedObject[], item: (object: CachedObject) => Buffer): Generator<Buffer> {
  yield Buffer.from(head);
  let first = true;
  for (const object of objects) {
    if (!first) yield comma;
    first = false;
    yield item(object);
  }
  yield listTail;
}

export function plainPresentation(row: ResourceRow): Presentation {
  const apiVersion = apiVersionOf(row.type);
  const converted = (o: CachedObject): Buffer => Buffer.from(JSON.stringify(viewOf(row, o)));
  const head = (meta: object): string =>
    `{"kind":"${row.listKind}","apiVersion":"${apiVersion}","metadata":${JSON.stringify(meta)},"items":[`;
  return {
    id: `plain ${apiVersion}`,
    encoding: json,
    one: row.conversion ? converted : (o) => o.bytes,
    list: (meta, objects) =>
      row.conversion
        ? jsonList(head(meta), objects, converted)
        : listOfBytes(
            head(meta),
            objects.map((o) => o.bytes),
          ),
    empty: (metadata) => ({ kind: row.type.kind, apiVersion, metadata }),
  };
}

function partial(o: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata: o.metadata };
}

export function metadataPresentation(row: ResourceRow): Presentation {
  const bytes = (o: CachedObject): Buffer => Buffer.from(JSON.stringify(partial(viewOf(row, o))));
  return {
    id: 'metadata',
    encoding: json,
    one: bytes,
    list: (meta, objects) =>
      jsonList(
        `{"kind":"PartialObjectMetadataList","apiVersion":"${metaVersion}","metadata":${JSON.stringify(meta)},"items":[`,
        objects,
        bytes,
      ),
    empty: (meta) => ({ kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata: meta }),
  };
}

export function tablePresentation(row: ResourceRow, includeObject: string, clock: Clock): Presentation {
  if (includeObject !== 'Metadata' && includeObject !== 'Object' && includeObject !== 'None') {
    const wrong = invalid('includeObject', includeObject, "must be 'Metadata', 'Object', 'None', or empty");
    throw badRequest(`Unable to convert to Table as requested: ${textOf(wrong)}`);
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
    encoding: json,
    one: (o) => Buffer.from(`${head({ resourceVersion: String(o.revision) })}${rowOf(o)}]}`),
    list: (meta, objects) => jsonList(head(meta), objects, (o) => Buffer.from(rowOf(o))),
    empty: (meta) => ({ kind: 'Table', apiVersion: metaVersion, metadata: meta, columnDefinitions: row.columns.definitions, rows: [] }),
  };
}
