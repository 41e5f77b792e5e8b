/** How many pods a PodDisruptionBudget may lose: pure. */
import type { Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/schema/types.ts';
import { withCondition } from '../ownership/conditions.ts';
import { isActive, isReady } from '../ownership/pod-state.ts';
import { scaledValue } from '../ownership/scaled-value.ts';

/** An eviction that was allowed has so long to become a deletion. */
const deletionTimeoutMs: number = 2 * 60_000;

interface BudgetPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** Pods whose eviction was allowed and that were not deleted. */
  readonly notDeleted: readonly Pod[];
  /** Milliseconds until an allowed eviction lapses. */
  readonly lookAgainIn: number | undefined;
}

/** `scale` is the sum of the replicas of all controllers of the pods; `now` is in ms since the epoch. */
export function planBudget(budget: PodDisruptionBudget, pods: readonly Pod[], scale: number, now: number): BudgetPlan {
  const { expectedPods, desiredHealthy } = wanted(budget, pods, scale);
  const there = pods.filter((pod) => !pod.metadata.deletionTimestamp);
  // By pod, milliseconds until its allowed eviction lapses.
  const evictions = new Map(there.flatMap((pod) => evictionOf(budget, pod, now)));
  const open = new Set(there.filter((pod) => (evictions.get(pod) ?? 0) > 0));
  const currentHealthy = there.filter((pod) => !open.has(pod) && isReady(pod)).length;
  // A budget that matches nothing yet must not let its first pods go before it has counted them.
  const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  const condition = disruptionsAllowed > 0 ? { status: 'True', reason: 'SufficientPods' } : { status: 'False', reason: 'InsufficientPods' };
  const disruptedPods = [...open].map(({ metadata: { name } }) => [name, budget.status?.disruptedPods?.[name] ?? ''] as const);
  return {
    status: {
      observedGeneration: budget.metadata.generation,
      ...(open.size > 0 ? { disruptedPods: Object.fromEntries(disruptedPods) } : {}),
      disruptionsAllowed,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      conditions: conditionsOf(budget, budget.metadata.generation, { ...condition, message: '' }, now),
    },
    notDeleted: [...evictions.keys()].filter((pod) => !open.has(pod)),
    lookAgainIn: open.size > 0 ? Math.min(...[...open].map((pod) => evictions.get(pod) ?? 0)) : undefined,
  };
}

function wanted(
  { spec }: PodDisruptionBudget,
  pods: readonly Pod[],
  scale: number,
): { readonly expectedPods: number; readonly desiredHealthy: number } {
  const { minAvailable, maxUnavailable } = spec ?? {};
  if (maxUnavailable !== undefined) return { expectedPods: scale, desiredHealthy: Math.max(0, scale - scaledValue(maxUnavailable, scale)) };
  if (minAvailable === undefined) return { expectedPods: 0, desiredHealthy: 0 };
  return { expectedPods: typeof minAvailable === 'number' ? pods.length : scale, desiredHealthy: scaledValue(minAvailable, scale) };
}

function evictionOf({ status }: PodDisruptionBudget, pod: Pod, now: number): [Pod, number][] {
  const evicted = status?.disruptedPods?.[pod.metadata.name];
  return evicted === undefined ? [] : [[pod, (Date.parse(evicted) || 0) + deletionTimeoutMs - now]];
}

/** Whether the budget says how many pods of those wanted, and not of those that are there. */
export function asksForShare({ spec }: PodDisruptionBudget): boolean {
  return spec?.maxUnavailable !== undefined || typeof spec?.minAvailable === 'string';
}

/** Milliseconds until the condition DisruptionTarget of a pod that is not deleted is stale; undefined without one. */
export function staleIn(pod: Pod, now: number): number | undefined {
  if (!isActive(pod)) return undefined;
  const target = pod.status?.conditions?.find((c) => c.type === 'DisruptionTarget' && c.status === 'True');
  // The kubelet's own takes as long as it takes.
  if (!target || target.reason === 'TerminationByKubelet') return undefined;
  return Math.max(0, (Date.parse(target.lastTransitionTime ?? '') || 0) + deletionTimeoutMs - now);
}

/** When nothing can be counted, nothing may be evicted. */
export function failedStatus(budget: PodDisruptionBudget, message: string, now: number): PodDisruptionBudgetStatus {
  const condition = { status: 'False', reason: 'SyncFailed', message };
  return {
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...budget.status,
    disruptionsAllowed: 0,
    conditions: conditionsOf(budget, budget.status?.observedGeneration, condition, now),
  };
}

function conditionsOf(
  { status }: PodDisruptionBudget,
  observedGeneration: number | undefined,
  said: Pick<Condition, 'status' | 'reason' | 'message'>,
  now: number,
): Condition[] {
  const wanted = { type: 'DisruptionAllowed', ...said, ...(observedGeneration ? { observedGeneration } : {}) };
  return withCondition(status?.conditions, wanted, now);
}
