/** How many pods a PodDisruptionBudget may lose: pure. */
import type { Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { isReady } from '../ownership/pod-state.ts';

/** An eviction that was allowed has so long to become a deletion. */
export const deletionTimeoutMs: number = 2 * 60_000;

export interface BudgetPlan {
  readonly status: PodDisruptionBudgetStatus;
  /** Pods whose eviction was allowed and that were not deleted. */
  readonly notDeleted: readonly Pod[];
  /** Milliseconds until an allowed eviction lapses. */
  readonly lookAgainIn: number | undefined;
}

/** `scale` is the sum of the replicas of all controllers of the pods; `now` is in ms since the epoch. */
export function planBudget(budget: PodDisruptionBudget, pods: readonly Pod[], scale: number, now: number): BudgetPlan {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  let [expectedPods, desiredHealthy] = [0, 0];
  if (maxUnavailable !== undefined) {
    expectedPods = scale;
    desiredHealthy = Math.max(0, scale - amountOf(maxUnavailable, scale));
  } else if (minAvailable !== undefined) {
    expectedPods = typeof minAvailable === 'number' ? pods.length : scale;
    desiredHealthy = amountOf(minAvailable, scale);
  }
  const disruptedPods: Record<string, string> = {};
  const notDeleted: Pod[] = [];
  let lookAgainIn: number | undefined;
  let currentHealthy = 0;
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp) continue;
    const evicted = budget.status?.disruptedPods?.[pod.metadata.name];
    const left = evicted === undefined ? undefined : (Date.parse(evicted) || 0) + deletionTimeoutMs - now;
    if (evicted !== undefined && left !== undefined && left > 0) {
      disruptedPods[pod.metadata.name] = evicted;
      lookAgainIn = Math.min(lookAgainIn ?? left, left);
      continue;
    }
    if (left !== undefined) notDeleted.push(pod);
    if (isReady(pod)) currentHealthy++;
  }
  // A budget that matches nothing yet must not let its first pods go before it has counted them.
  const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  const [status, reason] = disruptionsAllowed > 0 ? ['True', 'SufficientPods'] : ['False', 'InsufficientPods'];
  const condition = { status: status ?? '', reason: reason ?? '', message: '' };
  return {
    status: {
      observedGeneration: budget.metadata.generation,
      ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
      disruptionsAllowed,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      conditions: withCondition(budget, budget.metadata.generation, condition, now),
    },
    notDeleted,
    lookAgainIn,
  };
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
    conditions: withCondition(budget, budget.status?.observedGeneration, condition, now),
  };
}

function withCondition(
  { status }: PodDisruptionBudget,
  observedGeneration: number | undefined,
  wanted: Pick<Condition, 'status' | 'reason' | 'message'>,
  now: number,
): Condition[] {
  const others = (status?.conditions ?? []).filter((c) => c.type !== 'DisruptionAllowed');
  const was = status?.conditions?.find((c) => c.type === 'DisruptionAllowed');
  const lastTransitionTime = was?.status === wanted.status ? was.lastTransitionTime : timestamp(now);
  return [...others, { type: 'DisruptionAllowed', ...wanted, ...(observedGeneration ? { observedGeneration } : {}), lastTransitionTime }];
}

/** A number, or a share of the whole, rounded up. */
function amountOf(value: number | string, whole: number): number {
  return typeof value === 'number' ? value : Math.ceil((whole * Number.parseInt(value, 10)) / 100);
}
