/** Which ReplicaSet has a Deployment's template, which are too old to keep, and what they are marked with: pure. */
import type { Deployment, ReplicaSet } from '../../api/schema/types.ts';
import { lastAppliedConfigAnnotation } from '../../api/well-known.ts';
import { scaledValue } from '../ownership/scaled-value.ts';
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

/** A Deployment and its ReplicaSets, as far as this pass has brought them. */
export interface Rollout {
  readonly deployment: Deployment;
  /** The one of the present template; undefined while it may not be made. */
  readonly fresh: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  /** `fresh` was made in this pass. */
  readonly isNew: boolean;
}

export interface Bounds {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

export function boundsOf(deployment: Deployment): Bounds {
  if (deployment.spec?.strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 };
  const replicas = deployment.spec?.replicas ?? 1;
  const rolling = deployment.spec?.strategy?.rollingUpdate;
  const maxSurge = scaledValue(rolling?.maxSurge ?? '25%', replicas);
  const maxUnavailable = Math.min(scaledValue(rolling?.maxUnavailable ?? '25%', replicas, Math.floor), replicas);
  // Both zero would never get anywhere.
  return maxSurge === 0 && maxUnavailable === 0 ? { maxSurge, maxUnavailable: 1 } : { maxSurge, maxUnavailable };
}

export const size = (rs: ReplicaSet): number => rs.spec?.replicas ?? 0;
export const sum = (sets: readonly ReplicaSet[], of: (rs: ReplicaSet) => number): number => sets.reduce((n, rs) => n + of(rs), 0);
export const available = (rs: ReplicaSet): number => rs.status?.availableReplicas ?? 0;

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
