/** Volumes of pods, and the sources that only they have. */
import type {
  CSIVolumeSource,
  DownwardAPIVolumeFile,
  EmptyDirVolumeSource,
  EphemeralVolumeSource,
  ImageVolumeSource,
  KeyToPath,
  Volume,
} from '../schema/types.ts';
import { claimTemplateErrors } from './claim.ts';
import { duplicate, eachOf, type FieldError, forbidden, invalid, invalids, needed, oneOf, required, wellFormed } from './field-error.ts';
import { isNegative } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain } from './names.ts';
import { localPathErrors } from './paths.ts';
import { projectedErrors } from './projected.ts';
import { downwardFileErrors, itemErrors, modeErrors } from './volume-file.ts';
import {
  commonSources,
  csiDriverNameErrors,
  iscsiErrors,
  iscsiNameErrors,
  oneSourceErrors,
  type SourceCheck,
  storageOsErrors,
} from './volume-source.ts';

/** In upstream's order: the first that is given is the one that counts. */
const sources: Readonly<Record<string, SourceCheck>> = {
  emptyDir: emptyDirErrors,
  ...commonSources,
  gitRepo: (git, path) => [...needed(git, path, 'repository'), ...localPathErrors(git.directory ?? '', `${path}.directory`)],
  secret: (secret, path) => [...needed(secret, path, 'secretName'), ...fileErrors(secret, path)],
  iscsi: (iscsi, path, owner) => [...iscsiErrors(iscsi, path), ...iscsiNameErrors(iscsi, path.replace(/iscsi$/, 'name'), owner)],
  glusterfs: (gluster, path) => needed(gluster, path, 'endpoints', 'path'),
  persistentVolumeClaim: (claim, path) => needed(claim, path, 'claimName'),
  cinder: (cinder, path) => [
    ...needed(cinder, path, 'volumeID'),
    ...(cinder.secretRef ? needed(cinder.secretRef, `${path}.secretRef`, 'name') : []),
  ],
  downwardAPI: (downward, path) => [
    ...modeErrors(downward.defaultMode, `${path}.defaultMode`),
    // Upstream names the volume, not the file.
    ...eachOf<DownwardAPIVolumeFile>(downward.items, path, (file) => downwardFileErrors(file, path)),
  ],
  configMap: (map, path) => [...needed(map, path, 'name'), ...fileErrors(map, path)],
  azureFile: (file, path) => needed(file, path, 'secretName', 'shareName'),
  storageos: storageOsErrors,
  projected: projectedErrors,
  csi: csiErrors,
  ephemeral: ephemeralErrors,
  image: imageErrors,
};

/** `podName` is undefined in a template, whose pods have no names yet. */
export function volumesErrors(volumes: readonly Volume[] | undefined, path: string, podName?: string): FieldError[] {
  const seen = new Set<string>();
  const made = new Set((volumes ?? []).filter((one) => podName && one.ephemeral).map((one) => `${podName}-${one.name}`));
  return eachOf(volumes, path, (volume, at) => {
    const { name, persistentVolumeClaim: claim } = volume;
    const errors = [
      ...oneSourceErrors(volume, at, sources, name ?? ''),
      ...wellFormed(name, `${at}.name`, isDns1123Label),
      ...(volume.ephemeral ? claimNameErrors(name, `${at}.name`, podName) : []),
    ];
    if (seen.has(name)) errors.push(duplicate(`${at}.name`, name));
    if (errors.length === 0) seen.add(name);
    if (claim && made.has(claim.claimName)) {
      const text = 'must not reference a PVC that gets created for an ephemeral volume';
      errors.push(invalid(`${at}.persistentVolumeClaim.claimName`, claim.claimName, text));
    }
    return errors;
  });
}

/** The name of an ephemeral volume's claim is made of those of pod and volume, and must be a valid name too. */
function claimNameErrors(name: string, path: string, podName: string | undefined): FieldError[] {
  if (!podName || !name) return [];
  const claim = `${podName}-${name}`;
  return isDns1123Subdomain(claim).map((text) => invalid(path, name, `PVC name ${JSON.stringify(claim)}: ${text}`));
}

function emptyDirErrors({ sizeLimit }: EmptyDirVolumeSource, path: string): FieldError[] {
  return isNegative(sizeLimit) ? [forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')] : [];
}

function csiErrors({ driver, nodePublishSecretRef: secret }: CSIVolumeSource, path: string): FieldError[] {
  const errors = csiDriverNameErrors(driver, `${path}.driver`);
  if (!secret) return errors;
  if (!secret.name) return [...errors, required(`${path}.nodePublishSecretRef.name`)];
  return [...errors, ...invalids(`${path}.name`, secret.name, isDns1123Subdomain(secret.name))];
}

function ephemeralErrors({ volumeClaimTemplate: template }: EphemeralVolumeSource, path: string): FieldError[] {
  const at = `${path}.volumeClaimTemplate`;
  return template ? claimTemplateErrors(template, at) : [required(at)];
}

function imageErrors({ reference, pullPolicy }: ImageVolumeSource, path: string): FieldError[] {
  return [
    ...(reference ? [] : [required(`${path}.reference`)]),
    ...oneOf(pullPolicy, `${path}.pullPolicy`, ['Always', 'IfNotPresent', 'Never']),
  ];
}

function fileErrors(source: { readonly defaultMode?: number; readonly items?: readonly KeyToPath[] }, path: string): FieldError[] {
  return [...modeErrors(source.defaultMode, `${path}.defaultMode`), ...eachOf(source.items, `${path}.items`, itemErrors)];
}
