/** The next steps of a StatefulSet, and its status: pure. The order of steps is upstream's updateStatefulSet. */
import type { ControllerRevision, Pod, StatefulSet, StatefulSetStatus } from '../../api/schema/types.ts';
import { availableIn, isReady } from '../ownership/pod-state.ts';
import { isWanted, missingLabels, ordinalOf, revisionLabel, startOf } from './pod-identity.ts';

export type Step =
  | { readonly kind: 'create'; readonly ordinal: number; readonly revision: ControllerRevision }
  | { readonly kind: 'delete'; readonly pod: Pod }
  | { readonly kind: 'label'; readonly pod: Pod; readonly labels: Readonly<Record<string, string>> };

export interface StatefulInput {
  readonly set: StatefulSet;
  /** What pods are at until an update is through, and what they are to be at. */
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly pods: readonly Pod[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** In order; with OrderedReady at most one pod is made or deleted, and only when those before it are available. */
export function planStatefulSet(input: StatefulInput): Step[] {
  const { set, current, update, pods, now } = input;
  if (set.metadata.deletionTimestamp) return [];
  const ordered = set.spec?.podManagementPolicy !== 'Parallel';
  const available = (pod: Pod | undefined): boolean => pod !== undefined && isAvailable(pod, set, now) && !isLeavingPod(pod);
  const { replicas, condemned } = partition(set, pods);
  const firstUnhealthy = [...replicas, ...condemned.toReversed()].find((pod) => !available(pod));
  const steps: Step[] = [];
  const start = startOf(set);

  for (const [i, pod] of replicas.entries()) {
    if (!pod) {
      steps.push({ kind: 'create', ordinal: start + i, revision: start + i < keptBelow(set) ? current : update });
      if (ordered) return steps;
      continue;
    }
    if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') {
      // Its successor comes when it is gone, whatever its exit code: pods of a set run for ever.
      if (!isLeavingPod(pod)) steps.push({ kind: 'delete', pod });
      if (ordered) return steps;
      continue;
    }
    if (ordered && !available(pod)) return steps;
    const labels = missingLabels(set, pod);
    if (labels) steps.push({ kind: 'label', pod, labels });
  }

  for (const pod of condemned) {
    if (ordered && (isLeavingPod(pod) || (!available(pod) && pod !== firstUnhealthy))) return steps;
    if (!isLeavingPod(pod)) steps.push({ kind: 'delete', pod });
    if (ordered) return steps;
  }

  if (set.spec?.updateStrategy?.type === 'OnDelete') return steps;
  const ending = new Set(steps.flatMap((step) => (step.kind === 'delete' ? [step.pod] : [])));
  const partitionAt = set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  for (let i = replicas.length - 1; i >= partitionAt; i--) {
    const pod = replicas[i];
    if (pod && revisionOf(pod) !== update.metadata.name && !isLeavingPod(pod)) {
      return ending.has(pod) ? steps : [...steps, { kind: 'delete', pod }];
    }
    if (!available(pod)) return steps;
  }
  return steps;
}

export function statefulSetStatus({ set, current, update, pods, now }: StatefulInput): StatefulSetStatus {
  const members = pods.filter((pod) => ordinalOf(set, pod) !== undefined);
  const staying = members.filter((pod) => !isLeavingPod(pod));
  const count = (revision: ControllerRevision): number => staying.filter((pod) => revisionOf(pod) === revision.metadata.name).length;
  const status = {
    observedGeneration: set.metadata.generation,
    replicas: members.length,
    readyReplicas: members.filter((pod) => pod.status?.phase === 'Running' && isReady(pod)).length,
    availableReplicas: members.filter((pod) => isAvailable(pod, set, now)).length,
    currentReplicas: count(current),
    updatedReplicas: count(update),
    currentRevision: current.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: set.status?.collisionCount ?? 0,
  };
  const wanted = set.spec?.replicas ?? 1;
  const through = [status.updatedReplicas, status.readyReplicas, status.replicas].every((n) => n === wanted);
  if (set.spec?.updateStrategy?.type !== 'OnDelete' && through) {
    return { ...status, currentReplicas: status.updatedReplicas, currentRevision: status.updateRevision };
  }
  return status;
}

/** Milliseconds until another ready pod counts as available. */
export function lookAgainIn({ set, pods, now }: Pick<StatefulInput, 'set' | 'pods' | 'now'>): number | undefined {
  const waits = pods.map((pod) => availableIn(pod, set.spec?.minReadySeconds ?? 0, now)).filter((ms) => ms !== undefined && ms > 0);
  return waits.length > 0 ? Math.min(...(waits as number[])) : undefined;
}

export function revisionOf(pod: Pod): string {
  return pod.metadata.labels?.[revisionLabel] ?? '';
}

/** Pods of lower ordinals are made again as they were. */
function keptBelow(set: StatefulSet): number {
  const { updateStrategy } = set.spec ?? {};
  if (updateStrategy?.rollingUpdate) return startOf(set) + (updateStrategy.rollingUpdate.partition ?? 0);
  return updateStrategy?.type === 'OnDelete' ? 0 : startOf(set) + (set.status?.currentReplicas ?? 0);
}

function partition(set: StatefulSet, pods: readonly Pod[]): { replicas: (Pod | undefined)[]; condemned: Pod[] } {
  const replicas = Array<Pod | undefined>(set.spec?.replicas ?? 1).fill(undefined);
  const condemned: { readonly pod: Pod; readonly ordinal: number }[] = [];
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal === undefined) continue;
    if (isWanted(set, ordinal)) replicas[ordinal - startOf(set)] = pod;
    else condemned.push({ pod, ordinal });
  }
  return { replicas, condemned: condemned.toSorted((a, b) => b.ordinal - a.ordinal).map(({ pod }) => pod) };
}

function isAvailable(pod: Pod, set: StatefulSet, now: number): boolean {
  return availableIn(pod, set.spec?.minReadySeconds ?? 0, now) === 0;
}

function isLeavingPod(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}
