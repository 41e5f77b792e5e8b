/** What a Job reads off one of its pods. */
import type { ContainerStatus, Job, Pod, PodFailurePolicy, PodFailurePolicyRule } from '../../api/schema/types.ts';
import { isOver } from '../ownership/pod-state.ts';

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
export const indexAnnotation = 'batch.kubernetes.io/job-completion-index';
export const indexFailuresAnnotation = 'batch.kubernetes.io/job-index-failure-count';
export const ignoredIndexFailuresAnnotation = 'batch.kubernetes.io/job-index-ignored-failure-count';

/** Not yet counted in the status for good. */
export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(trackingFinalizer) ?? false;
}

export function isIndexed(job: Job): boolean {
  return job.spec?.completionMode === 'Indexed';
}

/** Undefined when the pod has none. */
export function completionIndex(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation];
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** Its index counts: below the job's completions. Without indexes every pod's does. */
export function hasValidIndex(job: Job, pod: Pod): boolean {
  if (!isIndexed(job)) return true;
  const index = completionIndex(pod);
  return index !== undefined && index < (job.spec?.completions ?? 0);
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && !isOver(pod);
}

/** Then a pod that ends is not replaced before it has ended. */
export function replacesOnlyFailed({ spec }: Job): boolean {
  return spec?.podReplacementPolicy === 'Failed' || spec?.podFailurePolicy !== undefined;
}

export function isFailed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (replacesOnlyFailed(job)) return false;
  // A deleted pod may never come to report its end: its node may be gone.
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
}

interface FailureVerdict {
  readonly action: string | undefined;
  /** Whether it counts towards the back-off limits. */
  readonly counts: boolean;
  /** Why the job fails, for `FailJob`. */
  readonly message?: string;
}

/** What the first rule that fits says of a failed pod. */
export function failureVerdict(policy: PodFailurePolicy | undefined, pod: Pod): FailureVerdict {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const why = rule.onExitCodes ? exitCodeMatch(rule, pod) : conditionMatch(rule, pod);
    if (why === undefined) continue;
    const message = `${why} matching ${rule.action} rule at index ${index}`;
    return { action: rule.action, counts: rule.action !== 'Ignore', ...(rule.action === 'FailJob' ? { message } : {}) };
  }
  return { action: undefined, counts: true };
}

function exitCodeMatch({ onExitCodes }: PodFailurePolicyRule, { metadata, status }: Pod): string | undefined {
  if (!onExitCodes) return undefined;
  const { containerName, operator, values } = onExitCodes;
  const matches = ({ name, state }: ContainerStatus): boolean => {
    const code = state?.terminated?.exitCode;
    if (!code || (containerName !== undefined && containerName !== name)) return false;
    return (operator === 'In' && values.includes(code)) || (operator === 'NotIn' && !values.includes(code));
  };
  const found = status?.containerStatuses?.find(matches) ?? status?.initContainerStatuses?.find(matches);
  if (!found) return undefined;
  return `Container ${found.name} for pod ${metadata.namespace}/${metadata.name} failed with exit code ${found.state?.terminated?.exitCode}`;
}

function conditionMatch({ onPodConditions = [] }: PodFailurePolicyRule, { metadata, status }: Pod): string | undefined {
  const found = status?.conditions?.find((c) => onPodConditions.some((p) => p.type === c.type && (p.status ?? 'True') === c.status));
  return found && `Pod ${metadata.namespace}/${metadata.name} has condition ${found.type}`;
}

/** Milliseconds since the epoch when the pod came to its end, as well as can be told. */
export function finishedAt({ metadata, spec, status }: Pod): number {
  const sidecars = new Set((spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name));
  const last = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? []).filter((c) => sidecars.has(c.name))];
  const ends = last.map((c) => Date.parse(c.state?.terminated?.finishedAt ?? ''));
  if (ends.length > 0 && ends.every((end) => end > 0)) return Math.max(...ends);
  const unready = status?.conditions?.find((c) => c.type === 'Ready' && c.status === 'False');
  if (unready?.lastTransitionTime) return Date.parse(unready.lastTransitionTime);
  if (metadata.deletionTimestamp) return Date.parse(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}

/** Failures of the pod's index before it, those that counted and those that did not. */
export function earlierFailures({ metadata }: Pod): { readonly counted: number; readonly ignored: number } {
  const number = (key: string): number => {
    const text = metadata.annotations?.[key] ?? '';
    return /^\d{1,10}$/.test(text) ? Math.min(Number(text), 2 ** 31 - 1) : 0;
  };
  return { counted: number(indexFailuresAnnotation), ignored: number(ignoredIndexFailuresAnnotation) };
}
