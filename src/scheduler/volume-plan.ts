/** How claims that wait for their first pod get volumes on a node: pure. Upstream's FindPodVolumes (volumebinding/binder.go). */
import { objectKey } from '../api/object-key.ts';
import type { NodeIdentity } from '../api/placement/node-selector.ts';
import { classNameOf, isBound, noProvisioner, selectedNode, volumeBoundTo, waitsForConsumer } from '../api/placement/volume-claim.ts';
import { findMatch } from '../api/placement/volume-match.ts';
import { compareQuantity, quantityOf } from '../api/quantity/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../api/schema/types.ts';
import { referenceTo } from '../client/event-recorder.ts';
import type { Cluster } from './cluster.ts';

export interface VolumePlan {
  readonly node: string;
  readonly bindings: readonly PlannedBinding[];
  readonly provisions: readonly PlannedProvision[];
}

export interface PlannedBinding {
  readonly claim: PersistentVolumeClaim;
  /** As it is when it is the claim's. */
  readonly volume: PersistentVolume;
  /** It is so already, or another pod with the claim has it written. */
  readonly isWritten: boolean;
}

export interface PlannedProvision {
  /** With the node, for which a provisioner is to make its volume. */
  readonly claim: PersistentVolumeClaim;
  readonly isWritten: boolean;
}

type Volumes = Pick<Cluster, 'storage' | 'assumedVolumes'>;

export function waitsForPod(claim: PersistentVolumeClaim, { storage }: Volumes): boolean {
  // One that names its volume waits for that, not for a pod.
  return !isBound(claim) && !claim.spec?.volumeName && waitsForConsumer(storage.classes.get(classNameOf(claim) ?? ''));
}

/** Finds volumes for claims that wait, or has them made. `volumes` are those of their classes; undefined where the node does not do. */
export function planVolumes(
  claims: readonly PersistentVolumeClaim[],
  volumes: readonly PersistentVolume[],
  node: NodeIdentity,
  { storage }: Volumes,
): VolumePlan | undefined {
  const bindings: PlannedBinding[] = [];
  const provisions: PlannedProvision[] = [];
  const taken = new Set<string>();
  for (const claim of claims.toSorted(bySize)) {
    const chosen = claim.metadata.annotations?.[selectedNode];
    if (chosen !== undefined && chosen !== node.name) return undefined;
    // A provisioner is at work for one with a node.
    const volume = chosen === undefined ? findMatch(claim, volumes, { node, taken, waits: true }) : undefined;
    if (volume) {
      taken.add(volume.metadata.name);
      const wanted = volumeBoundTo(volume, claim, referenceTo(claim));
      bindings.push({ claim, volume: wanted, isWritten: wanted === volume });
    } else if (canProvision(storage.classes.get(classNameOf(claim) ?? ''), node))
      provisions.push({ claim: withNode(claim, node.name), isWritten: chosen !== undefined });
    else return undefined;
  }
  return { node: node.name, bindings, provisions };
}

/** As they will be once what is under way is written. */
export function volumesOf(claims: readonly PersistentVolumeClaim[], { storage, assumedVolumes }: Volumes): PersistentVolume[] {
  const classes = new Set(claims.map((claim) => classNameOf(claim) ?? ''));
  const all = [...storage.volumes.values()].filter((volume) => classes.has(classNameOf(volume) ?? ''));
  return all.map((volume) => assumedVolumes.volumes.get(volume.metadata.name) ?? volume);
}

export function claimNamed(key: string, { storage, assumedVolumes }: Volumes): PersistentVolumeClaim | undefined {
  const claim = storage.claims.get(key);
  const assumed = assumedVolumes.claims.get(key);
  return claim && assumed && !isBound(claim) && claim.metadata.uid === assumed.metadata.uid ? assumed : claim;
}

function bySize(a: PersistentVolumeClaim, b: PersistentVolumeClaim): number {
  const [one, other] = [a, b].map(({ spec }) => quantityOf(spec?.resources?.requests?.storage ?? '0'));
  return (one && other && compareQuantity(one, other)) || (objectKey(a) < objectKey(b) ? -1 : 1);
}

/** By a program outside, which tells by the claim what becomes of it. */
function canProvision(storageClass: StorageClass | undefined, { labels }: NodeIdentity): boolean {
  if (!storageClass?.provisioner || storageClass.provisioner === noProvisioner) return false;
  const terms = storageClass.allowedTopologies ?? [];
  if (terms.length === 0) return true;
  return terms.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }) => labels[key] !== undefined && values.includes(labels[key])),
  );
}

function withNode(claim: PersistentVolumeClaim, node: string): PersistentVolumeClaim {
  const { metadata } = claim;
  return { ...claim, metadata: { ...metadata, annotations: { ...metadata.annotations, [selectedNode]: node } } };
}
