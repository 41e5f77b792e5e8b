/** Which PersistentVolume a volume of a pod stands for. Read once, when the pod starts: a binding is for good. */
import { claimNameOf } from '../../api/placement/claim-name.ts';
import type { NodeIdentity } from '../../api/placement/node-selector.ts';
import { isMadeFor } from '../../api/placement/volume-claim.ts';
import { nodes, persistentVolumeClaims, persistentVolumes } from '../../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/schema/types.ts';
import { pvcProtectionFinalizer } from '../../api/well-known.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import { namespaceOf } from '../pod/spec.ts';
import { onceAuthorized } from './authorized.ts';

/** Each rejects with what the API server says. */
export interface ClaimSource {
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim>;
  volume(name: string): Promise<PersistentVolume>;
  /** The node that the kubelet is on. */
  node(): Promise<NodeIdentity>;
}

export function claimSource(client: Client, clock: Clock, nodeName: string): ClaimSource {
  return {
    claim: (namespace, name) => onceAuthorized(clock, () => client.get(persistentVolumeClaims, name, { namespace })),
    volume: (name) => onceAuthorized(clock, () => client.get(persistentVolumes, name)),
    node: async () => ({ name: nodeName, labels: (await client.get(nodes, nodeName)).metadata.labels ?? {} }),
  };
}

/** Throws in upstream's words where claim and volume are not there, or not each other's. */
export async function claimedVolume(pod: Pod, volume: Volume, source: ClaimSource): Promise<PersistentVolume> {
  const namespace = namespaceOf(pod);
  const name = claimNameOf(pod.metadata.name, volume) ?? '';
  try {
    const claim = await usableClaim(namespace, name, source);
    if (volume.ephemeral && !isMadeFor(claim, pod))
      throw new Error(`PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`);
    return await volumeOf(claim, source);
  } catch (err) {
    throw new Error(`error processing PVC ${namespace}/${name}: ${messageOf(err)}`, { cause: err });
  }
}

async function usableClaim(namespace: string, name: string, source: ClaimSource): Promise<PersistentVolumeClaim> {
  const claim = await source.claim(namespace, name).catch((err) => {
    throw new Error(`failed to fetch PVC from API server: ${messageOf(err)}`, { cause: err });
  });
  const { deletionTimestamp, finalizers } = claim.metadata;
  // One that is protected stays for as long as this pod is there.
  if (deletionTimestamp !== undefined && !finalizers?.includes(pvcProtectionFinalizer)) throw new Error('PVC is being deleted');
  if (claim.status?.phase !== 'Bound') throw new Error('PVC is not bound');
  if (!claim.spec?.volumeName) throw new Error('PVC has empty pvc.Spec.VolumeName');
  return claim;
}

async function volumeOf({ metadata, spec }: PersistentVolumeClaim, source: ClaimSource): Promise<PersistentVolume> {
  const name = spec?.volumeName ?? '';
  const volume = await source.volume(name).catch((err) => {
    throw new Error(`failed to fetch PV ${name} from API server: ${messageOf(err)}`, { cause: err });
  });
  const claimRef = volume.spec?.claimRef;
  if (!claimRef) throw new Error(`found PV object ${name} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`);
  if (claimRef.uid !== metadata.uid)
    throw new Error(`found PV object ${name} but its pv.Spec.ClaimRef.UID ${claimRef.uid} does not point to claim.UID ${metadata.uid}`);
  return volume;
}
