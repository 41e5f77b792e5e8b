/**
 * What a Job's status becomes, and which pods it lets go: pure. A pod is counted in two steps, so that it is neither lost nor
 * counted twice whatever happens in between: its uid is written to `status.uncountedTerminatedPods`, then its finalizer is taken
 * away, then the uid becomes a count. Rules are upstream's trackJobStatusAndRemoveFinalizers.
 */
import type { Job, JobCondition, JobStatus, Pod } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { isActive, isReady } from '../ownership/pod-state.ts';
import { conditionOf, type JobPlan } from './desired.ts';
import { formatIndexes, hasIndex, type Indexes, indexesOf, totalOf, union } from './indexes.ts';
import { completionIndex, failureVerdict, hasValidIndex, isFailed, isIndexed, isTerminating, isTracked } from './pod-facts.ts';

/** Uids in the status, so that it stays below 20 KB. The news of the status brings the next round. */
const maxUncounted = 500;

interface TrackInput {
  readonly job: Job;
  readonly plan: JobPlan;
  /** The job's pods when it was planned, and after what the plan said was done. */
  readonly before: readonly Pod[];
  readonly after: readonly Pod[];
  /** All that the plan says was done. */
  readonly done: boolean;
  readonly now: number;
}

export interface Tracked {
  readonly status: JobStatus;
  /** Pods that may lose their finalizer once the status is written. */
  readonly release: readonly Pod[];
  /** `Complete` or `Failed`, when the job is to end with it. */
  readonly ending: JobCondition | undefined;
}

export function trackJob({ job, plan, before, after, done, now }: TrackInput): Tracked {
  const old = job.status ?? {};
  const active = after.filter(isActive).length;
  // With pods still to be deleted nobody can say yet that it is over.
  const decided = plan.finished ? (done ? plan.finished : undefined) : success(job, plan, active, now);
  const conditions = conditionsAfter(job, decided, plan, now);
  // A job that ends counts its last pods as they were before it had them deleted.
  const pods = plan.finished ? before : after;
  const account = new Account(old, new Set(pods.filter(isTracked).map((p) => p.metadata.uid ?? '')));
  const release = releasePods(job, pods, plan, decided, account);
  const completed = union(plan.indexes.before, indexesOf(account.succeededIndexes));
  const { startTime, completionTime } = { ...old, startTime: suspendedOrResumed(job, conditions, plan, now) };
  const status: JobStatus = {
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(startTime ? { startTime } : {}),
    ...(completionTime ? { completionTime } : {}),
    ...nonZero({ active, succeeded: isIndexed(job) ? totalOf(completed) : account.succeeded, failed: account.failed }),
    terminating: after.filter(isTerminating).length,
    ...(completed.length > 0 ? { completedIndexes: formatIndexes(completed) } : {}),
    ...(plan.indexes.failed ? { failedIndexes: formatIndexes(plan.indexes.failed) } : {}),
    uncountedTerminatedPods: nonEmpty(account.uncounted),
    ready: after.filter((p) => isActive(p) && isReady(p)).length,
  };
  return { status, release, ending: account.isFull ? undefined : endingOf(decided, now) };
}

/** Counts the pods that may go, as far as the account has room, and gives them. */
function releasePods(job: Job, pods: readonly Pod[], plan: JobPlan, decided: JobCondition | undefined, account: Account): Pod[] {
  const byIndex = (a: Pod, b: Pod): number => (completionIndex(a) ?? -1) - (completionIndex(b) ?? -1);
  const release: Pod[] = [];
  for (const pod of isIndexed(job) ? pods.toSorted(byIndex) : pods) {
    if (!isTracked(pod) || !mayRelease(job, pod, decided, plan)) continue;
    release.push(pod);
    const outcome = account.isFailed(pod) ? undefined : outcomeOf(job, pod, decided);
    if (outcome === 'succeeded') account.succeed(pod, isIndexed(job), plan.indexes.before);
    if (outcome === 'failed') account.fail(pod);
    // Not before: what fills the account may be let go.
    if (account.isFull) break;
  }
  return release;
}

/** As what a pod that is let go counts; undefined for one that does not count. */
function outcomeOf(job: Job, pod: Pod, decided: JobCondition | undefined): 'succeeded' | 'failed' | undefined {
  if (!hasValidIndex(job, pod)) return undefined;
  if (pod.status?.phase === 'Succeeded') return 'succeeded';
  // A job that has failed takes with it what still ran.
  const isLost = isFailed(job, pod) || (decided !== undefined && decided.type !== 'SuccessCriteriaMet');
  return isLost && failureVerdict(job.spec?.podFailurePolicy, pod).counts ? 'failed' : undefined;
}

/** The status once pods were released: `held` has the uids of those that still have their finalizer. */
export function settleJob({ status, ending }: Tracked, held: ReadonlySet<string>): { status: JobStatus; ended: boolean } {
  const { uncounted, succeeded, failed } = new Account(status, held);
  const { active: _active, succeeded: _succeeded, failed: _failed, ...rest } = status;
  const settled: JobStatus = {
    ...rest,
    ...nonZero({ active: status.active ?? 0, succeeded, failed }),
    uncountedTerminatedPods: nonEmpty(uncounted),
  };
  const open = uncounted.succeeded.length + uncounted.failed.length + (status.terminating ?? 0);
  if (!ending || open > 0) return { status: settled, ended: false };
  const conditions = [...(settled.conditions ?? []).filter((c) => c.type !== ending.type), ending];
  const { lastTransitionTime } = ending;
  return {
    status: { ...settled, conditions, ...(ending.type === 'Complete' ? { completionTime: lastTransitionTime } : {}) },
    ended: true,
  };
}

