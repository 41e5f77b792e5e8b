import { claimNameOf } from '../../api/placement/claim-name.ts';
import { nodeTermFits } from '../../api/placement/node-selector.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/schema/types.ts';
import { betaStorageClassAnnotation } from '../../api/well-known.ts';
import type { Cluster } from '../cluster.ts';
import type { NodeInfo } from '../node-info.ts';
import type { Plugin, Reason } from '../plugin.ts';

const unboundReason = 'pod has unbound immediate PersistentVolumeClaims';
const nothingToBind = ["node(s) didn't find available persistent volumes to bind"];
const elsewhere = ["node(s) didn't match PersistentVolume's node affinity"];
const bindCompleted = 'pv.kubernetes.io/bind-completed';

/** A pod waits for its claims, and goes where their volumes can be reached. It binds none: a class that waits for its first consumer waits on. */
export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  prepare(pod, cluster) {
    const volumes = (pod.spec?.volumes ?? []).filter((v) => v.persistentVolumeClaim || v.ephemeral);
    if (volumes.length === 0) return undefined;
    const bound: PersistentVolume[] = [];
    let unbound = false;
    let waiting = false;
    for (const volume of volumes) {
      const claim = claimOf(pod, volume, cluster);
      if (typeof claim === 'string') return { reject: claim };
      if (!isBound(claim)) {
        if (waitsForConsumer(claim, cluster)) waiting = true;
        else unbound = true;
        continue;
      }
      const found = cluster.storage.volumes.get(claim.spec?.volumeName ?? '');
      if (!found) return { reject: `persistentvolume ${JSON.stringify(claim.spec?.volumeName)} not found` };
      bound.push(found);
    }
    if (unbound) return { reject: unboundReason };
    return {
      filter: (node) => {
        if (!bound.every((volume) => reaches(node, volume))) return elsewhere;
        return waiting ? nothingToBind : undefined;
      },
    };
  },
};

/** The claim that a volume stands for, or why there is none to use. */
function claimOf(pod: Pod, volume: Volume, cluster: Cluster): PersistentVolumeClaim | Reason {
  const { name: podName, namespace = '', uid } = pod.metadata;
  const name = claimNameOf(podName, volume) ?? '';
  const claim = cluster.storage.claims.get(`${namespace}/${name}`);
  if (!claim) {
    return volume.ephemeral
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${JSON.stringify(name)}`
      : `persistentvolumeclaim ${JSON.stringify(name)} not found`;
  }
  if (claim.status?.phase === 'Lost')
    return `persistentvolumeclaim ${JSON.stringify(name)} bound to non-existent persistentvolume ${JSON.stringify(claim.spec?.volumeName ?? '')}`;
  if (claim.metadata.deletionTimestamp) return `persistentvolumeclaim ${JSON.stringify(name)} is being deleted`;
  if (volume.ephemeral && !claim.metadata.ownerReferences?.some((owner) => owner.controller && owner.uid === uid))
    return `PVC ${namespace}/${name} was not created for pod ${namespace}/${podName} (pod is not owner)`;
  return claim;
}

/** Both halves of the binding are there: the name of the volume alone is what somebody wishes for. */
function isBound({ metadata, spec }: PersistentVolumeClaim): boolean {
  return !!spec?.volumeName && metadata.annotations?.[bindCompleted] !== undefined;
}

function waitsForConsumer({ metadata, spec }: PersistentVolumeClaim, cluster: Cluster): boolean {
  const name = metadata.annotations?.[betaStorageClassAnnotation] ?? spec?.storageClassName;
  return !!name && cluster.storage.classes.get(name)?.volumeBindingMode === 'WaitForFirstConsumer';
}

function reaches(node: NodeInfo, volume: PersistentVolume): boolean {
  const terms = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return !terms || terms.some((term) => nodeTermFits(term, node));
}
