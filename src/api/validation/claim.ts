/** PersistentVolumeClaims, and the claim templates of ephemeral volumes. */
import { isDeepStrictEqual } from 'node:util';
import { compareQuantity, parseQuantity, quantityOf } from '../quantity/quantity.ts';
import type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeClaimTemplate,
  TypedLocalObjectReference,
  TypedObjectReference,
} from '../schema/types.ts';
import { betaStorageClassAnnotation } from '../well-known.ts';
import {
  eachEntry,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  notSupported,
  optionalOneOf,
  required,
} from './field-error.ts';
import { isNegative, isPositive, selectorErrors } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain, isQualifiedName } from './names.ts';
import { immutable, templateMetaErrors } from './object-meta.ts';
import { isNative } from './resource-name.ts';

const accessModes: readonly string[] = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes: readonly string[] = ['Block', 'Filesystem'];
const resizeStatuses: readonly string[] = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
];
const zero = parseQuantity('0');

export function claimErrors({ spec }: PersistentVolumeClaim): FieldError[] {
  return claimSpecErrors(spec ?? {}, 'spec');
}

/** Errors of the claim template of an ephemeral volume. */
export function claimTemplateErrors({ metadata, spec }: PersistentVolumeClaimTemplate, path: string): FieldError[] {
  return [...templateMetaErrors(metadata, `${path}.metadata`), ...claimSpecErrors(spec ?? {}, `${path}.spec`)];
}

export function claimSpecErrors(spec: PersistentVolumeClaimSpec, path: string): FieldError[] {
  const { storageClassName, volumeAttributesClassName, resources, dataSource, dataSourceRef } = spec;
  const storage = resources?.requests?.storage;
  return [
    ...(spec.accessModes?.length ? [] : [required(`${path}.accessModes`, 'at least 1 access mode is required')]),
    ...selectorErrors(spec.selector, `${path}.selector`),
    ...accessModeErrors(spec.accessModes, `${path}.accessModes`),
    ...(storage === undefined ? [required(`${path}.resources[storage]`)] : positiveErrors(storage, `${path}.resources[storage]`)),
    ...emptyOrWellFormed(storageClassName, `${path}.storageClassName`, isDns1123Subdomain),
    ...optionalOneOf(spec.volumeMode, `${path}.volumeMode`, volumeModes),
    ...(dataSource ? sourceErrors(dataSource, `${path}.dataSource`) : []),
    ...(dataSourceRef ? sourceErrors(dataSourceRef, `${path}.dataSourceRef`) : []),
    ...(dataSource && dataSourceRef ? pairErrors(dataSource, dataSourceRef, path) : []),
    ...emptyOrWellFormed(volumeAttributesClassName, `${path}.volumeAttributesClassName`, isDns1123Subdomain),
  ];
}

export function accessModeErrors(modes: readonly string[] | undefined, path: string): FieldError[] {
  const known = (modes ?? []).filter((mode) => accessModes.includes(mode));
  const mixed = known.includes('ReadWriteOncePod') && known.some((mode) => mode !== 'ReadWriteOncePod');
  return [
    ...eachOf(modes, path, (mode) => (accessModes.includes(mode) ? [] : [notSupported(path, mode, accessModes)])),
    ...(mixed ? [forbidden(path, 'may not use ReadWriteOncePod with other access modes')] : []),
  ];
}

export function positiveErrors(text: string, path: string): FieldError[] {
  return isPositive(text) ? [] : [invalid(path, text, 'must be greater than zero')];
}

