/** What a Deployment wants of its ReplicaSets: pure. Numbers and words follow upstream's deployment controller. */
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../api/schema/types.ts';
import { lastAppliedConfigAnnotation } from '../../api/well-known.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { canonical } from '../ownership/template-hash.ts';

export const hashLabel = 'pod-template-hash';
export const revisionAnnotation = 'deployment.kubernetes.io/revision';
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';

/** Annotations that a ReplicaSet does not take over from its Deployment. */
const notCopied = new Set([
  lastAppliedConfigAnnotation,
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.to',
]);

/** An int64, as kubectl and upstream's controller read it: more than a number holds. 0 for none, or for what is no revision. */
export function revisionOf(rs: ReplicaSet): bigint {
  const text = rs.metadata.annotations?.[revisionAnnotation] ?? '';
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

/** The highest revision among some. */
export function highestRevision(replicaSets: readonly ReplicaSet[]): bigint {
  return replicaSets.map(revisionOf).reduce((a, b) => (a > b ? a : b), 0n);
}

function created(rs: ReplicaSet): number {
  return Date.parse(rs.metadata.creationTimestamp ?? '') || 0;
}

/** Oldest first. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  return created(a) - created(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** A template without the label that tells ReplicaSets apart. */
function bare(template: ReplicaSet['spec'] extends infer S ? (S extends { template?: infer T } ? T : never) : never): string {
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {};
  return canonical({ ...template, metadata: { ...template?.metadata, labels } });
}

export function hasTemplateOf(deployment: Deployment, rs: ReplicaSet): boolean {
  return bare(rs.spec?.template) === bare(deployment.spec?.template);
}

/** The ReplicaSet that has the Deployment's template now; the oldest when there are several. */
export function newReplicaSet(deployment: Deployment, owned: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = bare(deployment.spec?.template);
  return owned.toSorted(byAge).find((rs) => bare(rs.spec?.template) === wanted);
}

/** `3` or `"25%"` of `total`. */
export function resolve(amount: number | string | undefined, total: number, up: boolean): number {
  if (typeof amount === 'number') return amount;
  const percent = Number.parseFloat(amount ?? '0') || 0;
  return up ? Math.ceil((total * percent) / 100) : Math.floor((total * percent) / 100);
}

export interface Bounds {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

export function boundsOf(deployment: Deployment): Bounds {
  if (deployment.spec?.strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 };
  const replicas = deployment.spec?.replicas ?? 1;
  const rolling = deployment.spec?.strategy?.rollingUpdate;
  const maxSurge = resolve(rolling?.maxSurge ?? '25%', replicas, true);
  const maxUnavailable = Math.min(resolve(rolling?.maxUnavailable ?? '25%', replicas, false), replicas);
  // Both zero would never get anywhere.
  return maxSurge === 0 && maxUnavailable === 0 ? { maxSurge, maxUnavailable: 1 } : { maxSurge, maxUnavailable };
}

const size = (rs: ReplicaSet): number => rs.spec?.replicas ?? 0;
const sum = (sets: readonly ReplicaSet[], of: (rs: ReplicaSet) => number): number => sets.reduce((n, rs) => n + of(rs), 0);
const available = (rs: ReplicaSet): number => rs.status?.availableReplicas ?? 0;

/** New sizes by name; a ReplicaSet that is not named keeps its size. */
export type Sizes = ReadonlyMap<string, number>;

/** One step of a rolling update: as much up, and as much down, as the bounds allow right now. */
export function rollingSizes(deployment: Deployment, fresh: ReplicaSet, old: readonly ReplicaSet[]): Sizes {
  const replicas = deployment.spec?.replicas ?? 1;
  const { maxSurge, maxUnavailable } = boundsOf(deployment);
  const sizes = new Map<string, number>();
  const all = [fresh, ...old];
  const total = sum(all, size);
  if (size(fresh) > replicas) {
    sizes.set(fresh.metadata.name, replicas);
    return sizes;
  }
  if (size(fresh) < replicas) {
    const room = replicas + maxSurge - total;
    if (room > 0) {
      sizes.set(fresh.metadata.name, Math.min(size(fresh) + room, replicas));
      return sizes;
    }
  }
  const minAvailable = replicas - maxUnavailable;
  const freshUnavailable = size(fresh) - available(fresh);
  let mayGo = total - minAvailable - freshUnavailable;
  if (mayGo <= 0) return sizes;
  const running = old.filter((rs) => size(rs) > 0).toSorted(byAge);
  // Pods that serve nobody go first: they cost no availability.
  for (const rs of running) {
    const unhealthy = Math.min(size(rs) - available(rs), mayGo);
    if (unhealthy <= 0) continue;
    sizes.set(rs.metadata.name, size(rs) - unhealthy);
    mayGo -= unhealthy;
  }
  let healthyMayGo = sum(all, available) - minAvailable;
  for (const rs of running) {
    const now = sizes.get(rs.metadata.name) ?? size(rs);
    const less = Math.min(now, healthyMayGo, mayGo);
    if (less <= 0) continue;
    sizes.set(rs.metadata.name, now - less);
    healthyMayGo -= less;
    mayGo -= less;
  }
  return sizes;
}

/** Recreate: everything old goes, and only when its pods are gone does the new come. */
export function recreateSizes(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  oldPodsRun: boolean,
): Sizes {
  const sizes = new Map<string, number>();
  for (const rs of old) if (size(rs) > 0) sizes.set(rs.metadata.name, 0);
  if (sizes.size === 0 && !oldPodsRun && fresh) sizes.set(fresh.metadata.name, deployment.spec?.replicas ?? 1);
  return sizes;
}

/** The Deployment itself was scaled, or is paused: sizes grow or shrink in proportion, so that a rollout under way keeps its mix. */
export function proportionalSizes(deployment: Deployment, fresh: ReplicaSet | undefined, old: readonly ReplicaSet[]): Sizes {
  const replicas = deployment.spec?.replicas ?? 1;
  const sizes = new Map<string, number>();
  const active = [...(fresh ? [fresh] : []), ...old].filter((rs) => size(rs) > 0);
  const only = active.length === 0 ? (fresh ?? old.toSorted(byAge).at(-1)) : active.length === 1 ? active[0] : undefined;
  if (only) {
    if (size(only) !== replicas) sizes.set(only.metadata.name, replicas);
    return sizes;
  }
  // Saturated: the new one holds all, so the old ones go.
  if (fresh && size(fresh) === replicas && available(fresh) === replicas) {
    for (const rs of old) if (size(rs) > 0) sizes.set(rs.metadata.name, 0);
    return sizes;
  }
  const allowed = replicas > 0 ? replicas + boundsOf(deployment).maxSurge : 0;
  let toAdd = allowed - sum(active, size);
  const grows = toAdd > 0;
  const order = active.toSorted((a, b) => size(b) - size(a) || (grows ? byAge(b, a) : byAge(a, b)));
  for (const rs of order) {
    if (toAdd === 0) break;
    const before = Number(rs.metadata.annotations?.[maxReplicasAnnotation] ?? 0) || replicas;
    const share = Math.round((size(rs) * allowed) / before) - size(rs);
    const change = grows ? Math.min(Math.max(share, 0), toAdd) : Math.max(Math.min(share, 0), toAdd);
    sizes.set(rs.metadata.name, Math.max(size(rs) + change, 0));
    toAdd -= change;
  }
  const largest = order[0];
  if (largest && toAdd !== 0) {
    const now = sizes.get(largest.metadata.name) ?? size(largest);
    sizes.set(largest.metadata.name, Math.max(now + toAdd, 0));
  }
  return sizes;
}

/** Whether the Deployment was scaled since its ReplicaSets were last sized. */
export function wasScaled(deployment: Deployment, owned: readonly ReplicaSet[]): boolean {
  const replicas = deployment.spec?.replicas ?? 1;
  return owned.some((rs) => {
    const desired = rs.metadata.annotations?.[desiredReplicasAnnotation];
    return size(rs) > 0 && desired !== undefined && Number(desired) !== replicas;
  });
}

/** Old ReplicaSets beyond the history limit that nothing runs in, oldest revision first. */
export function beyondHistory(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  const done = old.filter(
    (rs) =>
      size(rs) === 0 &&
      (rs.status?.replicas ?? 0) === 0 &&
      !rs.metadata.deletionTimestamp &&
      (rs.status?.observedGeneration ?? 0) >= (rs.metadata.generation ?? 0),
  );
  return done.toSorted((a, b) => (revisionOf(a) < revisionOf(b) ? -1 : 1)).slice(0, Math.max(old.length - limit, 0));
}

/** The annotations a ReplicaSet should carry, apart from its revision. */
export function replicaSetAnnotations(deployment: Deployment, rs: ReplicaSet | undefined): Record<string, string> {
  const replicas = deployment.spec?.replicas ?? 1;
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key));
  return {
    ...rs?.metadata.annotations,
    ...Object.fromEntries(copied),
    [desiredReplicasAnnotation]: String(replicas),
    [maxReplicasAnnotation]: String(replicas + boundsOf(deployment).maxSurge),
  };
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = deployment.spec?.replicas ?? 1;
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

export interface StatusPlan {
  readonly status: DeploymentStatus;
  /** When the progress deadline runs out, in ms. */
  readonly lookAgainIn: number | undefined;
}

export function deploymentStatus(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  owned: readonly ReplicaSet[],
  now: number,
  /** `fresh` was made in this round. */
  isNew: boolean = false,
): StatusPlan {
  const old = deployment.status;
  const replicas = deployment.spec?.replicas ?? 1;
  const total = sum(owned, (rs) => rs.status?.replicas ?? 0);
  const availableReplicas = sum(owned, available);
  const status: DeploymentStatus = {
    observedGeneration: deployment.metadata.generation,
    replicas: total,
    updatedReplicas: fresh?.status?.replicas ?? 0,
    readyReplicas: sum(owned, (rs) => rs.status?.readyReplicas ?? 0),
    availableReplicas,
    unavailableReplicas: Math.max(sum(owned, size) - availableReplicas, 0),
    collisionCount: old?.collisionCount,
  };
  const time = timestamp(now);
  const conditions = new Map((old?.conditions ?? []).map((c) => [c.type, c]));
  const set = (type: string, value: 'True' | 'False' | 'Unknown', reason: string, message: string, renew: boolean = false): void => {
    const was = conditions.get(type);
    if (was?.status === value && was.reason === reason && !renew) return;
    const lastTransitionTime = was?.status === value ? was.lastTransitionTime : time;
    const condition: DeploymentCondition = { type, status: value, lastUpdateTime: time, lastTransitionTime, reason, message };
    conditions.set(type, condition);
  };
  if (availableReplicas >= replicas - boundsOf(deployment).maxUnavailable)
    set('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.');
  else set('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.');

  const failure = [...(fresh ? [fresh] : []), ...owned]
    .flatMap((rs) => rs.status?.conditions ?? [])
    .find((c) => c.type === 'ReplicaFailure');
  if (failure) set('ReplicaFailure', 'True', failure.reason ?? '', failure.message ?? '');
  else conditions.delete('ReplicaFailure');

  const lookAgainIn = progress();
  status.conditions = [...conditions.values()];
  return { status, lookAgainIn };

  function progress(): number | undefined {
    const deadline = deployment.spec?.progressDeadlineSeconds;
    const was = conditions.get('Progressing');
    // Without a deadline nothing is said about progress.
    if (deadline === undefined || deadline === 2147483647) return undefined;
    if (deployment.spec?.paused) {
      // That it got stuck before it was paused stays to be seen.
      if (was?.reason === 'ProgressDeadlineExceeded') return undefined;
      set('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused');
      return undefined;
    }
    if (was?.reason === 'DeploymentPaused') {
      set('Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed');
      return undefined;
    }
    if (!fresh) return undefined;
    const name = fresh.metadata.name;
    if (isNew || !was) {
      set(
        'Progressing',
        'True',
        isNew ? 'NewReplicaSetCreated' : 'FoundNewReplicaSet',
        isNew ? `Created new replica set "${name}"` : `Found new replica set "${name}"`,
        true,
      );
      return deadline * 1000;
    }
    // A rollout that was finished once is neither under way again nor late because a pod died later.
    if (was.reason === 'NewReplicaSetAvailable' && total === status.updatedReplicas) return undefined;
    if (isComplete(deployment, status)) {
      set('Progressing', 'True', 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`);
      return undefined;
    }
    const moved =
      (status.updatedReplicas ?? 0) > (old?.updatedReplicas ?? 0) ||
      total - (status.updatedReplicas ?? 0) < (old?.replicas ?? 0) - (old?.updatedReplicas ?? 0) ||
      (status.readyReplicas ?? 0) > (old?.readyReplicas ?? 0) ||
      (status.availableReplicas ?? 0) > (old?.availableReplicas ?? 0);
    if (moved) {
      set('Progressing', 'True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`, true);
      return deadline * 1000;
    }
    if (was.reason === 'NewReplicaSetAvailable' || was.reason === 'ProgressDeadlineExceeded') return undefined;
    const left = (Date.parse(was.lastUpdateTime ?? '') || now) + deadline * 1000 - now;
    if (left > 0) return left;
    set('Progressing', 'False', 'ProgressDeadlineExceeded', `ReplicaSet "${name}" has timed out progressing.`);
    return undefined;
  }
}
