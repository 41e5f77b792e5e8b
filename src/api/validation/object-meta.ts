/** Checks of `metadata`, as in apimachinery's ValidateObjectMeta and ValidateObjectMetaUpdate. */
import { isDeepStrictEqual } from 'node:util';
import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from '../schema/types.ts';
import {
  eachEntry,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  required,
  tooLong,
  wellFormed,
} from './field-error.ts';
import { isDns1123Label, isLabelValue, isQualifiedName } from './names.ts';

const maxAnnotationBytes = 256 * 1024;
/** Upstream has no limit. Labels are matched by selectors and held in every cache, so they must stay small. */
const maxLabelBytes = 64 * 1024;
const immutableField = 'field is immutable';
/** Finalizers that are older than the rule that names of finalizers are qualified. */
const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

export interface MetaRules {
  readonly namespaced: boolean;
  validateName(name: string, asPrefix: boolean): string[];
}

export function metaErrors(meta: ObjectMeta, rules: MetaRules): FieldError[] {
  const { name, namespace } = meta;
  return [
    ...emptyOrWellFormed(meta.generateName, 'metadata.generateName', (prefix) => rules.validateName(prefix, true)),
    ...(name
      ? invalids('metadata.name', name, rules.validateName(name, false))
      : [required('metadata.name', 'name or generateName is required')]),
    ...(rules.namespaced ? wellFormed(namespace, 'metadata.namespace', isDns1123Label) : []),
    ...(namespace && !rules.namespaced ? [forbidden('metadata.namespace', 'not allowed on this type')] : []),
    ...labelErrors(meta.labels, 'metadata.labels'),
    ...annotationErrors(meta.annotations, 'metadata.annotations'),
    ...ownerErrors(meta.ownerReferences ?? []),
    ...finalizerErrors(meta.finalizers ?? [], 'metadata.finalizers'),
    ...eachOf(meta.managedFields, 'metadata.managedFields', managerErrors),
  ];
}

/** Errors of an update of metadata. Call after `keepServerMeta`. */
export function metaUpdateErrors(next: ObjectMeta, old: ObjectMeta, rules: MetaRules): FieldError[] {
  const errors: FieldError[] = [];
  if (old.deletionTimestamp) {
    const added = (next.finalizers ?? []).filter((one) => !old.finalizers?.includes(one));
    if (added.length > 0) {
      const listed = `[]string{${added.map((one) => JSON.stringify(one)).join(', ')}}`;
      errors.push(
        forbidden('metadata.finalizers', `no new finalizers can be added if the object is being deleted, found new finalizers ${listed}`),
      );
    }
  }
  for (const key of ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if (next[key] !== old[key]) errors.push(invalid(`metadata.${key}`, next[key], immutableField));
  }
  const format = metaErrors(next, { ...rules, validateName: () => [] });
  return [...errors, ...format.filter((one) => one.path !== 'metadata.name' && one.path !== 'metadata.namespace')];
}

/** Puts back the server's fields, which clients may leave out and never change. */
export function keepServerMeta(next: ObjectMeta, old: ObjectMeta): void {
  next.uid ??= old.uid;
  // JavaScript clients add milliseconds to the time: that is no change.
  if (sameTime(next.creationTimestamp ?? old.creationTimestamp, old.creationTimestamp)) next.creationTimestamp = old.creationTimestamp;
  if (old.deletionTimestamp) {
    next.deletionTimestamp = old.deletionTimestamp;
    next.deletionGracePeriodSeconds = old.deletionGracePeriodSeconds;
  }
  if (old.generation === undefined) delete next.generation;
  else next.generation = old.generation;
  delete next.selfLink;
  // As upstream: an empty list is left out.
  for (const key of ['finalizers', 'ownerReferences'] as const) if (next[key]?.length === 0) delete next[key];
}

function sameTime(a: string | undefined, b: string | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Date.parse(a) === Date.parse(b));
}

export function labelErrors(labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  if (bytesOf(labels) > maxLabelBytes) return [tooLong(path, maxLabelBytes)];
  return eachEntry(labels, (key, value) => [...invalids(path, key, isQualifiedName(key)), ...invalids(path, value, isLabelValue(value))]);
}

