/** storage.k8s.io/v1. */
import { isDeepStrictEqual } from 'node:util';
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  TopologySelectorTerm,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../schema/types.ts';
import {
  duplicate,
  eachOf,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  nonNegative,
  oneOf,
  optionalOneOf,
  required,
  tooLong,
} from './field-error.ts';
import { isNegative, selectorErrors } from './formats.ts';
import { isDns1123Subdomain, isQualifiedName } from './names.ts';
import { immutable } from './object-meta.ts';
import { inlineVolumeErrors } from './persistent-volume.ts';
import { tokenSecondsErrors } from './projected.ts';
import { csiDriverNameErrors } from './volume-source.ts';

const maxParameters = 512;
const maxParameterBytes = 256 * 1024;
const maxNodeIdBytes = 256;
const maxMessageBytes = 1024;

export function storageClassErrors(storageClass: StorageClass): FieldError[] {
  const { provisioner, parameters, reclaimPolicy, volumeBindingMode, allowedTopologies } = storageClass;
  return [
    ...provisionerErrors(provisioner, 'provisioner'),
    ...parameterErrors(parameters, 'parameters'),
    // An empty text is taken, as upstream does.
    ...optionalOneOf(reclaimPolicy || undefined, 'reclaimPolicy', ['Delete', 'Retain']),
    ...(volumeBindingMode === undefined ? [required('volumeBindingMode')] : []),
    ...optionalOneOf(volumeBindingMode, 'volumeBindingMode', ['Immediate', 'WaitForFirstConsumer']),
    ...topologyErrors(allowedTopologies, 'allowedTopologies'),
  ];
}

