/** What is still in use of claims, volumes and classes of their attributes, and which finalizers they have for it. */
import { claimNameOf } from '../../api/placement/claim-name.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, VolumeAttributesClass } from '../../api/schema/types.ts';
import { isOver } from '../ownership/pod-state.ts';

/** The names of the claims of a pod's volumes: those that it names, and those that are made for it. */
export function claimsOf({ metadata, spec }: Pod): string[] {
  return (spec?.volumes ?? []).flatMap((volume) => claimNameOf(metadata.name, volume) ?? []);
}

/** A pod uses its claims from when it has a node until it is gone; of those made for it, until it has ended. */
export function isClaimInUse(claim: PersistentVolumeClaim, pods: readonly Pod[]): boolean {
  return pods.some((pod) => {
    const { metadata, spec } = pod;
    const isMadeFor = claim.metadata.ownerReferences?.some((owner) => owner.uid === metadata.uid) === true;
    return spec?.volumes?.some((volume) => {
      if (!spec.nodeName || claimNameOf(metadata.name, volume) !== claim.metadata.name) return false;
      return volume.persistentVolumeClaim !== undefined || (isMadeFor && !isOver(pod));
    });
  });
}

export function isVolumeInUse({ status }: PersistentVolume): boolean {
  return status?.phase === 'Bound';
}

export function isClassInUse(
  { metadata: { name } }: VolumeAttributesClass,
  claims: readonly PersistentVolumeClaim[],
  volumes: readonly PersistentVolume[],
): boolean {
  return (
    volumes.some(({ spec }) => spec?.volumeAttributesClassName === name) ||
    claims.some(
      ({ spec, status }) =>
        spec?.volumeAttributesClassName === name ||
        status?.currentVolumeAttributesClassName === name ||
        status?.modifyVolumeStatus?.targetVolumeAttributesClassName === name,
    )
  );
}

export type Step = 'keep' | 'protect' | 'release if unused';

/** What is to do about the finalizer of an object. */
export function stepOf({ metadata }: KubeObject, finalizer: string): Step {
  const has = metadata.finalizers?.includes(finalizer) === true;
  if (metadata.deletionTimestamp === undefined) return has ? 'keep' : 'protect';
  return has ? 'release if unused' : 'keep';
}
