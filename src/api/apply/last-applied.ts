/** The annotation in which kubectl's client-side apply keeps what it applied last. */

import type { Json } from '../codec/json-object.ts';
import { lastAppliedConfigAnnotation } from '../well-known.ts';
import type { FieldSet, Path } from './field-set.ts';
import type { Place } from './ownership.ts';
import { compare, fieldsOf } from './typed.ts';

function annotationsOf(object: Json): Json {
  return ((object.metadata as Json | undefined)?.annotations ?? {}) as Json;
}

/** The fields of kubectl's annotation that are as it says; undefined when there is none, or none that can be read. */
export function fieldsLastApplied(live: Json, place: Place): FieldSet | undefined {
  const text = annotationsOf(live)[lastAppliedConfigAnnotation];
  if (typeof text !== 'string' || text === '') return undefined;
  let last: unknown;
  try {
    last = JSON.parse(text);
  } catch {
    return undefined;
  }
  if ((last as Json | null)?.apiVersion !== place.apiVersion) return undefined;
  const { added, modified, removed } = compare(last, live, place.shape);
  return fieldsOf(last, place.shape).difference(added).difference(modified).difference(removed);
}

export const lastAppliedPath: Path = ['f:metadata', 'f:annotations', `f:${lastAppliedConfigAnnotation}`];

const maxAnnotationBytes = 256 * 1024;

/** Somebody may go back to client-side apply, which compares with what the annotation says. */
export function keepLastApplied(object: Json, config: Json): void {
  const annotations = annotationsOf(object);
  if (!annotations[lastAppliedConfigAnnotation]) return;
  const metadata = (config.metadata ?? {}) as Json;
  const { [lastAppliedConfigAnnotation]: _itself, ...others } = annotationsOf(config);
  const applied = { ...config, metadata: metadata.annotations === undefined ? metadata : { ...metadata, annotations: others } };
  const next: Json = { ...annotations, [lastAppliedConfigAnnotation]: `${JSON.stringify(inOrder(applied))}\n` };
  const bytes = Object.entries(next).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)), 0);
  if (bytes > maxAnnotationBytes) delete next[lastAppliedConfigAnnotation];
  object.metadata = { ...(object.metadata as Json), annotations: next };
}

/** With the members of objects sorted, as Go writes maps. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, inOrder(inner)]),
  );
}
