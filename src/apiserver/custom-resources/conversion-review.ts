/** ConversionReview (apiextensions.k8s.io/v1 and v1beta1): what a webhook is asked, and whether its answer is one. Errors are in upstream's words. */
import { isObject, type Json } from '../../api/codec/json-object.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { type FieldError, textOf } from '../../api/validation/field-error.ts';
import { annotationErrors, labelErrors } from '../../api/validation/object-meta.ts';

const group = 'apiextensions.k8s.io';

export interface Question {
  readonly uid: string;
  /** Of the review. */
  readonly version: string;
  readonly desiredAPIVersion: string;
}

/** The first one that both know. */
export function reviewVersionOf(versions: readonly string[] = []): string | undefined {
  return versions.find((version) => version === 'v1' || version === 'v1beta1');
}

/** The JSON of a review, of objects that are JSON already. */
export function reviewOf({ uid, version, desiredAPIVersion }: Question, objects: readonly string[]): Buffer {
  const request = JSON.stringify({ uid, desiredAPIVersion });
  const head = `{"kind":"ConversionReview","apiVersion":"${group}/${version}","request":${request.slice(0, -1)},"objects":[`;
  return Buffer.from(`${head}${objects.join(',')}]}}`);
}

/** The answer is none, or a refusal. */
export class ReviewError extends Error {}

/** The objects of an answer, of which nothing is known yet. Throws ReviewError. */
export function objectsOf(answer: unknown, { uid, version }: Question): readonly unknown[] {
  if (!isObject(answer) || typeof answer.kind !== 'string' || answer.kind === '')
    throw new ReviewError(`Object 'Kind' is missing in the answer`);
  const { kind, apiVersion, response } = answer;
  // As upstream: of the older version neither is looked at.
  if (version === 'v1' && (kind !== 'ConversionReview' || apiVersion !== `${group}/v1`))
    throw new ReviewError(`expected webhook response of ${group}/v1, Kind=ConversionReview, got ${String(apiVersion)}, Kind=${kind}`);
  if (!isObject(response)) throw new ReviewError('no response provided');
  if (version === 'v1' && response.uid !== uid)
    throw new ReviewError(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  const { status = '', message = '' } = isObject(response.result) ? response.result : {};
  if (status !== 'Success')
    throw new ReviewError(message === '' ? `response.result.status was '${String(status)}', not 'Success'` : String(message));
  const { convertedObjects } = response;
  return Array.isArray(convertedObjects) ? convertedObjects : [];
}

/** `example.com/v1, Kind=Widget`. */
export function kindText({ apiVersion, kind }: KubeObject): string {
  return `${apiVersion}, Kind=${kind}`;
}

/**
 * What a webhook made of an object: with the metadata that it had, but for labels and annotations, which may be others. Throws an Error whose message
 * is the whole of what is said.
 */
export function acceptedObject(original: KubeObject, converted: unknown, desiredAPIVersion: string): KubeObject {
  const returned = `conversion webhook for ${kindText(original)} returned invalid`;
  if (!isObject(converted) || typeof converted.kind !== 'string' || converted.kind === '')
    throw new Error(`Object 'Kind' is missing in '${shown(converted)}'`);
  const { apiVersion = '', kind } = converted;
  if (apiVersion !== desiredAPIVersion)
    throw new Error(
      `${returned} object at index 0: invalid groupVersion (expected ${desiredAPIVersion}, received ${shownText(apiVersion)})`,
    );
  if (kind !== original.kind)
    throw new Error(`${returned} object at index 0: invalid kind (expected ${original.kind}, received ${shownText(kind)})`);
  const metadata: Json = isObject(converted.metadata) ? converted.metadata : {};
  for (const [field, name] of identity) {
    const [is, was] = [textIn(metadata, field), textIn(original.metadata as unknown as Json, field)];
    if (is !== was) throw new Error(`${returned} object: must have the same ${name}: ${was} != ${shownText(is)}`);
  }
  if (!('metadata' in converted)) throw new Error(`${returned} metadata: missing metadata in converted object`);
  if (!isObject(converted.metadata))
    throw new Error(`${returned} metadata: invalid metadata of type ${goType(converted.metadata)} in converted object`);
  try {
    const { apiVersion: _version, kind: _kind, metadata: _metadata, ...rest } = converted;
    return { apiVersion: desiredAPIVersion, kind, metadata: mergedMetadata(original.metadata, metadata), ...rest } as KubeObject;
  } catch (err) {
    throw new Error(`${returned} metadata: ${(err as Error).message}`, { cause: err });
  }
}

const identity = [
  ['name', 'name'],
  ['namespace', 'namespace'],
  ['uid', 'UID'],
] as const;

function textIn(metadata: Json, field: string): string {
  const value = metadata[field];
  return typeof value === 'string' ? value : '';
}

function mergedMetadata(original: KubeObject['metadata'], converted: Json): KubeObject['metadata'] {
  const merged = { ...original };
  for (const field of ['labels', 'annotations'] as const) {
    const given = converted[field];
    if (given === undefined || given === null) {
      delete merged[field];
      continue;
    }
    const texts = stringsOf(given, field);
    const had = original[field] ?? {};
    const isChanged =
      Object.keys(had).length !== Object.keys(texts).length || Object.entries(texts).some(([key, text]) => had[key] !== text);
    // What is there already was accepted once.
    const wrong = isChanged
      ? field === 'labels'
        ? labelErrors(texts, 'metadata.labels')
        : annotationErrors(texts, 'metadata.annotation')
      : [];
    if (wrong.length > 0) throw new Error(aggregate(wrong));
    merged[field] = texts;
  }
  return merged;
}

function stringsOf(value: unknown, field: string): Record<string, string> {
  if (!isObject(value)) throw new Error(`invalid metadata.${field} of type ${goType(value)} in converted object`);
  for (const [key, text] of Object.entries(value))
    if (typeof text !== 'string') throw new Error(`metadata.${field}[${key}] must be a string, but is ${goType(text)} in converted object`);
  return value as Record<string, string>;
}

function aggregate(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(textOf))];
  return texts.length === 1 ? (texts[0] as string) : `[${texts.join(', ')}]`;
}

/** As Go prints the type of what its JSON decoder makes. */
function goType(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** More of what somebody else's program says helps nobody. */
const maxShown = 1024;

function shown(value: unknown): string {
  return shownText(JSON.stringify(value) ?? '');
}

function shownText(value: unknown): string {
  return String(value).slice(0, maxShown);
}
