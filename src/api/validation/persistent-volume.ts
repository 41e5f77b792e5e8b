/** PersistentVolumes, and the inline volumes of VolumeAttachments. */
import { isDeepStrictEqual } from 'node:util';
import type {
  CSIPersistentVolumeSource,
  PersistentVolume,
  PersistentVolumeSpec,
  SecretReference,
  VolumeNodeAffinity,
} from '../schema/types.ts';
import { accessModeErrors, positiveErrors, volumeModes } from './claim.ts';
import {
  eachEntry,
  emptyOrWellFormed,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  needed,
  notSupported,
  optionalOneOf,
  optionalWellFormed,
  required,
  wellFormed,
} from './field-error.ts';
import { isDns1123Label, isDns1123Subdomain } from './names.ts';
import { nodeSelectorErrors } from './node-selector.ts';
import { immutable } from './object-meta.ts';
import { backstepErrors } from './paths.ts';
import {
  commonSources,
  csiDriverNameErrors,
  iscsiErrors,
  iscsiNameErrors,
  oneSourceErrors,
  type SourceCheck,
  storageOsErrors,
} from './volume-source.ts';

const sources: Readonly<Record<string, SourceCheck>> = {
  ...commonSources,
  glusterfs: (gluster, path) => [
    ...needed(gluster, path, 'endpoints', 'path'),
    ...optionalWellFormed(gluster.endpointsNamespace, `${path}.endpointsNamespace`, isDns1123Label),
  ],
  iscsi: (iscsi, path, owner) => [
    ...iscsiErrors(iscsi, path),
    ...iscsiNameErrors(iscsi, `${path}.targetportal`, owner),
    ...(iscsi.secretRef ? needed(iscsi.secretRef, `${path}.secretRef`, 'name') : []),
  ],
  cinder: (cinder, path) => [
    ...needed(cinder, path, 'volumeID'),
    ...(cinder.secretRef ? needed(cinder.secretRef, `${path}.secretRef`, 'name', 'namespace') : []),
  ],
  azureFile: (file, path) => [
    ...needed(file, path, 'secretName', 'shareName'),
    ...(file.secretNamespace === '' ? [required(`${path}.secretNamespace`)] : []),
  ],
  local: (local, path) => (local.path ? backstepErrors(local.path, `${path}.path`) : [required(`${path}.path`)]),
  storageos: (storage, path) => [
    ...storageOsErrors(storage, path),
    ...(storage.secretRef ? needed(storage.secretRef, `${path}.secretRef`, 'namespace') : []),
  ],
  csi: csiErrors,
};

