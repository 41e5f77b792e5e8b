/** How many pods to make, which to delete, what the status says: pure. Serves ReplicaSet and ReplicationController. */
import type { Pod, ReplicaSet, ReplicaSetStatus, ReplicationController } from '../../api/schema/types.ts';
import type { EventText } from '../../client/event-recorder.ts';
import { withCondition } from '../ownership/conditions.ts';
import { availableIn, isActive, isReady, readySince } from '../ownership/pod-state.ts';

/** At most this many are made or deleted at once. */
const burstReplicas = 500;

interface ReplicaPlan {
  readonly create: number;
  readonly remove: readonly Pod[];
}

export function planReplicas(replicas: number, owned: readonly Pod[]): ReplicaPlan {
  const active = owned.filter(isActive);
  const diff = replicas - active.length;
  if (diff >= 0) return { create: Math.min(diff, burstReplicas), remove: [] };
  return { create: 0, remove: rankForDeletion(active).slice(0, Math.min(-diff, burstReplicas)) };
}

/** Those that are missed least come first, by the rules of upstream's ActivePodsWithRanks. */
export function rankForDeletion(pods: readonly Pod[]): Pod[] {
  const perNode = new Map<string, number>();
  for (const p of pods) if (isReady(p)) perNode.set(p.spec?.nodeName ?? '', (perNode.get(p.spec?.nodeName ?? '') ?? 0) + 1);
  const phase = (p: Pod): number => ['Pending', 'Unknown', 'Running'].indexOf(p.status?.phase ?? 'Pending');
  const cost = (p: Pod): number => Number(p.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0;
  const restarts = (p: Pod): number => Math.max(0, ...(p.status?.containerStatuses ?? []).map((c) => c.restartCount ?? 0));
  // The newest goes first.
  const age = (p: Pod): number => -(Date.parse(p.metadata.creationTimestamp ?? '') || 0);
  const keys = (p: Pod): readonly number[] => [
    p.spec?.nodeName ? 1 : 0,
    phase(p),
    isReady(p) ? 1 : 0,
    cost(p),
    -(perNode.get(p.spec?.nodeName ?? '') ?? 0),
    // The one that has been ready the shortest goes first.
    -(readySince(p) ?? 0),
    -restarts(p),
    age(p),
  ];
  return pods
    .map((pod) => ({ pod, rank: keys(pod) }))
    .toSorted((a, b) => {
      for (let i = 0; i < a.rank.length; i++) {
        const d = (a.rank[i] ?? 0) - (b.rank[i] ?? 0);
        if (d !== 0) return d;
      }
      return (a.pod.metadata.uid ?? '') < (b.pod.metadata.uid ?? '') ? -1 : 1;
    })
    .map(({ pod }) => pod);
}

/** What went wrong while making or deleting pods. */
export type Failure = Pick<EventText, 'reason' | 'message'>;

export interface StatusPlan {
  readonly status: ReplicaSetStatus;
  /** When a ready pod will count as available, in ms. */
  readonly lookAgainIn: number | undefined;
}

export function replicaStatus(
  { metadata, spec, status: previous }: ReplicaSet | ReplicationController,
  owned: readonly Pod[],
  now: number,
  failure?: Failure,
): StatusPlan {
  const active = owned.filter(isActive);
  const waits = active.map((pod) => availableIn(pod, spec?.minReadySeconds ?? 0, now)).filter((ms) => ms !== undefined);
  const later = waits.filter((ms) => ms > 0);
  const labels = Object.entries(spec?.template?.metadata?.labels ?? {});
  // The first failure stays, as upstream: each names another pod, and a status that changes brings the key back at once.
  const before = previous?.conditions ?? [];
  const known = before.some(({ type }) => type === 'ReplicaFailure');
  const failed = failure && !known ? withCondition(before, { type: 'ReplicaFailure', status: 'True', ...failure }, now) : before;
  const conditions = failure ? failed : before.filter(({ type }) => type !== 'ReplicaFailure');
  const status: ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((p) => labels.every(([k, v]) => p.metadata.labels?.[k] === v)).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: waits.length - later.length,
    observedGeneration: metadata.generation ?? 0,
    ...(conditions.length > 0 ? { conditions } : {}),
  };
  return { status, lookAgainIn: later.length > 0 ? Math.min(...later) : undefined };
}
