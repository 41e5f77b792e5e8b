/** What becomes of a claim and of a volume, from what is there of the others. Upstream's pv_controller.go, as values. */
import {
  bindCompleted,
  boundByController,
  classNameOf,
  defaultClassOf,
  hasModes,
  isKeptFor,
  migratedTo,
  modeOf,
  provisionedBy,
  selectedNode,
  waitsForConsumer,
} from '../../api/placement/volume-claim.ts';
import { byFewestModes, findMatch, mismatchOf } from '../../api/placement/volume-match.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../api/schema/types.ts';
import type { EventText } from '../../client/event-recorder.ts';

/** What a claim is looked at beside. */
export interface Surroundings {
  volume(name: string): PersistentVolume | undefined;
  volumes(): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
  classes(): readonly StorageClass[];
  /** Names of pods without a node that use the claim. */
  waitingPods(): readonly string[];
}

export type ClaimPlan =
  | { readonly kind: 'bind'; readonly volume: PersistentVolume }
  /** It is Pending. */
  | { readonly kind: 'wait'; readonly event?: EventText }
  /** Nobody can make a volume for it. */
  | { readonly kind: 'refuse'; readonly event: EventText }
  /** Somebody else is to make a volume for it. */
  | { readonly kind: 'provision'; readonly provisioner: string }
  | { readonly kind: 'assign class'; readonly name: string }
  | { readonly kind: 'lost'; readonly event: EventText };

const failed = (message: string): EventText => ({ type: 'Warning', reason: 'FailedBinding', message });
const lost = (reason: string, message: string): ClaimPlan => ({ kind: 'lost', event: { type: 'Warning', reason, message } });

export function claimPlan(claim: PersistentVolumeClaim, around: Surroundings): ClaimPlan {
  const { metadata, spec } = claim;
  if (metadata.annotations?.[bindCompleted] !== undefined) return boundClaimPlan(claim, around);
  return spec?.volumeName ? wishPlan(claim, around.volume(spec.volumeName)) : openClaimPlan(claim, around);
}

function boundClaimPlan({ metadata, spec }: PersistentVolumeClaim, around: Surroundings): ClaimPlan {
  if (!spec?.volumeName) return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  const volume = around.volume(spec.volumeName);
  if (!volume) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  const { claimRef } = volume.spec ?? {};
  if (claimRef && claimRef.uid !== metadata.uid)
    return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  return { kind: 'bind', volume };
}

/** Of a claim that names its volume. */
function wishPlan(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): ClaimPlan {
  if (!volume) return { kind: 'wait' };
  const quoted = JSON.stringify(volume.metadata.name);
  if (volume.spec?.claimRef)
    return isKeptFor(volume, claim)
      ? { kind: 'bind', volume }
      : { kind: 'wait', event: failed(`volume ${quoted} already bound to a different claim.`) };
  const why = mismatchOf(volume, claim);
  if (why === undefined) return { kind: 'bind', volume };
  return {
    kind: 'wait',
    event: { type: 'Warning', reason: 'VolumeMismatch', message: `Cannot bind to requested volume ${quoted}: ${why}` },
  };
}

/** Of a claim that takes any volume. */
function openClaimPlan(claim: PersistentVolumeClaim, around: Surroundings): ClaimPlan {
  const className = classNameOf(claim) ?? '';
  const waits = waitsForConsumer(around.storageClass(className));
  for (const group of byFewestModes(around.volumes().filter((volume) => hasModes(volume, claim)))) {
    const volume = findMatch(claim, group, { waits });
    if (volume) return { kind: 'bind', volume };
  }
  const byDefault = classNameOf(claim) === undefined ? defaultClassOf(around.classes()) : undefined;
  if (byDefault) return { kind: 'assign class', name: byDefault.metadata.name };
  if (waits && claim.metadata.annotations?.[selectedNode] === undefined)
    return { kind: 'wait', event: waitEvent(around.waitingPods().toSorted()) };
  if (className !== '') return provisionPlan(className, around.storageClass(className));
  return {
    kind: 'wait',
    event: { ...failed('no persistent volumes available for this claim and no storage class is set'), type: 'Normal' },
  };
}

function waitEvent(pods: readonly string[]): EventText {
  if (pods.length === 0)
    return { type: 'Normal', reason: 'WaitForFirstConsumer', message: 'waiting for first consumer to be created before binding' };
  const message = `waiting for ${pods.length > 1 ? 'pods' : 'pod'} ${pods.join()} to be scheduled`;
  return { type: 'Normal', reason: 'WaitForPodScheduled', message };
}

/** Nothing is made here: a provisioner of Kubernetes' own is none that anybody runs. */
function provisionPlan(name: string, storageClass: StorageClass | undefined): ClaimPlan {
  const refuse = (message: string): ClaimPlan => ({
    kind: 'refuse',
    event: { type: 'Warning', reason: 'ProvisioningFailed', message },
  });
  if (!storageClass) return refuse(`storageclass.storage.k8s.io ${JSON.stringify(name)} not found`);
  const { provisioner } = storageClass;
  return provisioner.startsWith('kubernetes.io/')
    ? refuse(`no volume plugin matched name: ${provisioner}`)
    : { kind: 'provision', provisioner };
}

export type VolumePlan =
  /** It is Available, or Bound. */
  | { readonly kind: 'phase'; readonly phase: 'Available' | 'Bound' }
  /** The claim is to finish the binding. */
  | { readonly kind: 'leave to claim' }
  | { readonly kind: 'mismatch'; readonly ofVolume: EventText; readonly ofClaim: EventText }
  /** Nobody has it any more. */
  | { readonly kind: 'reclaim' }
  /** It is for a claim that has got another one. */
  | { readonly kind: 'unbind' };

