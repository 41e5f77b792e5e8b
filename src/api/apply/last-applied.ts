/** kubectl's annotation `last-applied-configuration`, in which client-side apply keeps what it applied last. */

import { asGoWrites } from '../codec/go-json.ts';
import type { Json } from '../codec/json-object.ts';
import { lastAppliedConfigAnnotation } from '../well-known.ts';
import type { FieldSet, Path } from './field-set.ts';
import type { Place } from './ownership.ts';
import { compare, fieldsOf } from './typed.ts';

function annotationsOf(object: Json): Json {
  return ((object.metadata as Json | undefined)?.annotations ?? {}) as Json;
}

/** The fields in kubectl's annotation that still have the applied value; undefined without an annotation that can be read. */
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

/** Keeps the annotation up to date: a later client-side apply compares with it. */
export function keepLastApplied(object: Json, config: Json): void {
  const annotations = annotationsOf(object);
  if (!annotations[lastAppliedConfigAnnotation]) return;
  const metadata = (config.metadata ?? {}) as Json;
  const { [lastAppliedConfigAnnotation]: _itself, ...others } = annotationsOf(config);
  const applied = { ...config, metadata: metadata.annotations === undefined ? metadata : { ...metadata, annotations: others } };
  const next: Json = { ...annotations, [lastAppliedConfigAnnotation]: `${JSON.stringify(asGoWrites(applied))}\n` };
  const bytes = Object.entries(next).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)), 0);
  if (bytes > maxAnnotationBytes) delete next[lastAppliedConfigAnnotation];
  object.metadata = { ...(object.metadata as Json), annotations: next };
}
