/**
 * What a Job should do next, from its pods: pure. Rules and their order are upstream's syncJob; `tracking.ts` says what its status
 * becomes afterwards.
 */
import type { Job, JobCondition, Pod } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { isActive } from '../ownership/pod-state.ts';
import { rankForDeletion } from '../replicaset/desired.ts';
import { type Backoff, backoffAfter, remainingDelay } from './backoff.ts';
import { firstFree, hasIndex, type Indexes, indexesOf, overlap, parseIndexes, totalOf, union } from './indexes.ts';
import {
  completionIndex,
  earlierFailures,
  failureVerdict,
  finishedAt,
  hasValidIndex,
  isFailed,
  isIndexed,
  isTerminating,
  isTracked,
  replacesOnlyFailed,
} from './pod-facts.ts';

/** At most this many are made or deleted at once. */
const burst = 500;

export interface NewPod {
  readonly index?: number;
  /** Failures that the index has had before; only with a limit per index. */
  readonly failures?: { readonly counted: number; readonly ignored: number };
}

export interface JobPlan {
  /** `SuccessCriteriaMet`, `FailureTarget`, or the `Failed` that an earlier `FailureTarget` becomes. */
  readonly finished: JobCondition | undefined;
  /** Pods that run and must not. */
  readonly remove: readonly Pod[];
  readonly create: readonly NewPod[];
  /** Milliseconds. */
  readonly lookAgainIn: number | undefined;
  readonly startTime: string | undefined;
  /** To be kept once the status is written. */
  readonly backoff: Backoff;
  /** Pods that succeeded, the uncounted among them. */
  readonly succeeded: number;
  /** As the status has them, and with those that came since. */
  readonly indexes: { readonly before: Indexes; readonly succeeded: Indexes; readonly failed: Indexes | undefined };
  /** Failed pods, by index, that stay until another takes their place. */
  readonly delayed: ReadonlyMap<number, Pod>;
}

/** `pods` are those that the job owns, `now` is in ms since the epoch. */
export function planJob(job: Job, pods: readonly Pod[], before: Backoff, now: number): JobPlan {
  const spec = job.spec;
  const status = job.status ?? {};
  const uncounted = { succeeded: status.uncountedTerminatedPods?.succeeded ?? [], failed: status.uncountedTerminatedPods?.failed ?? [] };
  const fresh = (list: readonly string[]): Pod[] =>
    pods.filter((p) => isTracked(p) && !list.includes(p.metadata.uid ?? '') && hasValidIndex(job, p));
  const newSucceeded = fresh(uncounted.succeeded).filter((p) => p.status?.phase === 'Succeeded');
  const newFailed = fresh(uncounted.failed).filter((p) => isFailed(job, p));
  const countedFailures = newFailed.filter((p) => failureVerdict(spec?.podFailurePolicy, p).counts).length;
  const failed = (status.failed ?? 0) + countedFailures + uncounted.failed.length;
  const backoff = backoffAfter(before, newSucceeded, newFailed);
  const startTime = status.startTime ?? (spec?.suspend ? undefined : timestamp(now));

  const indexes = indexesAfter(job, pods);
  const succeeded = isIndexed(job)
    ? totalOf(indexes.succeeded)
    : (status.succeeded ?? 0) + newSucceeded.length + uncounted.succeeded.length;
  const finished = verdict(job, { pods, failed, startTime, indexes, now });
  const delayed = indexes.failed ? delayedRemovals(job, pods, indexes) : new Map<number, Pod>();
  const plan = { finished, startTime, backoff, succeeded, indexes, delayed, remove: [], create: [], lookAgainIn: undefined };
  const active = pods.filter(isActive);
  if (finished) return { ...plan, remove: active };
  const deadline = deadlineIn(job, startTime, now);
  if (job.metadata.deletionTimestamp) return { ...plan, lookAgainIn: deadline };
  const { lookAgainIn = deadline, ...managed } = manage(job, pods, active, plan, now);
  return { ...plan, ...managed, lookAgainIn: deadline === undefined ? lookAgainIn : Math.min(deadline, lookAgainIn ?? deadline) };
}

interface Evidence {
  readonly pods: readonly Pod[];
  readonly failed: number;
  readonly startTime: string | undefined;
  readonly indexes: JobPlan['indexes'];
  readonly now: number;
}

type Decision = readonly [type: string, reason: string, message: string];