export function annotationErrors(annotations: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  if (bytesOf(annotations) > maxAnnotationBytes) return [tooLong(path, maxAnnotationBytes)];
  // Unlike labels, annotations may have upper-case letters in the prefix of a key.
  return eachEntry(annotations, (key) => invalids(path, key, isQualifiedName(key.toLowerCase())));
}

/** A template's metadata has only labels and annotations. */
export function templateMetaErrors(meta: Partial<ObjectMeta> | undefined, path: string): FieldError[] {
  const { labels, annotations, ...others } = meta ?? {};
  return [
    ...annotationErrors(annotations, `${path}.annotations`),
    ...labelErrors(labels, `${path}.labels`),
    ...Object.keys(others).map((key) => forbidden(`${path}.${key}`, 'cannot be set')),
  ];
}

function bytesOf(map: Readonly<Record<string, string>> | undefined): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(map ?? {})) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  return bytes;
}

export function finalizerErrors(finalizers: readonly string[], path: string): FieldError[] {
  const errors = eachOf(finalizers, path, (one) => {
    const texts = invalids(path, one, isQualifiedName(one));
    if (texts.length > 0 || one.includes('/') || standardFinalizers.has(one)) return texts;
    return [invalid(path, one, 'name is neither a standard finalizer name nor is it fully qualified')];
  });
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
  return errors;
}

const maxManagerBytes = 128;
const maxSubresourceBytes = 256;
const notPrintable = /[\p{C}\p{Zl}\p{Zp}]/u;

/** Errors of a field manager's name, in a request (`fieldManager`) or in an entry of `managedFields`. */
export function managerNameErrors(name: string, path: string): FieldError[] {
  const errors = Buffer.byteLength(name) > maxManagerBytes ? [tooLong(path, maxManagerBytes)] : [];
  const strange = notPrintable.exec(name);
  if (!strange) return errors;
  const code = (strange[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return [...errors, invalid(path, name, `invalid character U+${code} (at position ${strange.index})`)];
}

function managerErrors({ operation, fieldsType, manager, subresource }: ManagedFieldsEntry, path: string): FieldError[] {
  return [
    ...(operation === 'Apply' || operation === 'Update'
      ? []
      : [invalid(`${path}.operation`, operation ?? '', 'must be `Apply` or `Update`')]),
    ...(fieldsType && fieldsType !== 'FieldsV1' ? [invalid(`${path}.fieldsType`, fieldsType, 'must be `FieldsV1`')] : []),
    ...managerNameErrors(manager ?? '', `${path}.manager`),
    ...(Buffer.byteLength(subresource ?? '') > maxSubresourceBytes ? [tooLong(`${path}.subresource`, maxSubresourceBytes)] : []),
  ];
}

/** `field is immutable` unless both are the same. */
export function immutable(next: unknown, old: unknown, path: string): FieldError[] {
  return isDeepStrictEqual(next, old) ? [] : [invalid(path, next, immutableField)];
}

/** `immutable` for each of the fields with these paths: `spec.selector`. */
export function immutableFields(next: object, old: object, paths: readonly string[]): FieldError[] {
  return paths.flatMap((path) => immutable(valueAt(next, path), valueAt(old, path), path));
}

function valueAt(object: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => (value as Readonly<Record<string, unknown>> | undefined)?.[key], object);
}

function ownerErrors(owners: readonly OwnerReference[]): FieldError[] {
  const path = 'metadata.ownerReferences';
  let controller: string | undefined;
  return eachOf(owners, path, (owner) => {
    const { apiVersion = '', kind, name, uid } = owner;
    const errors: FieldError[] = [];
    // An apiVersion without a version: empty, `apps/`, or with two slashes.
    if (/^$|\/$|\/.*\//.test(apiVersion)) errors.push(invalid(`${path}.apiVersion`, apiVersion, 'version must not be empty'));
    for (const [key, value] of Object.entries({ kind, name, uid })) {
      if (!value) errors.push(invalid(`${path}.${key}`, '', 'must not be empty'));
    }
    if (apiVersion === 'v1' && kind === 'Event') {
      errors.push(invalid(path, owner, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (!owner.controller) return errors;
    const self = `${kind}/${name}`;
    if (controller !== undefined) {
      const text = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${self}`;
      errors.push(invalid(path, owners, text));
    } else controller = self;
    return errors;
  });
}