export function persistentVolumeErrors({ metadata, spec = {} }: PersistentVolume): FieldError[] {
  const path = 'spec';
  const { accessModes, persistentVolumeReclaimPolicy: reclaim, nodeAffinity, storageClassName, volumeMode, hostPath } = spec;
  return [
    ...(accessModes?.length ? [] : [required(`${path}.accessModes`)]),
    ...accessModeErrors(accessModes, `${path}.accessModes`),
    ...capacityErrors(spec.capacity, `${path}.capacity`),
    ...optionalOneOf(reclaim, `${path}.persistentVolumeReclaimPolicy`, ['Delete', 'Recycle', 'Retain']),
    ...(nodeAffinity ? nodeAffinityErrors(nodeAffinity, `${path}.nodeAffinity`) : []),
    ...oneSourceErrors(spec, path, sources, metadata.name ?? ''),
    ...(spec.local && !nodeAffinity ? [required(`${path}.nodeAffinity`, 'Local volume requires node affinity')] : []),
    ...(reclaim === 'Recycle' && hostPath?.path && /^\/*(\.\/*)*$/.test(hostPath.path)
      ? [forbidden(`${path}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'")]
      : []),
    ...emptyOrWellFormed(storageClassName, `${path}.storageClassName`, isDns1123Subdomain),
    ...optionalOneOf(volumeMode, `${path}.volumeMode`, volumeModes),
    ...attributesClassErrors(spec, `${path}.volumeAttributesClassName`),
  ];
}

function capacityErrors(capacity: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const names = Object.keys(capacity ?? {});
  return [
    ...(names.length === 0 ? [required(path)] : []),
    ...(names.length === 1 && names[0] === 'storage' ? [] : [notSupported(path, JSON.stringify(capacity ?? {}), ['storage'])]),
    ...eachEntry(capacity, (name, text) => positiveErrors(text, `${path}[${name}]`)),
  ];
}

function nodeAffinityErrors({ required: wanted }: VolumeNodeAffinity, path: string): FieldError[] {
  return wanted ? nodeSelectorErrors(wanted, `${path}.required`) : [required(`${path}.required`, 'must specify required node constraints')];
}

function attributesClassErrors({ volumeAttributesClassName: name, csi }: PersistentVolumeSpec, path: string): FieldError[] {
  if (name === undefined) return [];
  return [
    ...(name === '' ? [required(path, 'an empty string is disallowed')] : invalids(path, name, isDns1123Subdomain(name))),
    ...(csi ? [] : [required('spec.csi', 'has to be specified when using volumeAttributesClassName')]),
  ];
}

function csiErrors(csi: CSIPersistentVolumeSource, path: string): FieldError[] {
  const secrets = ['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef'] as const;
  return [
    ...csiDriverNameErrors(csi.driver, `${path}.driver`),
    ...(csi.volumeHandle ? [] : [required(`${path}.volumeHandle`)]),
    ...secrets.flatMap((key) => {
      const secret = csi[key];
      return secret ? secretErrors(secret, `${path}.${key}`) : [];
    }),
  ];
}

function secretErrors({ name, namespace }: SecretReference, path: string): FieldError[] {
  return [...wellFormed(name, `${path}.name`, isDns1123Subdomain), ...wellFormed(namespace, `${path}.namespace`, isDns1123Label)];
}

/** The volume in a VolumeAttachment that has no PersistentVolume: only its source and how it is used. */
export function inlineVolumeErrors(spec: PersistentVolumeSpec, path: string): FieldError[] {
  const { accessModes, persistentVolumeReclaimPolicy: reclaim, volumeMode } = spec;
  const alien = (['claimRef', 'capacity', 'nodeAffinity', 'storageClassName'] as const).filter((key) => spec[key] !== undefined);
  return [
    ...alien.map((key) => forbidden(`${path}.${key}`, 'may not be specified in the context of inline volumes')),
    ...(spec.csi ? [] : [required(`${path}.csi`, 'has to be specified in the context of inline volumes')]),
    ...(accessModes?.length ? [] : [required(`${path}.accessModes`)]),
    ...accessModeErrors(accessModes, `${path}.accessModes`),
    ...(reclaim && reclaim !== 'Retain'
      ? [forbidden(`${path}.persistentVolumeReclaimPolicy`, 'may only be Retain in the context of inline volumes')]
      : []),
    ...oneSourceErrors(spec, path, sources, ''),
    ...(volumeMode !== undefined && volumeMode !== 'Filesystem'
      ? [forbidden(`${path}.volumeMode`, 'may not specify volumeMode other than Filesystem in the context of inline volumes')]
      : []),
  ];
}

/** The source of a PersistentVolume is immutable. */
export function persistentVolumeUpdateErrors(next: PersistentVolume, old: PersistentVolume): FieldError[] {
  const errors = persistentVolumeErrors(next);
  if (!isDeepStrictEqual(sourceOf(next, old), sourceOf(old, old))) {
    errors.push(forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'));
  }
  errors.push(...immutable(next.spec?.volumeMode, old.spec?.volumeMode, 'volumeMode'));
  const [now, was] = [next.spec?.nodeAffinity, old.spec?.nodeAffinity];
  if (was && !isDeepStrictEqual(now, was))
    errors.push(invalid('nodeAffinity', now, 'field is immutable, except for updating from beta label to GA'));
  if (old.spec?.volumeAttributesClassName !== undefined && next.spec?.volumeAttributesClassName === undefined) {
    errors.push(forbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'));
  }
  return errors;
}

/** The source of a volume, without the secret for expanding it if the old volume has none: it may be set once. */
function sourceOf({ spec = {} }: PersistentVolume, old: PersistentVolume): unknown {
  const given = Object.fromEntries(Object.keys(sources).map((key) => [key, spec[key as keyof PersistentVolumeSpec]]));
  if (!spec.csi || old.spec?.csi?.controllerExpandSecretRef) return given;
  return { ...given, csi: { ...spec.csi, controllerExpandSecretRef: undefined } };
}