/** Whether the job is decided; what an earlier look decided stands. */
function verdict(job: Job, evidence: Evidence): JobCondition | undefined {
  const standing = (type: string): JobCondition | undefined => job.status?.conditions?.find((c) => c.type === type && c.status === 'True');
  const met = standing('SuccessCriteriaMet');
  if (met) return met;
  const target = standing('FailureTarget');
  const decision: Decision | undefined = target
    ? ['Failed', target.reason ?? '', target.message ?? '']
    : (failureDecision(job, evidence) ?? (isIndexed(job) ? indexDecision(job, evidence.indexes) : undefined));
  return decision && conditionOf(...decision, evidence.now);
}

function failureDecision(job: Job, { pods, failed, startTime, now }: Evidence): Decision | undefined {
  const { podFailurePolicy, backoffLimit = 6 } = job.spec ?? {};
  const [broken] = pods.flatMap((pod) => (isFailed(job, pod) ? (failureVerdict(podFailurePolicy, pod).message ?? []) : []));
  if (broken !== undefined) return ['FailureTarget', 'PodFailurePolicy', broken];
  if (failed > backoffLimit || restartedTooOften(job, pods, backoffLimit))
    return ['FailureTarget', 'BackoffLimitExceeded', 'Job has reached the specified backoff limit'];
  if ((deadlineIn(job, startTime, now) ?? 1) <= 0)
    return ['FailureTarget', 'DeadlineExceeded', 'Job was active longer than specified deadline'];
  return undefined;
}

/** Milliseconds until the job has run for too long; undefined when it may run for ever, or does not run. */
function deadlineIn({ spec }: Job, startTime: string | undefined, now: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = spec ?? {};
  if (activeDeadlineSeconds === undefined || suspend || !startTime) return undefined;
  return Date.parse(startTime) + activeDeadlineSeconds * 1000 - now;
}

function indexDecision(job: Job, { succeeded, failed = [] }: JobPlan['indexes']): Decision | undefined {
  const { maxFailedIndexes, completions = 0 } = job.spec ?? {};
  const failedIndexes = totalOf(failed);
  if (maxFailedIndexes !== undefined && failedIndexes > maxFailedIndexes)
    return ['FailureTarget', 'MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes'];
  if (failedIndexes > 0 && failedIndexes + totalOf(succeeded) >= completions)
    return ['FailureTarget', 'FailedIndexes', 'Job has failed indexes'];
  const rule = successRule(job, succeeded);
  return rule === undefined ? undefined : ['SuccessCriteriaMet', 'SuccessPolicy', `Matched rules at index ${rule}`];
}

/** Pods that restart in place count their restarts, not their ends. */
function restartedTooOften({ spec }: Job, pods: readonly Pod[], limit: number): boolean {
  if (spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  const running = pods.filter((p) => p.status?.phase === 'Running' || p.status?.phase === 'Pending');
  const statuses = running.flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]);
  const restarts = statuses.reduce((sum, one) => sum + (one.restartCount ?? 0), 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** The place of the first rule of the success policy that holds. */
function successRule({ spec }: Job, succeeded: Indexes): number | undefined {
  if (succeeded.length === 0) return undefined;
  const found = spec?.successPolicy?.rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeededCount !== undefined && totalOf(succeeded) >= succeededCount;
    const wanted = parseIndexes(succeededIndexes, spec.completions ?? 0);
    const both = overlap(wanted, succeeded);
    return wanted.length > 0 && (both === totalOf(wanted) || (succeededCount !== undefined && both >= succeededCount));
  });
  return found === -1 ? undefined : found;
}

function indexesAfter(job: Job, pods: readonly Pod[]): JobPlan['indexes'] {
  const { spec, status } = job;
  if (!isIndexed(job)) return { before: [], succeeded: [], failed: undefined };
  const completions = spec?.completions ?? 0;
  const newOnes = (picks: (pod: Pod) => boolean): Indexes =>
    indexesOf(pods.filter((p) => isTracked(p) && hasValidIndex(job, p) && picks(p)).map((p) => completionIndex(p) ?? 0));
  const before = parseIndexes(status?.completedIndexes, completions);
  const limit = spec?.backoffLimitPerIndex;
  const indexFailed = (pod: Pod): boolean => {
    if (limit === undefined || !isFailed(job, pod)) return false;
    const { action, counts } = failureVerdict(spec?.podFailurePolicy, pod);
    return action === 'FailIndex' || (counts && earlierFailures(pod).counted >= limit);
  };
  return {
    before,
    succeeded: union(
      before,
      newOnes((p) => p.status?.phase === 'Succeeded'),
    ),
    failed: limit === undefined ? undefined : union(parseIndexes(status?.failedIndexes, completions), newOnes(indexFailed)),
  };
}

