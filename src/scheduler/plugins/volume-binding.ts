import { claimNameOf } from '../../api/placement/claim-name.ts';
import { isBound, isMadeFor, isReachedFrom } from '../../api/placement/volume-claim.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/schema/types.ts';
import type { Cluster } from '../cluster.ts';
import type { Plugin, Reason } from '../plugin.ts';
import { claimNamed, planVolumes, volumesOf, waitsForPod } from '../volume-plan.ts';

const unboundReason = 'pod has unbound immediate PersistentVolumeClaims';
const nothingToBind = ["node(s) didn't find available persistent volumes to bind"];
const elsewhere = ["node(s) didn't match PersistentVolume's node affinity"];

/** A pod waits for its claims, goes where their volumes can be reached, and has those that wait for it bound there. */
export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  prepare(pod, cluster) {
    const claims = claimsOf(pod, cluster);
    if (!claims) return undefined;
    if (typeof claims === 'string') return { reject: claims };
    const { bound, waiting } = claims;
    const volumes = waiting.length > 0 ? volumesOf(waiting, cluster) : [];
    return {
      filter: (node) => {
        if (!bound.every((volume) => isReachedFrom(node, volume))) return elsewhere;
        return waiting.length > 0 && !planVolumes(waiting, volumes, node, cluster) ? nothingToBind : undefined;
      },
    };
  },
  volumes(pod, cluster, node) {
    const claims = claimsOf(pod, cluster);
    if (!claims || typeof claims === 'string' || claims.waiting.length === 0) return undefined;
    return planVolumes(claims.waiting, volumesOf(claims.waiting, cluster), node, cluster);
  },
};

interface Claims {
  /** What is bound already. */
  readonly bound: readonly PersistentVolume[];
  /** Those that the pod gets bound by its node. */
  readonly waiting: readonly PersistentVolumeClaim[];
}

/** Undefined of a pod without any; why it goes nowhere. */
function claimsOf(pod: Pod, cluster: Cluster): Claims | Reason | undefined {
  const volumes = (pod.spec?.volumes ?? []).filter((v) => v.persistentVolumeClaim || v.ephemeral);
  if (volumes.length === 0) return undefined;
  const bound: PersistentVolume[] = [];
  const waiting = new Map<string, PersistentVolumeClaim>();
  let unbound = false;
  for (const volume of volumes) {
    const claim = claimOf(pod, volume, cluster);
    if (typeof claim === 'string') return claim;
    if (waitsForPod(claim, cluster)) waiting.set(claim.metadata.name, claim);
    else if (!isBound(claim)) unbound = true;
    else {
      const found = cluster.storage.volumes.get(claim.spec?.volumeName ?? '');
      if (!found) return `persistentvolume ${JSON.stringify(claim.spec?.volumeName)} not found`;
      bound.push(found);
    }
  }
  return unbound ? unboundReason : { bound, waiting: [...waiting.values()] };
}

/** The claim that a volume stands for, or why there is none to use. */
function claimOf(pod: Pod, volume: Volume, cluster: Cluster): PersistentVolumeClaim | Reason {
  const { name: podName, namespace = '' } = pod.metadata;
  const name = claimNameOf(podName, volume) ?? '';
  const claim = claimNamed(`${namespace}/${name}`, cluster);
  if (!claim) {
    return volume.ephemeral
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${JSON.stringify(name)}`
      : `persistentvolumeclaim ${JSON.stringify(name)} not found`;
  }
  if (claim.status?.phase === 'Lost')
    return `persistentvolumeclaim ${JSON.stringify(name)} bound to non-existent persistentvolume ${JSON.stringify(claim.spec?.volumeName ?? '')}`;
  if (claim.metadata.deletionTimestamp) return `persistentvolumeclaim ${JSON.stringify(name)} is being deleted`;
  if (volume.ephemeral && !isMadeFor(claim, pod))
    return `PVC ${namespace}/${name} was not created for pod ${namespace}/${podName} (pod is not owner)`;
  return claim;
}
