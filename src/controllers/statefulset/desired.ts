/** The next steps of a StatefulSet, and its status: pure. The order of steps is upstream's updateStatefulSet. */
import type { ControllerRevision, Pod, StatefulSet, StatefulSetStatus } from '../../api/schema/types.ts';
import { availableIn, isOver, isReady } from '../ownership/pod-state.ts';
import { scaledValue } from '../ownership/scaled-value.ts';
import { isWanted, missingLabels, ordinalOf, revisionLabel, startOf } from './pod-identity.ts';

export type Step =
  | { readonly kind: 'create'; readonly ordinal: number; readonly revision: ControllerRevision }
  | { readonly kind: 'delete'; readonly pod: Pod }
  | { readonly kind: 'label'; readonly pod: Pod; readonly labels: Readonly<Record<string, string>> };

interface StatefulInput {
  readonly set: StatefulSet;
  /** What pods are at until an update is through, and what they are to be at. */
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
  readonly pods: readonly Pod[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What one pod needs; `waits`: the others have to wait for it. */
interface Turn {
  readonly step?: Step;
  readonly waits: boolean;
}

/** In order; with OrderedReady at most one pod is made or deleted, and only when those before it are available. */
export function planStatefulSet(input: StatefulInput): Step[] {
  if (input.set.metadata.deletionTimestamp) return [];
  const { replicas, condemned } = partition(input.set, input.pods);
  const firstUnhealthy = [...replicas, ...condemned.toReversed()].find((pod) => !serves(pod, input));
  const steps: Step[] = [];
  for (const [i, pod] of replicas.entries()) {
    const { step, waits } = replicaTurn(input, startOf(input.set) + i, pod);
    if (step) steps.push(step);
    if (waits) return steps;
  }
  for (const pod of condemned) {
    const { step, waits } = condemnedTurn(input, pod, firstUnhealthy);
    if (step) steps.push(step);
    if (waits) return steps;
  }
  const ending = new Set(steps.map((step) => (step.kind === 'delete' ? step.pod : undefined)));
  for (const pod of outdatedPods(input, replicas)) if (!ending.has(pod)) steps.push({ kind: 'delete', pod });
  return steps;
}

function isOrdered({ set }: StatefulInput): boolean {
  return set.spec?.podManagementPolicy !== 'Parallel';
}

/** Available, and to stay so. */
function serves(pod: Pod | undefined, { set, now }: Pick<StatefulInput, 'set' | 'now'>): boolean {
  return pod !== undefined && isAvailable(pod, set, now) && !isLeaving(pod);
}

function replicaTurn(input: StatefulInput, ordinal: number, pod: Pod | undefined): Turn {
  const { set, current, update } = input;
  const ordered = isOrdered(input);
  if (!pod) return { step: { kind: 'create', ordinal, revision: ordinal < keptBelow(set) ? current : update }, waits: ordered };
  // Its successor comes when it is gone, whatever its exit code: pods of a set run for ever.
  if (isOver(pod)) return { ...(isLeaving(pod) ? {} : { step: { kind: 'delete', pod } }), waits: ordered };
  if (ordered && !serves(pod, input)) return { waits: true };
  const labels = missingLabels(set, pod);
  return { ...(labels ? { step: { kind: 'label', pod, labels } } : {}), waits: false };
}

/** A pod that the set has one too many of goes when those after it are gone, and all others are well; an unhealthy one goes at once. */
function condemnedTurn(input: StatefulInput, pod: Pod, firstUnhealthy: Pod | undefined): Turn {
  const ordered = isOrdered(input);
  if (isLeaving(pod)) return { waits: ordered };
  if (ordered && !serves(pod, input) && pod !== firstUnhealthy) return { waits: true };
  return { step: { kind: 'delete', pod }, waits: ordered };
}

/**
 * The pods that a rolling update replaces now, from the last one down: no more than leaves `maxUnavailable` of the set unavailable. Those
 * that are unavailable already go at once. Only a Parallel set gets here with one: upstream 1.35.3 counts it among what is unavailable and
 * waits for it, so that a broken template is never replaced (kubernetes/kubernetes#137409, mended there by #137666).
 */
function outdatedPods(input: StatefulInput, replicas: readonly (Pod | undefined)[]): Pod[] {
  const { set, update } = input;
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type === 'OnDelete') return [];
  const outdated = replicas
    .slice(rollingUpdate?.partition ?? 0)
    .filter((pod) => pod !== undefined)
    .filter((pod) => revisionOf(pod) !== update.metadata.name && !isLeaving(pod))
    .toReversed();
  const budget = maxUnavailable(set) - unavailableReplicas(input);
  const serving = outdated.filter((pod) => serves(pod, input));
  return [...outdated.filter((pod) => !serves(pod, input)), ...serving.slice(0, Math.max(budget, 0))];
}

/** How many of the replicas are missing, or not available for long enough, or about to go. */
export function unavailableReplicas(input: Pick<StatefulInput, 'set' | 'pods' | 'now'>): number {
  return partition(input.set, input.pods).replicas.filter((pod) => !serves(pod, input)).length;
}

/** Of all replicas, rounded down, and one at least: an update that may take away none would never end. */
export function maxUnavailable({ spec }: StatefulSet): number {
  return Math.max(scaledValue(spec?.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, spec?.replicas ?? 1, Math.floor), 1);
}

export function statefulSetStatus({ set, current, update, pods, now }: StatefulInput): StatefulSetStatus {
  const members = pods.filter((pod) => ordinalOf(set, pod) !== undefined);
  const staying = members.filter((pod) => !isLeaving(pod));
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

function isLeaving(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}
