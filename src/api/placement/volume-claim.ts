/** What claims, volumes and classes of storage say of each other. Controllers, scheduler, kubelet and admission ask the same. */
import type { ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../schema/types.ts';
import { betaStorageClassAnnotation } from '../well-known.ts';
import { type NodeIdentity, nodeTermFits } from './node-selector.ts';

/** On a claim: both halves of its binding have been written. */
export const bindCompleted = 'pv.kubernetes.io/bind-completed';
/** On a claim or a volume: its half of the binding is a controller's or a scheduler's, nobody wished for it. */
export const boundByController = 'pv.kubernetes.io/bound-by-controller';
/** On a claim: where its first pod goes. For provisioners. */
export const selectedNode = 'volume.kubernetes.io/selected-node';
/** On a claim: who is to make a volume for it. Provisioners of before 1.23 read the older one. */
export const storageProvisioner = 'volume.kubernetes.io/storage-provisioner';
export const betaStorageProvisioner = 'volume.beta.kubernetes.io/storage-provisioner';
/** On a volume: who made it, and deletes it. */
export const provisionedBy = 'pv.kubernetes.io/provisioned-by';
/** On a volume: the CSI driver that has taken over the work of what was a part of Kubernetes. */
export const migratedTo = 'pv.kubernetes.io/migrated-to';
/** The provisioner of a class whose volumes are made by hand. */
export const noProvisioner = 'kubernetes.io/no-provisioner';

const isDefaultClass = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];

/** '' for the volumes without a class. Undefined while nobody has said: the default class may be assigned. */
export function classNameOf({ metadata, spec }: PersistentVolumeClaim | PersistentVolume): string | undefined {
  return metadata.annotations?.[betaStorageClassAnnotation] ?? spec?.storageClassName;
}

/** The newest of those that are marked as default; of the same second, the first by its name. */
export function defaultClassOf(classes: readonly StorageClass[]): StorageClass | undefined {
  const bornAt = ({ metadata }: StorageClass): number => Date.parse(metadata.creationTimestamp ?? '') || 0;
  return classes
    .filter(isDefault)
    .toSorted((a, b) => bornAt(b) - bornAt(a) || (a.metadata.name < b.metadata.name ? -1 : 1))
    .at(0);
}

export function isDefault({ metadata }: StorageClass): boolean {
  return isDefaultClass.some((key) => metadata.annotations?.[key] === 'true');
}

/** Its claims are bound when a pod with them has a node. */
export function waitsForConsumer(storageClass: StorageClass | undefined): boolean {
  return storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
}

/** Both halves are there: the name of a volume alone is what somebody wishes for. */
export function isBound({ metadata, spec }: PersistentVolumeClaim): boolean {
  return !!spec?.volumeName && metadata.annotations?.[bindCompleted] !== undefined;
}

/** The volume is the claim's, or kept for one of its name. */
export function isKeptFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { name, namespace, uid } = spec?.claimRef ?? {};
  return name === metadata.name && namespace === metadata.namespace && (!uid || uid === metadata.uid);
}

/** The volume as it is when the claim has it; the same object when there is nothing to write. `reference` is the whole one of the claim. */
export function volumeBoundTo(volume: PersistentVolume, claim: PersistentVolumeClaim, reference: ObjectReference): PersistentVolume {
  const { metadata, spec = {} } = volume;
  const isWished = isKeptFor(volume, claim);
  const isMarked = isWished || metadata.annotations?.[boundByController] !== undefined;
  if (isWished && isMarked && spec.claimRef?.uid === claim.metadata.uid) return volume;
  const annotations = isMarked ? metadata.annotations : { ...metadata.annotations, [boundByController]: 'yes' };
  return { ...volume, metadata: { ...metadata, annotations }, spec: { ...spec, claimRef: reference } };
}

/** The claim was made for an ephemeral volume of the pod, and is not somebody's of the same name. */
export function isMadeFor({ metadata }: PersistentVolumeClaim, pod: Pod): boolean {
  return metadata.ownerReferences?.some(({ controller, uid }) => controller === true && uid === pod.metadata.uid) ?? false;
}

export function modeOf({ spec }: PersistentVolumeClaim | PersistentVolume): string {
  return spec?.volumeMode ?? 'Filesystem';
}

export function hasModes({ spec }: PersistentVolume, { spec: wanted }: PersistentVolumeClaim): boolean {
  return (wanted?.accessModes ?? []).every((mode) => spec?.accessModes?.includes(mode));
}

/** A node without a volume's place cannot mount it. */
export function isReachedFrom(node: NodeIdentity, { spec }: PersistentVolume): boolean {
  const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return !terms || terms.some((term) => nodeTermFits(term, node));
}