function sourceErrors(source: TypedLocalObjectReference | TypedObjectReference, path: string): FieldError[] {
  const { name, kind, apiGroup } = source;
  const namespace = 'namespace' in source ? source.namespace : undefined;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  if (!kind) errors.push(required(`${path}.kind`));
  if (apiGroup) errors.push(...invalids(`${path}.apiGroup`, apiGroup, isDns1123Subdomain(apiGroup)));
  else if (kind !== 'PersistentVolumeClaim') {
    errors.push(invalid(path, kind ?? '', "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  }
  return namespace ? [...errors, ...invalids(`${path}.namespace`, namespace, isDns1123Label(namespace))] : errors;
}

function pairErrors(source: TypedLocalObjectReference, ref: TypedObjectReference, path: string): FieldError[] {
  const at = `${path}.dataSource`;
  if (ref.namespace) return [invalid(path, at, 'may not be specified when dataSourceRef.namespace is specified')];
  const same = source.apiGroup === ref.apiGroup && source.kind === ref.kind && source.name === ref.name;
  return same ? [] : [invalid(path, at, 'must match dataSourceRef')];
}

const frozen = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

/** The spec of a claim is immutable. Only a bound claim may ask for more storage, and for another VolumeAttributesClass. */
export function claimUpdateErrors(next: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const errors = [
    ...claimErrors(next),
    ...immutable(
      next.metadata.annotations?.[betaStorageClassAnnotation],
      old.metadata.annotations?.[betaStorageClassAnnotation],
      `metadata.annotations[${betaStorageClassAnnotation}]`,
    ),
  ];
  const [now, was] = [next.spec ?? {}, old.spec ?? {}];
  const bound = next.status?.phase === 'Bound';
  const fixed = (spec: PersistentVolumeClaimSpec): unknown => ({
    ...spec,
    volumeName: was.volumeName ? spec.volumeName : undefined,
    storageClassName: was.storageClassName === undefined ? undefined : spec.storageClassName,
    volumeAttributesClassName: bound ? undefined : spec.volumeAttributesClassName,
    resources: bound ? { ...spec.resources, requests: { ...spec.resources?.requests, storage: undefined } } : spec.resources,
  });
  if (!isDeepStrictEqual(fixed(now), fixed(was))) errors.push(forbidden('spec', frozen));
  errors.push(...shrinkErrors(next, old));
  errors.push(...immutable(now.volumeMode, was.volumeMode, 'volumeMode'));
  if (old.status?.currentVolumeAttributesClassName !== undefined && !now.volumeAttributesClassName && was.volumeAttributesClassName) {
    const how = now.volumeAttributesClassName === undefined ? 'nil' : 'empty string';
    const text = `update to ${how} is forbidden when status.currentVolumeAttributesClassName is not nil`;
    errors.push(forbidden('spec.volumeAttributesClassName', text));
  }
  return errors;
}

/** A request for more storage may be taken back, but only to more than the volume has. */
function shrinkErrors(next: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const amount = (text: string | undefined) => quantityOf(text ?? '0') ?? zero;
  const [now, was] = [amount(next.spec?.resources?.requests?.storage), amount(old.spec?.resources?.requests?.storage)];
  const has = amount(old.status?.capacity?.storage);
  return compareQuantity(now, was) < 0 && compareQuantity(now, has) <= 0
    ? [forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity')]
    : [];
}

export function claimStatusErrors({ status }: PersistentVolumeClaim): FieldError[] {
  const at = 'status.allocatedResourceStatuses';
  const keyErrors = (key: string, path: string): FieldError[] => {
    const malformed = invalids(path, key, isQualifiedName(key));
    return malformed.length > 0 || !isNative(key) || key === 'storage' ? malformed : [notSupported(path, key, ['storage'])];
  };
  return [
    ...eachEntry(status?.capacity, (name, text) => negativeErrors(text, `status.capacity[${name}]`)),
    ...eachEntry(status?.allocatedResourceStatuses, (name, value) => [...keyErrors(name, at), ...optionalOneOf(value, at, resizeStatuses)]),
    ...eachEntry(status?.allocatedResources, (name, text) => [
      ...keyErrors(name, 'status.allocatedResources'),
      ...negativeErrors(text, `status.allocatedResources[${name}]`),
    ]),
  ];
}

function negativeErrors(text: string, path: string): FieldError[] {
  return isNegative(text) ? [invalid(path, text, 'must be a valid resource quantity')] : [];
}
