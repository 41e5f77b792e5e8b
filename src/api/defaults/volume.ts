/** Defaults of volumes. */
import type { DownwardAPIVolumeFile, Volume } from '../schema/types.ts';
import { defaultPullPolicy } from './image-tag.ts';

/** 0644. */
const fileMode = 0o644;
const tokenLifetimeSeconds = 3600;

/** Of sources that pods and PersistentVolumes have alike. */
const sourceDefaults: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  hostPath: { type: '' },
  iscsi: { iscsiInterface: 'default' },
  rbd: { pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' },
  azureDisk: { cachingMode: 'ReadWrite', fsType: 'ext4', readOnly: false, kind: 'Shared' },
  scaleIO: { storageMode: 'ThinProvisioned', fsType: 'xfs' },
};

export function defaultSource(volume: object): void {
  const sources = volume as Record<string, Record<string, unknown> | undefined>;
  for (const [name, defaults] of Object.entries(sourceDefaults)) {
    const source = sources[name];
    // Where Go has a pointer, an empty text is more than none.
    const isUnset = (value: unknown): boolean => value === undefined || (value === '' && name !== 'azureDisk');
    if (source) for (const [key, value] of Object.entries(defaults)) if (isUnset(source[key])) source[key] = value;
  }
}

export function defaultVolume(volume: Volume): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= fileMode;
  if (volume.configMap) volume.configMap.defaultMode ??= fileMode;
  if (volume.image) volume.image.pullPolicy ||= defaultPullPolicy(volume.image.reference);
  defaultSource(volume);
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= fileMode;
    defaultFiles(volume.downwardAPI.items);
  }
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
  if (claim) claim.volumeMode ??= 'Filesystem';
  if (volume.projected) {
    volume.projected.defaultMode ??= fileMode;
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= tokenLifetimeSeconds;
      defaultFiles(source.downwardAPI?.items);
    }
  }
}

function defaultFiles(files: readonly DownwardAPIVolumeFile[] | undefined): void {
  for (const { fieldRef, resourceFieldRef } of files ?? []) {
    if (fieldRef) fieldRef.apiVersion ||= 'v1';
    if (resourceFieldRef) resourceFieldRef.divisor ??= '0';
  }
}