export function storageClassUpdateErrors(next: StorageClass, old: StorageClass): FieldError[] {
  return [
    ...fixedErrors(next, old, ['parameters', 'provisioner', 'reclaimPolicy']),
    ...immutable(next.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode'),
  ];
}

function provisionerErrors(name: string | undefined, path: string): FieldError[] {
  return name ? invalids(path, name.toLowerCase(), isQualifiedName(name.toLowerCase())) : [required(path)];
}

function parameterErrors(parameters: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const entries = Object.entries(parameters ?? {});
  if (entries.length > maxParameters) return [tooLong(path, maxParameters)];
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  return [
    ...(entries.some(([key]) => key === '') ? [invalid(path, '', 'field can not be empty.')] : []),
    ...(bytes > maxParameterBytes ? [tooLong(path, maxParameterBytes)] : []),
  ];
}

function topologyErrors(terms: readonly TopologySelectorTerm[] | undefined, path: string): FieldError[] {
  const seen = new Set<string>();
  return eachOf(terms, path, ({ matchLabelExpressions = [] }, at) => {
    const keys = new Set<string>();
    const errors = eachOf(matchLabelExpressions, `${at}.matchLabelExpressions`, ({ key = '', values = [] }, where) => {
      const again = keys.has(key);
      keys.add(key);
      const known = new Set<string>();
      return [
        ...(values.length === 0 ? [required(`${where}.values`)] : []),
        ...eachOf(values, `${where}.values`, (value, valueAt) => {
          if (known.has(value)) return [duplicate(valueAt, value)];
          known.add(value);
          return [];
        }),
        ...invalids(`${where}.key`, key, isQualifiedName(key)),
        ...(again ? [duplicate(`${where}.key`, key)] : []),
      ];
    });
    // Upstream takes a term without labels for one that was there before.
    if (matchLabelExpressions.length === 0) errors.push(duplicate(`${at}.matchLabelExpressions`, ''));
    const term = JSON.stringify(matchLabelExpressions.map(({ key, values = [] }) => [key, values.toSorted()]).toSorted());
    if (matchLabelExpressions.length > 0 && seen.has(term)) errors.push(duplicate(`${at}.matchLabelExpressions`, ''));
    seen.add(term);
    return errors;
  });
}

export function csiDriverErrors({ spec }: CSIDriver): FieldError[] {
  const audiences = new Set<string>();
  return [
    ...optionalOneOf(spec?.fsGroupPolicy, 'spec.fsGroupPolicy', ['File', 'None', 'ReadWriteOnceWithFSType']),
    ...eachOf(spec?.tokenRequests, 'spec.tokenRequests', ({ audience = '', expirationSeconds: seconds }, at) => {
      if (audiences.has(audience)) return [duplicate(`${at}.audience`, audience)];
      audiences.add(audience);
      return tokenSecondsErrors(seconds, `${at}.expirationSeconds`);
    }),
    ...eachOf(spec?.volumeLifecycleModes, 'spec.volumeLifecycleModes', (mode) =>
      oneOf(mode, 'spec.volumeLifecycleModes', ['Persistent', 'Ephemeral']),
    ),
    ...((spec?.nodeAllocatableUpdatePeriodSeconds ?? 10) < 10
      ? [
          invalid(
            'spec.nodeAllocatableUpdatePeriodSeconds',
            spec?.nodeAllocatableUpdatePeriodSeconds,
            'must be greater than or equal to 10 seconds',
          ),
        ]
      : []),
    ...(spec?.serviceAccountTokenInSecrets !== undefined && !spec.tokenRequests?.length
      ? [
          invalid(
            'spec.serviceAccountTokenInSecrets',
            spec.serviceAccountTokenInSecrets,
            'serviceAccountTokenInSecrets is set but no tokenRequests are specified',
          ),
        ]
      : []),
  ];
}

export function csiDriverUpdateErrors(next: CSIDriver, old: CSIDriver): FieldError[] {
  return [
    ...csiDriverErrors(next),
    ...immutable(next.spec?.attachRequired, old.spec?.attachRequired, 'spec.attachedRequired'),
    ...immutable(next.spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes, 'spec.volumeLifecycleModes'),
  ];
}

export function csiNodeErrors({ spec }: CSINode): FieldError[] {
  const names = new Set<string>();
  return eachOf(spec?.drivers, 'spec.drivers', ({ name, nodeID = '', topologyKeys, allocatable }, at) => {
    const keys = new Set<string>();
    const errors = csiDriverNameErrors(name, `${at}.name`);
    if (!nodeID) errors.push(required(`${at}.nodeID`));
    if (nodeID.length > maxNodeIdBytes) errors.push(invalid(`${at}.nodeID`, nodeID, `must be ${maxNodeIdBytes} characters or less`));
    errors.push(...nonNegative(allocatable?.count, `${at}.allocatable.count`));
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    return [
      ...errors,
      ...eachOf(topologyKeys, at, (key) => {
        const again = keys.has(key);
        keys.add(key);
        return [...(key ? [] : [required(at)]), ...(again ? [duplicate(at, key)] : []), ...invalids(at, key, isQualifiedName(key))];
      }),
    ];
  });
}

/** What a driver says of a node stays, but for how many volumes may be attached. */
export function csiNodeUpdateErrors(next: CSINode, old: CSINode): FieldError[] {
  const errors = csiNodeErrors(next);
  for (const { allocatable: _was, ...before } of old.spec?.drivers ?? []) {
    const now = next.spec?.drivers?.find((one) => one.name === before.name);
    if (!now) continue;
    const { allocatable: _now, ...after } = now;
    errors.push(...immutable(after, before, 'spec.drivers'));
  }
  return errors;
}

export function storageCapacityErrors({ nodeTopology, storageClassName = '', capacity }: CSIStorageCapacity): FieldError[] {
  return [
    ...selectorErrors(nodeTopology, 'nodeTopology'),
    ...invalids('storageClassName', storageClassName, isDns1123Subdomain(storageClassName)),
    ...(isNegative(capacity) ? [invalid('capacity', capacity, 'must be greater than or equal to 0')] : []),
  ];
}

export function storageCapacityUpdateErrors(next: CSIStorageCapacity, old: CSIStorageCapacity): FieldError[] {
  return [
    ...immutable(next.nodeTopology, old.nodeTopology, 'nodeTopology'),
    ...immutable(next.storageClassName, old.storageClassName, 'storageClassName'),
  ];
}

export function volumeAttachmentErrors({ spec, status }: VolumeAttachment): FieldError[] {
  const { attacher, nodeName = '', source } = spec ?? {};
  return [
    ...csiDriverNameErrors(attacher, 'spec.attacher'),
    ...attachedErrors(source, 'spec.source'),
    ...invalids('spec.nodeName', nodeName, isDns1123Subdomain(nodeName)),
    ...Object.entries({ attachError: status?.attachError, detachError: status?.detachError }).flatMap(([key, error]) =>
      Buffer.byteLength(error?.message ?? '') > maxMessageBytes ? [tooLong(`status.${key}.message`, maxParameterBytes)] : [],
    ),
  ];
}

function attachedErrors(source: NonNullable<VolumeAttachment['spec']>['source'] | undefined, path: string): FieldError[] {
  const { persistentVolumeName: name, inlineVolumeSpec: inline } = source ?? {};
  const text = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (name === undefined && inline === undefined) return [required(path, text)];
  if (name !== undefined && inline !== undefined) return [forbidden(path, text)];
  if (inline) return inlineVolumeErrors(inline, `${path}.inlineVolumeSpec`);
  const at = `${path}.persistentVolumeName`;
  return name ? invalids(at, name, isDns1123Subdomain(name)) : [required(at, 'must specify non empty persistentVolumeName')];
}

export function volumeAttachmentUpdateErrors(next: VolumeAttachment, old: VolumeAttachment): FieldError[] {
  return [...volumeAttachmentErrors(next), ...immutable(next.spec, old.spec, 'spec')];
}

export function attributesClassErrors({ driverName, parameters }: VolumeAttributesClass): FieldError[] {
  return [
    ...provisionerErrors(driverName, 'driverName'),
    ...parameterErrors(parameters, 'parameters'),
    ...(Object.keys(parameters ?? {}).length === 0 ? [required('parameters', 'must contain at least one key/value pair')] : []),
  ];
}

export function attributesClassUpdateErrors(next: VolumeAttributesClass, old: VolumeAttributesClass): FieldError[] {
  return [...fixedErrors(next, old, ['driverName', 'parameters']), ...attributesClassErrors(next)];
}

function fixedErrors<T>(next: T, old: T, keys: readonly (keyof T & string)[]): FieldError[] {
  return keys.filter((key) => !isDeepStrictEqual(next[key], old[key])).map((key) => forbidden(key, `updates to ${key} are forbidden.`));
}
