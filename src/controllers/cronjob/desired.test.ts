import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CronJob, CronJobSpec, CronJobStatus, Job } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { jobName, jobOf, planCronJob } from './desired.ts';

const minute = 60_000;
/** 10:30. */
const now = Date.UTC(2026, 0, 1, 10, 30);
const at = (ms: number): string => timestamp(ms);
const clock = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString().slice(11, 16));

function cronJob(spec: Partial<CronJobSpec>, status: CronJobStatus = {}, created: number = now - 20 * minute): CronJob {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'box:1' }] } };
  const defaults = { concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick', namespace: 'default', uid: 'u', creationTimestamp: at(created) },
    spec: { schedule: '0 * * * *', ...defaults, jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { template } }, ...spec },
    status,
  };
}

/** `Complete` or `Failed` when it ended, `started` minutes before now. */
function job(name: string, started: number, end?: 'Complete' | 'Failed'): Job {
  const startTime = at(now - started * minute);
  const completionTime = at(now - started * minute + minute);
  const status = end
    ? { startTime, conditions: [{ type: end, status: 'True' }], ...(end === 'Complete' ? { completionTime } : {}) }
    : { startTime };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace: 'default', uid: `uid of ${name}` }, status } as Job;
}

const active = (...names: string[]): CronJobStatus => ({ active: names.map((name) => ({ name, uid: `uid of ${name}` })) });
const hourAgo = now - 60 * minute;
const years = 20 * 365 * 24 * 60;

interface Case {
  readonly spec?: Partial<CronJobSpec>;
  readonly status?: CronJobStatus;
  readonly jobs?: readonly Job[];
  readonly created?: number;
  readonly since?: number;
  readonly start?: string;
  readonly next?: string;
  readonly events?: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  'nothing was due since it was made': { next: '11:00' },
  'what was due is started': { created: hourAgo, start: '10:00', next: '11:00' },
  'what was started is not started again': { status: { lastScheduleTime: at(now - 30 * minute) }, next: '11:00' },
  'of all that was missed only the last is started': {
    created: now - years * minute,
    start: '10:00',
    next: '11:00',
    events: ['TooManyMissedTimes'],
  },
  'what is too late is left': { created: hourAgo, spec: { startingDeadlineSeconds: 1799 }, next: '11:00' },
  'what is just not too late is started': { created: hourAgo, spec: { startingDeadlineSeconds: 1801 }, start: '10:00', next: '11:00' },
  'missed times before the deadline are not counted': {
    created: now - years * minute,
    spec: { startingDeadlineSeconds: 7200 },
    start: '10:00',
    next: '11:00',
  },
  'a suspended one rests': { created: hourAgo, spec: { suspend: true } },
  'a new schedule says nothing of the time before': { created: hourAgo, since: now - minute, next: '11:00' },
  'a time zone counts': { created: hourAgo, spec: { schedule: '45 15 * * *', timeZone: 'Asia/Kolkata' }, start: '10:15', next: '10:15' },
  'an unknown time zone starts nothing': { created: hourAgo, spec: { timeZone: 'Mars/Base' }, events: ['UnknownTimeZone'] },
  'a schedule that is none starts nothing': { created: hourAgo, spec: { schedule: 'x' }, events: ['UnparseableSchedule'] },
  'a schedule that never comes starts nothing': { created: hourAgo, spec: { schedule: '0 0 31 2 *' }, events: ['InvalidSchedule'] },
  'Allow starts beside another': { created: hourAgo, status: active('a'), jobs: [job('a', 90)], start: '10:00', next: '11:00' },
  'Forbid waits for another': {
    created: hourAgo,
    spec: { concurrencyPolicy: 'Forbid' },
    status: active('a'),
    jobs: [job('a', 90)],
    next: '11:00',
    events: ['JobAlreadyActive'],
  },
  'Forbid starts when the other has ended': {
    created: hourAgo,
    spec: { concurrencyPolicy: 'Forbid' },
    status: active('a'),
    jobs: [job('a', 90, 'Failed')],
    start: '10:00',
    next: '11:00',
    events: ['SawCompletedJob'],
  },
  'Forbid starts when the other is gone': {
    created: hourAgo,
    spec: { concurrencyPolicy: 'Forbid' },
    status: active('a'),
    start: '10:00',
    next: '11:00',
    events: ['MissingJob'],
  },
  'a job that is active under the name is not started again': {
    created: hourAgo,
    status: active(jobName(cronJob({}), now - 30 * minute)),
    jobs: [job(jobName(cronJob({}), now - 30 * minute), 30)],
    next: '11:00',
  },
  'a job that somebody else made is told of': { jobs: [job('manual', 5)], next: '11:00', events: ['UnexpectedJob'] },
};