/** `claim` is the one that the volume is for by name and uid, if it is there. */
export function volumePlan(volume: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumePlan {
  const { metadata, spec = {} } = volume;
  if (!spec.claimRef?.uid) return { kind: 'phase', phase: 'Available' };
  if (!claim) return { kind: 'reclaim' };
  const has = claim.spec?.volumeName;
  if (has === metadata.name) return { kind: 'phase', phase: 'Bound' };
  if (!has) return modeOf(volume) === modeOf(claim) ? { kind: 'leave to claim' } : modeMismatch(volume, claim);
  const isMadeForIt = metadata.annotations?.[provisionedBy] !== undefined && spec.persistentVolumeReclaimPolicy === 'Delete';
  return isMadeForIt ? { kind: 'reclaim' } : { kind: 'unbind' };
}

function modeMismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): VolumePlan {
  const event = (message: string): EventText => ({ type: 'Warning', reason: 'VolumeMismatch', message });
  const [its, claims] = [volume.metadata.name, claim.metadata.name].map((name) => JSON.stringify(name));
  return {
    kind: 'mismatch',
    ofVolume: event(`Cannot bind PersistentVolume to requested PersistentVolumeClaim ${claims} due to incompatible volumeMode.`),
    ofClaim: event(`Cannot bind PersistentVolume ${its} to requested PersistentVolumeClaim due to incompatible volumeMode.`),
  };
}

export type ReclaimPlan =
  | { readonly kind: 'keep' }
  | { readonly kind: 'delete path'; readonly path: string }
  | { readonly kind: 'fail'; readonly reason: string; readonly message: string };

/** What is done about the content of a volume that nobody has any more. */
export function reclaimPlan({ metadata, spec = {} }: PersistentVolume): ReclaimPlan {
  const { persistentVolumeReclaimPolicy: policy = 'Retain', hostPath, csi } = spec;
  const maker = metadata.annotations?.[provisionedBy] ?? '';
  if (policy === 'Retain' || metadata.annotations?.[migratedTo]) return { kind: 'keep' };
  if (policy === 'Recycle') return { kind: 'fail', reason: 'VolumeFailedRecycle', message: 'No recycler plugin found for the volume!' };
  const fail = (message: string): ReclaimPlan => ({ kind: 'fail', reason: 'VolumeFailedDelete', message });
  if (maker.startsWith('kubernetes.io/')) return fail(`no volume plugin matched name: ${maker}`);
  // Another program sees to these.
  if (maker || csi) return { kind: 'keep' };
  if (!hostPath)
    return fail(`error getting deleter volume plugin for volume ${JSON.stringify(metadata.name)}: no deletable volume plugin matched`);
  // A volume is written by who may write volumes, and what is deleted is deleted as root.
  return /^\/tmp\/.+/.test(hostPath.path) && !hostPath.path.split('/').includes('..')
    ? { kind: 'delete path', path: hostPath.path }
    : fail(`host_path deleter only supports /tmp/.+ but received provided ${hostPath.path}`);
}

/** The claim as it is when it has the volume; the same object when there is nothing to write. */
export function claimBoundTo(claim: PersistentVolumeClaim, { metadata: { name } }: PersistentVolume): PersistentVolumeClaim {
  const { metadata, spec } = claim;
  const { annotations } = metadata;
  const isNamed = spec?.volumeName === name;
  if (isNamed && annotations?.[bindCompleted] !== undefined) return claim;
  const byUs = isNamed || annotations?.[boundByController] !== undefined ? {} : { [boundByController]: 'yes' };
  const marks = { ...annotations, ...byUs, [bindCompleted]: annotations?.[bindCompleted] ?? 'yes' };
  return { ...claim, metadata: { ...metadata, annotations: marks }, spec: { ...spec, volumeName: name } };
}

/** The volume as anybody may have it again; one that was kept for a name stays kept for it. */
export function unboundVolume(volume: PersistentVolume): PersistentVolume {
  const { metadata, spec } = volume;
  const { [boundByController]: mark, ...annotations } = metadata.annotations ?? {};
  if (mark === undefined) return { ...volume, spec: { ...spec, claimRef: { ...spec?.claimRef, uid: undefined } } };
  const left = Object.keys(annotations).length > 0 ? annotations : undefined;
  return { ...volume, metadata: { ...metadata, annotations: left }, spec: { ...spec, claimRef: undefined } };
}

/** The status of a claim in this phase. `volume` is the one that it has. */
export function claimStatus(
  { status = {} }: PersistentVolumeClaim,
  phase: string,
  volume: PersistentVolume | undefined,
): NonNullable<PersistentVolumeClaim['status']> {
  if (!volume) return { ...status, phase, accessModes: undefined, capacity: undefined, currentVolumeAttributesClassName: undefined };
  const { accessModes, capacity, volumeAttributesClassName } = volume.spec ?? {};
  // Once it is bound, who resizes it says how large it is, and who changes its class which one it has.
  const isNew = status.phase !== phase;
  const preResize = volume.metadata.annotations?.['volume.alpha.kubernetes.io/pre-resize-capacity'];
  return {
    ...status,
    phase,
    accessModes,
    ...(isNew ? { capacity: preResize ? { ...status.capacity, storage: preResize } : capacity } : {}),
    ...(status.phase === 'Pending' && isNew ? { currentVolumeAttributesClassName: volumeAttributesClassName } : {}),
  };
}
