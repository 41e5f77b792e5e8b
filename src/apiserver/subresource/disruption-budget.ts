/** What a PodDisruptionBudget says to the eviction of a pod (KEP-85): pure. Messages are upstream's. */
import type { Pod, PodDisruptionBudget } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { StatusError, tooManyRequests } from '../status/status-error.ts';

/** Evictions that the disruption controller has not seen through yet. */
const maxDisrupted = 2000;

/**
 * On what terms a pod may be evicted. `pinned`: only as it was read, for what it costs depends on how it is. `budget`: the one that speaks for
 * it; `spends`: one of its disruptions is to be taken.
 */
export interface Terms {
  readonly pinned: boolean;
  readonly budget?: PodDisruptionBudget;
  readonly spends: boolean;
}

/** `all` are the budgets of the pod's namespace. Throws 500 when several speak for it. */
export function termsOf(pod: Pod, all: readonly PodDisruptionBudget[]): Terms {
  // A pod that has ended, or has not begun, serves nobody: no budget speaks for it.
  const { phase = '' } = pod.status ?? {};
  if (pod.metadata.deletionTimestamp !== undefined || ['Succeeded', 'Failed', 'Pending'].includes(phase))
    return { pinned: phase === 'Pending', spends: false };
  const [budget, another] = all.filter((b) => labelSelectorOf(b.spec?.selector).matches(pod.metadata.labels));
  if (!budget) return { pinned: false, spends: false };
  if (another) {
    const text = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new StatusError(500, 'InternalError', text);
  }
  const spared = !isReady(pod) && sparesUnhealthy(budget);
  return { pinned: spared, budget, spends: !spared };
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
}

/** Whether pods that are not ready cost the budget nothing. */
function sparesUnhealthy({ spec, status }: PodDisruptionBudget): boolean {
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' || (currentHealthy >= desiredHealthy && desiredHealthy > 0);
}

/** The budget's status with one disruption less, and the pod's name beside `time`. Throws 429 when none is left, and 403. */
export function spend({ metadata, status }: PodDisruptionBudget, podName: string, time: string): PodDisruptionBudget['status'] {
  const { disruptionsAllowed: allowed = 0, observedGeneration = 0, disruptedPods = {}, conditions } = status ?? {};
  if (observedGeneration < (metadata.generation ?? 0)) throw stillProcessed(metadata.name);
  if (allowed < 0) throw refusedOutright(metadata.name, 'pdb disruptions allowed is negative');
  if (Object.keys(disruptedPods).length > maxDisrupted) {
    throw refusedOutright(metadata.name, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  }
  if (allowed === 0) throw overBudget(whyNot({ metadata, status } as PodDisruptionBudget));
  const exhausted = { status: 'False', reason: 'InsufficientPods', lastTransitionTime: time };
  const after = conditions?.map((c) =>
    allowed === 1 && c.type === 'DisruptionAllowed' && c.status === 'True' ? { ...c, ...exhausted } : c,
  );
  return {
    ...status!,
    disruptionsAllowed: allowed - 1,
    disruptedPods: { ...disruptedPods, [podName]: time },
    ...(after ? { conditions: after } : {}),
  };
}

function whyNot({ metadata: { name }, status }: PodDisruptionBudget): string {
  const { desiredHealthy = 0, currentHealthy = 0 } = status ?? {};
  const condition = status?.conditions?.find((c) => c.type === 'DisruptionAllowed' && c.status === 'False' && c.message);
  if (condition?.reason === 'SyncFailed') {
    return `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${condition.message}`;
  }
  if (currentHealthy <= desiredHealthy) {
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  }
  return `The disruption budget ${name} does not allow evicting pods currently${condition ? ` (${condition.reason}): ${condition.message}` : ''}`;
}

/** The disruption controller will have news soon. */
export function stillProcessed(budget: string): Error {
  return overBudget(`The disruption budget ${budget} is still being processed by the server.`, 10);
}

function overBudget(message: string, retryAfterSeconds?: number): Error {
  const causes = [{ reason: 'DisruptionBudget', message }];
  return tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds, causes);
}

function refusedOutright(name: string, why: string): Error {
  const text = `poddisruptionbudget.policy ${JSON.stringify(name)} is forbidden: ${why}`;
  return new StatusError(403, 'Forbidden', text, { name, group: 'policy', kind: 'poddisruptionbudget' });
}