for (const [name, { spec = {}, status, jobs = [], created, since, start, next, events = [] }] of Object.entries(cases)) {
  test(`planCronJob(): ${name}`, () => {
    const plan = planCronJob(cronJob(spec, status, created), jobs, now, since);
    assert.equal(clock(plan.start), start);
    assert.equal(plan.lookAgainIn === undefined ? undefined : clock(now + plan.lookAgainIn), next);
    assert.deepEqual(
      plan.events.map((e) => e.reason),
      events,
    );
    assert.deepEqual(plan.replace, []);
  });
}

test('planCronJob() counts a hundred missed times as many', () => {
  const everyMinute = (missed: number): string[] =>
    planCronJob(cronJob({ schedule: '* * * * *' }, {}, now - missed * minute), [], now).events.map((e) => e.reason);
  assert.deepEqual([everyMinute(100), everyMinute(101)], [[], ['TooManyMissedTimes']]);
});

test('planCronJob() says in the words of upstream what it saw, and after that what is wrong with the schedule', () => {
  const said = (schedule: string): string[] =>
    planCronJob(cronJob({ schedule }, active('lost')), [job('manual', 5)], now).events.map((e) => e.message);
  const seen = ['Active job went missing: lost', 'Saw a job that the controller did not create or forgot: manual'];
  assert.deepEqual(said('0 * * * *'), seen);
  assert.deepEqual(said('0 0 31 2 *'), [...seen, 'invalid schedule: 0 0 31 2 * : it is never due']);
  const [, , problem] = said('x');
  assert.match(problem ?? '', /^unparseable schedule: "x" : /);
  const [, , zone] = planCronJob(cronJob({ timeZone: 'Mars/Base' }, active('lost')), [job('manual', 5)], now).events;
  assert.equal(zone?.message, 'invalid timeZone: "Mars/Base": unknown time zone Mars/Base');
});

test('planCronJob() removes of jobs that began together the first by name, and one that never began last', () => {
  const unstarted = { ...job('0', 50, 'Complete'), status: { conditions: [{ type: 'Complete', status: 'True' }] } } as Job;
  const removed = (...jobs: readonly Job[]): string[] =>
    planCronJob(cronJob({ successfulJobsHistoryLimit: 1 }), jobs, now).remove.map((j) => j.metadata.name);
  const [a, b] = [job('a', 50, 'Complete'), job('b', 50, 'Complete')];
  assert.deepEqual([removed(a, b), removed(b, a), removed(unstarted, b), removed(a)], [['a'], ['a'], ['b'], []]);
});

test('planCronJob() replaces what is active', () => {
  const plan = planCronJob(
    cronJob({ concurrencyPolicy: 'Replace' }, active('a', 'b'), hourAgo),
    [job('a', 90), job('b', 50, 'Failed')],
    now,
  );
  assert.deepEqual([plan.replace.map((j) => j.metadata.name), clock(plan.start)], [['a'], '10:00']);
});

test('planCronJob() keeps the last jobs that succeeded and failed, and the time of the last success', () => {
  const all = [job('d', 40, 'Complete'), job('a', 70, 'Complete'), job('c', 50, 'Complete'), job('b', 60, 'Complete'), job('run', 99)];
  const failed = [job('y', 20, 'Failed'), job('x', 30, 'Failed')];
  const status = { ...active('run', 'd'), lastScheduleTime: at(now - 30 * minute), lastSuccessfulTime: at(hourAgo) };
  const plan = planCronJob(cronJob({}, status), [...all, ...failed], now);
  assert.deepEqual(
    plan.remove.map((j) => j.metadata.name),
    ['a', 'x'],
  );
  assert.deepEqual(plan.status, { ...active('run'), lastScheduleTime: status.lastScheduleTime, lastSuccessfulTime: at(now - 39 * minute) });
  assert.deepEqual(
    plan.events.map((e) => e.message),
    ['Saw completed job: d, condition: Complete'],
  );
});

test('planCronJob() of one that is being deleted starts and removes nothing', () => {
  const going = cronJob({ successfulJobsHistoryLimit: 0 }, {}, hourAgo);
  going.metadata.deletionTimestamp = at(now);
  const plan = planCronJob(going, [job('a', 50, 'Complete')], now);
  assert.deepEqual([plan.start, plan.remove, plan.lookAgainIn], [undefined, [], undefined]);
});

test('jobOf() names the job by the minute, says whose it is and when it was due there', () => {
  const { metadata, spec } = jobOf(cronJob({ timeZone: 'Asia/Kolkata' }), now);
  assert.equal(metadata.name, `tick-${now / minute}`);
  assert.deepEqual(metadata.labels, { a: 'b' });
  assert.deepEqual(metadata.annotations, { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T16:00:00+05:30' });
  const [owner] = metadata.ownerReferences ?? [];
  assert.deepEqual([owner?.kind, owner?.name, owner?.uid, owner?.controller], ['CronJob', 'tick', 'u', true]);
  assert.equal(spec?.template.spec?.restartPolicy, 'Never');
});