/** The last failed pod of each index that still wants one: it knows how often the index failed until its replacement does. */
function delayedRemovals(job: Job, pods: readonly Pod[], { succeeded, failed = [] }: JobPlan['indexes']): Map<number, Pod> {
  const active = new Set(pods.filter(isActive).map(completionIndex));
  const delayed = new Map<number, Pod>();
  const total = (pod: Pod): number => earlierFailures(pod).counted + earlierFailures(pod).ignored;
  for (const pod of pods) {
    const index = completionIndex(pod);
    if (index === undefined || !isTracked(pod) || !hasValidIndex(job, pod) || !isFailed(job, pod)) continue;
    if (hasIndex(succeeded, index) || hasIndex(failed, index) || active.has(index)) continue;
    const other = delayed.get(index);
    if (!other || (total(other) <= total(pod) && finishedAt(pod) >= finishedAt(other))) delayed.set(index, pod);
  }
  return delayed;
}

type Managed = Pick<JobPlan, 'remove' | 'create'> & { readonly lookAgainIn?: number };

/** How many pods should run, and so which to make or delete: never both at once. */
function manage(
  job: Job,
  pods: readonly Pod[],
  active: readonly Pod[],
  plan: Pick<JobPlan, 'succeeded' | 'backoff' | 'indexes' | 'delayed'>,
  now: number,
): Managed {
  const { completions, parallelism = 1, backoffLimitPerIndex, suspend } = job.spec ?? {};
  if (suspend) return { remove: active, create: [] };
  // A work queue whose first pod succeeded is only drained.
  const open = completions === undefined ? (plan.succeeded > 0 ? active.length : parallelism) : completions - plan.succeeded;
  const wanted = completions === undefined ? open : Math.max(0, Math.min(open, parallelism));
  const remove = surplus(job, active, Math.max(0, active.length - wanted));
  if (remove.length > 0) return { remove: remove.slice(0, burst), create: [] };
  const leaving = replacesOnlyFailed(job) ? pods.filter(isTerminating) : [];
  const missing = Math.min(wanted - leaving.length - active.length, burst);
  if (missing <= 0) return { remove: [], create: [] };
  const wait = backoffLimitPerIndex === undefined ? remainingDelay(plan.backoff, now) : 0;
  if (wait > 0) return { remove: [], create: [], lookAgainIn: wait };
  if (!isIndexed(job)) return { remove: [], create: Array<NewPod>(missing).fill({}) };
  const { succeeded, failed = [] } = plan.indexes;
  const used = indexesOf([...active, ...leaving].map(completionIndex).filter((index) => index !== undefined));
  const free = firstFree(union(union(succeeded, failed), used), missing, completions ?? 0);
  if (backoffLimitPerIndex === undefined) return { remove: [], create: free.map((index) => ({ index })) };
  return withLimitPerIndex(job, free, plan.delayed, now);
}

/** Each index waits for itself. */
function withLimitPerIndex(job: Job, free: readonly number[], delayed: ReadonlyMap<number, Pod>, now: number): Managed {
  const create: NewPod[] = [];
  let lookAgainIn: number | undefined;
  for (const index of free) {
    const pod = delayed.get(index);
    if (!pod) {
      create.push({ index, failures: { counted: 0, ignored: 0 } });
      continue;
    }
    const { counted, ignored } = earlierFailures(pod);
    const wait = remainingDelay({ failures: counted + ignored + 1, lastFailure: finishedAt(pod) }, now);
    if (wait > 0) {
      lookAgainIn = Math.min(lookAgainIn ?? wait, wait);
      continue;
    }
    const counts = failureVerdict(job.spec?.podFailurePolicy, pod).counts ? 1 : 0;
    create.push({ index, failures: { counted: counted + counts, ignored: ignored + 1 - counts } });
  }
  return { remove: [], create, ...(lookAgainIn === undefined ? {} : { lookAgainIn }) };
}

/** At least `count` pods: those whose index is invalid or taken twice, then those that are missed least. */
function surplus(job: Job, active: readonly Pod[], count: number): Pod[] {
  if (!isIndexed(job)) return rankForDeletion(active).slice(0, count);
  const remove = active.filter((p) => !hasValidIndex(job, p));
  const left: Pod[] = [];
  const valid = active.filter((p) => hasValidIndex(job, p));
  for (const same of Map.groupBy(valid, completionIndex).values()) {
    const ranked = rankForDeletion(same);
    remove.push(...ranked.slice(0, -1));
    left.push(...ranked.slice(-1));
  }
  return [...remove, ...rankForDeletion(left).slice(0, Math.max(0, count - remove.length))];
}

export function conditionOf(type: string, reason: string, message: string, now: number, status: string = 'True'): JobCondition {
  const at = timestamp(now);
  return { type, status, lastProbeTime: at, lastTransitionTime: at, reason, message };
}
