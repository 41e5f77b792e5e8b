/** What a CronJob wants of its Jobs: pure. Times are in ms since the epoch. */
import { parseSchedule, type Schedule } from '../../api/schedule/schedule.ts';
import { knowsTimeZone, localTimestamp } from '../../api/schedule/wall-time.ts';
import type { CronJob, CronJobStatus, Job, ObjectReference } from '../../api/schema/types.ts';
import type { EventText } from '../../client/event-recorder.ts';
import { messageOf } from '../../errors/known-error.ts';
import { endOf } from '../job/end-of.ts';
import { controllerRef } from '../ownership/owner.ts';

const manyMissed = 100;

export interface CronJobPlan {
  /** As it is before a job is started. */
  readonly status: CronJobStatus & { readonly active: ObjectReference[] };
  readonly events: readonly EventText[];
  /** Jobs beyond the history. */
  readonly remove: readonly Job[];
  /** Jobs that must be gone before the next one starts. */
  readonly replace: readonly Job[];
  /** When the job to start was due. */
  readonly start: number | undefined;
  /** Milliseconds until it is due again; undefined when it never is. */
  readonly lookAgainIn: number | undefined;
}

/**
 * `jobs` are those that it owns. What was due before `since` was due by another schedule and does not count.
 * Upstream's rules: pkg/controller/cronjob.
 */
export function planCronJob(cronJob: CronJob, jobs: readonly Job[], now: number, since: number = 0): CronJobPlan {
  const { status, events } = settle(cronJob, jobs);
  const rest = { status, events, remove: [], replace: [], start: undefined, lookAgainIn: undefined };
  if (cronJob.metadata.deletionTimestamp) return rest;
  const plan = { ...rest, remove: beyondHistory(cronJob, jobs) };
  if (cronJob.spec.suspend) return plan;
  const { schedule, problem } = scheduleOf(cronJob);
  if (!schedule) return { ...plan, events: [...events, problem] };

  const { concurrencyPolicy, startingDeadlineSeconds } = cronJob.spec;
  const begin = Math.max(since, Date.parse(status.lastScheduleTime ?? cronJob.metadata.creationTimestamp ?? '') || 0);
  const latest = schedule.latest(begin, now);
  const next = schedule.next(latest ?? begin);
  if (next === undefined) return { ...plan, events: [...events, warning('InvalidSchedule', neverDue(cronJob))] };
  const waiting = { ...plan, lookAgainIn: next - now };
  const tooLate = startingDeadlineSeconds === undefined ? Number.NEGATIVE_INFINITY : now - startingDeadlineSeconds * 1000;
  if (latest === undefined || latest <= tooLate) return waiting;

  const missed = missedMany(schedule, Math.max(begin, tooLate), now) ? [warning('TooManyMissedTimes', tooMany)] : [];
  const active = jobs.filter((job) => status.active.some(({ uid }) => uid === job.metadata.uid));
  if (active.some(({ metadata }) => metadata.name === jobName(cronJob, latest))) return waiting;
  if (concurrencyPolicy === 'Forbid' && active.length > 0) {
    return { ...waiting, events: [...events, ...missed, { type: 'Normal', reason: 'JobAlreadyActive', message: stillActive }] };
  }
  return { ...waiting, events: [...events, ...missed], replace: concurrencyPolicy === 'Replace' ? active : [], start: latest };
}

/** One name for one time, so that no job is made twice. */
export function jobName({ metadata }: CronJob, due: number): string {
  return `${metadata.name}-${Math.floor(due / 60_000)}`;
}

export function jobOf(cronJob: CronJob, due: number): Job {
  const { metadata, spec } = cronJob.spec.jobTemplate;
  const scheduled = localTimestamp(cronJob.spec.timeZone ?? 'UTC', due);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(cronJob, due),
      namespace: cronJob.metadata.namespace,
      labels: { ...metadata?.labels },
      annotations: { ...metadata?.annotations, 'batch.kubernetes.io/cronjob-scheduled-timestamp': scheduled },
      ownerReferences: [controllerRef(cronJob)],
    },
    ...(spec ? { spec } : {}),
  };
}

/** The status with the news of the jobs. */
function settle({ status }: CronJob, jobs: readonly Job[]): Pick<CronJobPlan, 'status' | 'events'> {
  const events: EventText[] = [];
  const active = (status?.active ?? []).filter((ref) => {
    const job = jobs.find((one) => one.metadata.uid === ref.uid);
    const end = job && endOf(job);
    if (!job) events.push({ type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${ref.name}` });
    else if (end)
      events.push({ type: 'Normal', reason: 'SawCompletedJob', message: `Saw completed job: ${ref.name}, condition: ${end.type}` });
    return job !== undefined && end === undefined;
  });
  let lastSuccessfulTime = status?.lastSuccessfulTime;
  for (const job of jobs) {
    const end = endOf(job);
    if (!end && !active.some((ref) => ref.uid === job.metadata.uid)) {
      events.push(warning('UnexpectedJob', `Saw a job that the controller did not create or forgot: ${job.metadata.name}`));
    }
    const completed = end?.type === 'Complete' ? job.status?.completionTime : undefined;
    if (completed && (!lastSuccessfulTime || Date.parse(completed) > Date.parse(lastSuccessfulTime))) lastSuccessfulTime = completed;
  }
  return { status: { active, lastScheduleTime: status?.lastScheduleTime, lastSuccessfulTime }, events };
}

/** Of those that succeeded and of those that failed, the oldest that are too many. */
function beyondHistory({ spec }: CronJob, jobs: readonly Job[]): Job[] {
  return (['Complete', 'Failed'] as const).flatMap((type) => {
    const limit = type === 'Complete' ? spec.successfulJobsHistoryLimit : spec.failedJobsHistoryLimit;
    const ended = jobs.filter((job) => endOf(job)?.type === type && !job.metadata.deletionTimestamp);
    return limit === undefined ? [] : ended.toSorted(byStart).slice(0, Math.max(0, ended.length - limit));
  });
}

function byStart(a: Job, b: Job): number {
  const startOf = ({ status }: Job): number => (status?.startTime ? Date.parse(status.startTime) : Number.MAX_VALUE);
  return startOf(a) - startOf(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}

function scheduleOf({ spec }: CronJob): { schedule: Schedule; problem?: undefined } | { schedule?: undefined; problem: EventText } {
  const { timeZone = 'UTC', schedule } = spec;
  if (!knowsTimeZone(timeZone)) {
    return { problem: warning('UnknownTimeZone', `invalid timeZone: ${JSON.stringify(timeZone)}: unknown time zone ${timeZone}`) };
  }
  try {
    return { schedule: parseSchedule(schedule, timeZone) };
  } catch (err) {
    return { problem: warning('UnparseableSchedule', `unparseable schedule: ${JSON.stringify(schedule)} : ${messageOf(err)}`) };
  }
}

/** About: as if it were due as often as at first. */
function missedMany(schedule: Schedule, begin: number, now: number): boolean {
  const first = schedule.next(begin) ?? now;
  const second = schedule.next(first) ?? now;
  return second <= now && (now - first) / (second - first) >= manyMissed;
}

const tooMany = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';
const stillActive = 'Not starting job because prior execution is running and concurrency policy is Forbid';

function neverDue({ spec }: CronJob): string {
  return `invalid schedule: ${spec.schedule} : it is never due`;
}

function warning(reason: string, message: string): EventText {
  return { type: 'Warning', reason, message };
}
