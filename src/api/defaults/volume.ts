/** Defaults of volumes. */
import type { DownwardAPIVolumeFile, Volume } from '../schema/types.ts';
import { defaultPullPolicy } from './image-tag.ts';

/** 0644. */
const fileMode = 0o644;
const tokenLifetimeSeconds = 3600;

export function defaultVolume(volume: Volume): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= fileMode;
  if (volume.configMap) volume.configMap.defaultMode ??= fileMode;
  if (volume.hostPath) volume.hostPath.type ??= '';
  if (volume.image) volume.image.pullPolicy ||= defaultPullPolicy(volume.image.reference);
  if (volume.iscsi) volume.iscsi.iscsiInterface ||= 'default';
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