/** Pods that ended: how many are counted for good, and the uids of those that still have their finalizer. */
class Account {
  readonly uncounted: { readonly succeeded: string[]; readonly failed: string[] };
  readonly succeeded: number;
  readonly failed: number;
  /** Of an indexed job, new ones: indexes are their own account. */
  readonly succeededIndexes = new Set<number>();

  /** Uids whose pods are not in `held` any more become numbers. */
  constructor(status: JobStatus, held: ReadonlySet<string>) {
    const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
    this.uncounted = { succeeded: succeeded.filter((uid) => held.has(uid)), failed: failed.filter((uid) => held.has(uid)) };
    this.succeeded = (status.succeeded ?? 0) + succeeded.length - this.uncounted.succeeded.length;
    this.failed = (status.failed ?? 0) + failed.length - this.uncounted.failed.length;
  }

  get isFull(): boolean {
    return this.succeededIndexes.size + this.uncounted.succeeded.length + this.uncounted.failed.length >= maxUncounted;
  }

  isFailed({ metadata }: Pod): boolean {
    return this.uncounted.failed.includes(metadata.uid ?? '');
  }

  fail({ metadata }: Pod): void {
    this.uncounted.failed.push(metadata.uid ?? '');
  }

  succeed(pod: Pod, indexed: boolean, known: Indexes): void {
    const uid = pod.metadata.uid ?? '';
    const index = completionIndex(pod) ?? 0;
    if (!indexed) this.uncounted.succeeded.push(...(this.uncounted.succeeded.includes(uid) ? [] : [uid]));
    else if (!hasIndex(known, index)) this.succeededIndexes.add(index);
  }
}

function success(job: Job, { succeeded }: JobPlan, active: number, now: number): JobCondition | undefined {
  const wanted = job.spec?.completions;
  // Without a number of completions the first success decides, and the rest is waited for.
  if (active > 0 || (wanted === undefined ? succeeded === 0 : succeeded < wanted)) return undefined;
  return conditionOf('SuccessCriteriaMet', 'CompletionsReached', 'Reached expected number of succeeded pods', now);
}

function conditionsAfter(job: Job, decided: JobCondition | undefined, plan: JobPlan, now: number): JobCondition[] {
  const conditions = [...(job.status?.conditions ?? [])];
  if (decided) {
    if (decided.type !== 'Failed' && !conditions.some((c) => c.type === decided.type && c.status === 'True')) conditions.push(decided);
    return conditions;
  }
  if (plan.finished || job.metadata.deletionTimestamp) return conditions;
  const at = conditions.findIndex((c) => c.type === 'Suspended');
  const wanted = job.spec?.suspend ? 'True' : 'False';
  if (at < 0 ? wanted === 'False' : conditions[at]?.status === wanted) return conditions;
  const [reason, message] = job.spec?.suspend ? ['JobSuspended', 'Job suspended'] : ['JobResumed', 'Job resumed'];
  conditions.splice(at < 0 ? conditions.length : at, at < 0 ? 0 : 1, conditionOf('Suspended', reason, message, now, wanted));
  return conditions;
}

/** A job that goes on after a pause starts anew: its deadline counts only the time it may run. */
function suspendedOrResumed(job: Job, conditions: readonly JobCondition[], plan: JobPlan, now: number): string | undefined {
  const is = (list: readonly JobCondition[] | undefined, status: string): boolean =>
    list?.some((c) => c.type === 'Suspended' && c.status === status) ?? false;
  const resumed = is(job.status?.conditions, 'True') && is(conditions, 'False');
  return resumed ? timestamp(now) : plan.startTime;
}

function mayRelease(job: Job, pod: Pod, decided: JobCondition | undefined, plan: JobPlan): boolean {
  if (job.metadata.deletionTimestamp || decided || pod.status?.phase === 'Succeeded') return true;
  const index = completionIndex(pod);
  return isFailed(job, pod) && (index === undefined || plan.delayed.get(index)?.metadata.uid !== pod.metadata.uid);
}

function endingOf(decided: JobCondition | undefined, now: number): JobCondition | undefined {
  if (!decided) return undefined;
  const type = decided.type === 'SuccessCriteriaMet' ? 'Complete' : 'Failed';
  return conditionOf(type, decided.reason ?? '', decided.message ?? '', now);
}

/** Upstream leaves these out when they are zero. */
function nonZero(counts: Readonly<Record<string, number>>): JobStatus {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

function nonEmpty({ succeeded, failed }: Account['uncounted']): NonNullable<JobStatus['uncountedTerminatedPods']> {
  return { ...(succeeded.length > 0 ? { succeeded } : {}), ...(failed.length > 0 ? { failed } : {}) };
}
