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
  failing,
  forbidden,
  invalid,
  invalids,
  nonNegative,
  oneOf,
  optionalOneOf,
  repeats,
  required,
  tooLong,
} from './field-error.ts';
import { isNegative, selectorErrors } from './formats.ts';
import { isDns1123Subdomain, isQualifiedName } from './names.ts';
import { immutable, immutableFields } from './object-meta.ts';
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
    // Upstream accepts an empty text.
    ...optionalOneOf(reclaimPolicy || undefined, 'reclaimPolicy', ['Delete', 'Retain']),
    ...(volumeBindingMode === undefined ? [required('volumeBindingMode')] : []),
    ...optionalOneOf(volumeBindingMode, 'volumeBindingMode', ['Immediate', 'WaitForFirstConsumer']),
    ...topologyErrors(allowedTopologies, 'allowedTopologies'),
  ];
}

export function storageClassUpdateErrors(next: StorageClass, old: StorageClass): FieldError[] {
  return [...fixedErrors(next, old, ['parameters', 'provisioner', 'reclaimPolicy']), ...immutableFields(next, old, ['volumeBindingMode'])];
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
  const isRepeatedTerm = repeats<string>();
  return eachOf(terms, path, ({ matchLabelExpressions: list = [] }, at) => {
    const isRepeatedKey = repeats<string>();
    const term = JSON.stringify(list.map(({ key, values = [] }) => [key, values.toSorted()]).toSorted());
    return [
      ...eachOf(list, `${at}.matchLabelExpressions`, ({ key = '', values = [] }, where) => {
        const isRepeated = repeats<string>();
        return [
          ...(values.length === 0 ? [required(`${where}.values`)] : []),
          ...eachOf(values, `${where}.values`, (value, valueAt) => (isRepeated(value) ? [duplicate(valueAt, value)] : [])),
          ...invalids(`${where}.key`, key, isQualifiedName(key)),
          ...(isRepeatedKey(key) ? [duplicate(`${where}.key`, key)] : []),
        ];
      }),
      // Upstream calls a term without labels a duplicate, even the first one.
      ...(isRepeatedTerm(term) || list.length === 0 ? [duplicate(`${at}.matchLabelExpressions`, '')] : []),
    ];
  });
}

export function csiDriverErrors({ spec }: CSIDriver): FieldError[] {
  const { nodeAllocatableUpdatePeriodSeconds: seconds = 10, serviceAccountTokenInSecrets: inSecrets } = spec ?? {};
  const noRequests = 'serviceAccountTokenInSecrets is set but no tokenRequests are specified';
  const isRepeated = repeats<string>();
  return [
    ...optionalOneOf(spec?.fsGroupPolicy, 'spec.fsGroupPolicy', ['File', 'None', 'ReadWriteOnceWithFSType']),
    ...eachOf(spec?.tokenRequests, 'spec.tokenRequests', ({ audience = '', expirationSeconds: seconds }, at) => {
      if (isRepeated(audience)) return [duplicate(`${at}.audience`, audience)];
      return tokenSecondsErrors(seconds, `${at}.expirationSeconds`);
    }),
    ...eachOf(spec?.volumeLifecycleModes, 'spec.volumeLifecycleModes', (mode) =>
      oneOf(mode, 'spec.volumeLifecycleModes', ['Persistent', 'Ephemeral']),
    ),
    ...failing([
      [seconds < 10, () => invalid('spec.nodeAllocatableUpdatePeriodSeconds', seconds, 'must be greater than or equal to 10 seconds')],
      [inSecrets !== undefined && !spec?.tokenRequests?.length, () => invalid('spec.serviceAccountTokenInSecrets', inSecrets, noRequests)],
    ]),
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
  const isRepeatedName = repeats<string>();
  return eachOf(spec?.drivers, 'spec.drivers', ({ name, nodeID = '', topologyKeys, allocatable }, at) => {
    const isRepeatedKey = repeats<string>();
    const tooLongId = `must be ${maxNodeIdBytes} characters or less`;
    return [
      ...csiDriverNameErrors(name, `${at}.name`),
      ...failing([
        [!nodeID, () => required(`${at}.nodeID`)],
        [nodeID.length > maxNodeIdBytes, () => invalid(`${at}.nodeID`, nodeID, tooLongId)],
      ]),
      ...nonNegative(allocatable?.count, `${at}.allocatable.count`),
      ...(isRepeatedName(name) ? [duplicate(`${at}.name`, name)] : []),
      // Upstream names the driver, not the key.
      ...eachOf(topologyKeys, at, (key) => [
        ...failing([
          [!key, () => required(at)],
          [isRepeatedKey(key), () => duplicate(at, key)],
        ]),
        ...invalids(at, key, isQualifiedName(key)),
      ]),
    ];
  });
}

/** Of a driver's entry for a node only `allocatable` may change: how many volumes can be attached. */
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
