import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job, JobSpec, JobStatus, Pod } from '../../api/schema/types.ts';
import { isActive } from '../ownership/pod-state.ts';
import { type Backoff, backoffAfter, noBackoff, remainingDelay } from './backoff.ts';
import { type JobPlan, planJob } from './desired.ts';
import { firstFree, formatIndexes, indexesOf, overlap, parseIndexes, totalOf, union } from './indexes.ts';
import { at, failed, indexed, job, pod, startOf2026 } from './testing/samples.ts';
import { settleJob, type Tracked, trackJob } from './tracking.ts';

const plan = (j: Job, pods: Pod[], backoff: Backoff = noBackoff, now: number = startOf2026): JobPlan => planJob(j, pods, backoff, now);
const track = (j: Job, pods: Pod[], after: Pod[] = pods): Tracked =>
  trackJob({ job: j, plan: plan(j, pods), before: pods, after, done: true, now: startOf2026 });
const names = (pods: readonly Pod[]): string[] => pods.map((p) => p.metadata.name);

test('sets of indexes are written as upstream writes them', () => {
  const some = parseIndexes('0,2-5,7,8,x,9-', 10);
  assert.equal(formatIndexes(some), '0,2-5,7,8');
  assert.equal(formatIndexes(union(some, indexesOf([6, 1]))), '0-8');
  assert.equal(formatIndexes(parseIndexes('1-3,9', 3)), '1,2');
  assert.equal(totalOf(some), 7);
  assert.equal(overlap(some, parseIndexes('4-7', 10)), 3);
  assert.deepEqual(firstFree(some, 3, 10), [1, 6, 9]);
  assert.deepEqual(firstFree([], 2, 1), [0]);
});

const made: readonly [string, Partial<JobSpec>, JobStatus, Pod[], number | readonly number[], string[]][] = [
  ['one pod', {}, {}, [], 1, []],
  ['as many pods as may run at once', { parallelism: 2, completions: 5 }, {}, [], 2, []],
  ['no more pods than successes are missing', { parallelism: 5, completions: 4 }, { succeeded: 2 }, [pod('a')], 1, []],
  ['a pod for one that failed, after its delay', {}, {}, [pod('a', { phase: 'Failed', code: 1, ended: -60 })], 1, []],
  ['nothing for one that failed a moment ago', {}, {}, [pod('a', { phase: 'Failed', code: 1 })], 0, []],
  ['a work queue', { parallelism: 3, completions: undefined }, {}, [], 3, []],
  [
    'nothing for a work queue with a success',
    { parallelism: 3, completions: undefined },
    {},
    [pod('a', { phase: 'Succeeded' }), pod('b')],
    0,
    [],
  ],
  ['nothing while it is suspended, and ends what runs', { suspend: true }, {}, [pod('a')], 0, ['a']],
  ['less when parallelism shrinks', { parallelism: 1, completions: 5 }, {}, [pod('a'), pod('b')], 0, ['a']],
  [
    'the lowest free indexes',
    { parallelism: 3, completions: 5, completionMode: 'Indexed' },
    { completedIndexes: '0,2' },
    [pod('a', { index: 1 })],
    [3, 4],
    [],
  ],
  [
    'one pod an index',
    { parallelism: 3, completions: 3, completionMode: 'Indexed' },
    {},
    [pod('a', { index: 0 }), pod('b', { index: 0, ended: -1 }), pod('c', { index: 9 })],
    0,
    ['c', 'a'],
  ],
  ['nothing yet for one that was deleted a moment ago: that is a failure', {}, {}, [pod('a', { deleted: true, ended: -60 })], 0, []],
  [
    'no replacement before the deleted one has ended, if so wanted',
    { podReplacementPolicy: 'Failed' },
    {},
    [pod('a', { deleted: true })],
    0,
    [],
  ],
];

for (const [name, spec, status, pods, create, remove] of made) {
  test(`planJob() makes ${name}`, () => {
    const { finished, ...p } = plan(job(spec, status), pods);
    assert.equal(finished, undefined);
    if (typeof create === 'number') assert.equal(p.create.length, create);
    else
      assert.deepEqual(
        p.create.map((one) => one.index),
        create,
      );
    assert.deepEqual(names(p.remove), remove);
  });
}

const failJob = { podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }] } };

const inPlace = { spec: { restartPolicy: 'OnFailure', containers: [] } };
const perIndex = { ...indexed, backoffLimitPerIndex: 1, backoffLimit: 99 };
const failIndex = { podFailurePolicy: { rules: [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [42] } }] } };

function withInit(one: Pod, restartCount: number): Pod {
  const init = { name: 'init', image: '', imageID: '', ready: false, restartCount };
  return { ...one, status: { ...one.status, initContainerStatuses: [init] } };
}

const decided: readonly [string, Partial<JobSpec>, JobStatus, Pod[], string | undefined][] = [
  ['failures up to the limit are replaced', { backoffLimit: 1 }, {}, [failed('a')], undefined],
  ['one failure more ends it', { backoffLimit: 1 }, { failed: 1 }, [failed('a')], 'FailureTarget BackoffLimitExceeded'],
  ['without a limit to speak of the first failure ends it', { backoffLimit: 0 }, {}, [failed('a')], 'FailureTarget BackoffLimitExceeded'],
  [
    'failures that are being counted count once',
    { backoffLimit: 1 },
    { uncountedTerminatedPods: { failed: ['a'] } },
    [failed('a')],
    undefined,
  ],
  [
    'restarts in place count',
    { backoffLimit: 2, template: { spec: { restartPolicy: 'OnFailure', containers: [] } } },
    {},
    [pod('a', { restarts: 2 })],
    'FailureTarget BackoffLimitExceeded',
  ],
  ['fewer restarts in place do not', { backoffLimit: 2, template: inPlace }, {}, [pod('a', { restarts: 1 })], undefined],
  [
    'restarts of a pod that is still pending count',
    { backoffLimit: 2, template: inPlace },
    {},
    [pod('a', { restarts: 2, phase: 'Pending' })],
    'FailureTarget BackoffLimitExceeded',
  ],
  [
    'restarts of init containers count',
    { backoffLimit: 2, template: inPlace },
    {},
    [withInit(pod('a', { restarts: 1 }), 1)],
    'FailureTarget BackoffLimitExceeded',
  ],
  [
    'with a limit of none one restart ends it',
    { backoffLimit: 0, template: inPlace },
    {},
    [pod('a', { restarts: 1 })],
    'FailureTarget BackoffLimitExceeded',
  ],
  ['with a limit of none a pod that runs is fine', { backoffLimit: 0, template: inPlace }, {}, [pod('a', { restarts: 0 })], undefined],
  ['it may run for so long', { activeDeadlineSeconds: 60 }, { startTime: at(-59) }, [pod('a')], undefined],
  ['and no longer', { activeDeadlineSeconds: 60 }, { startTime: at(-60) }, [pod('a')], 'FailureTarget DeadlineExceeded'],
  ['time does not count while it is suspended', { activeDeadlineSeconds: 60, suspend: true }, { startTime: at(-60) }, [], undefined],
  ['an exit code ends it', failJob, {}, [failed('a', { code: 42 })], 'FailureTarget PodFailurePolicy'],
  ['another exit code does not', failJob, {}, [failed('a')], undefined],
  [
    'what was decided stands',
    {},
    { conditions: [{ type: 'FailureTarget', status: 'True', reason: 'DeadlineExceeded' }] },
    [pod('a')],
    'Failed DeadlineExceeded',
  ],
  [
    'an index has failures of its own',
    { ...indexed, backoffLimitPerIndex: 1, backoffLimit: 99 },
    {},
    [failed('a', { index: 0, failures: 0 })],
    undefined,
  ],
  [
    'all indexes are through, and some failed',
    { ...indexed, completions: 2, backoffLimitPerIndex: 1, backoffLimit: 99 },
    { completedIndexes: '1' },
    [failed('a', { index: 0, failures: 1 })],
    'FailureTarget FailedIndexes',
  ],
  [
    'too many indexes failed',
    { ...indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 0, backoffLimit: 99 },
    {},
    [failed('a', { index: 0 })],
    'FailureTarget MaxFailedIndexesExceeded',
  ],
  ['as many indexes failed as may', { ...perIndex, maxFailedIndexes: 1 }, {}, [failed('a', { index: 0, failures: 1 })], undefined],
  ['no index failed, and one may', { ...perIndex, maxFailedIndexes: 1 }, {}, [pod('a', { index: 0 })], undefined],
  ['all indexes are through, and none failed', perIndex, { completedIndexes: '0-2' }, [], undefined],
  [
    'an exit code fails the index at once',
    { ...perIndex, ...failIndex },
    { completedIndexes: '1-2' },
    [failed('a', { index: 0, failures: 0, code: 42 })],
    'FailureTarget FailedIndexes',
  ],
  [
    'another exit code leaves the index its tries',
    { ...perIndex, ...failIndex },
    { completedIndexes: '1-2' },
    [failed('a', { index: 0, failures: 0 })],
    undefined,
  ],
  [
    'a rule for indexes that there are not never holds',
    { ...indexed, successPolicy: { rules: [{ succeededIndexes: '7' }] } },
    { completedIndexes: '2' },
    [pod('a', { index: 0 })],
    undefined,
  ],
  [
    'enough of all succeeded',
    { ...indexed, successPolicy: { rules: [{ succeededCount: 2 }] } },
    { completedIndexes: '0,2' },
    [],
    'SuccessCriteriaMet SuccessPolicy',
  ],
  [
    'not yet enough of all',
    { ...indexed, successPolicy: { rules: [{ succeededCount: 2 }] } },
    { completedIndexes: '2' },
    [pod('a', { index: 0 })],
    undefined,
  ],
  [
    'enough succeeded',
    { ...indexed, successPolicy: { rules: [{ succeededIndexes: '1-2', succeededCount: 1 }] } },
    { completedIndexes: '2' },
    [pod('a', { index: 0 })],
    'SuccessCriteriaMet SuccessPolicy',
  ],
];

for (const [name, spec, status, pods, wanted] of decided) {
  test(`planJob(): ${name}`, () => {
    const { finished, remove } = plan(job(spec, status), pods);
    assert.equal(finished && `${finished.type} ${finished.reason}`, wanted);
    if (finished) assert.deepEqual(names(remove), names(pods.filter(isActive)), 'what runs is deleted');
  });
}

const words: readonly [Partial<JobSpec>, JobStatus, Pod[], string][] = [
  [{ backoffLimit: 0 }, {}, [failed('a')], 'Job has reached the specified backoff limit'],
  [{ activeDeadlineSeconds: 60 }, { startTime: at(-60) }, [pod('a')], 'Job was active longer than specified deadline'],
  [
    { ...perIndex, maxFailedIndexes: 0 },
    {},
    [failed('a', { index: 0, failures: 1 })],
    'Job has exceeded the specified maximal number of failed indexes',
  ],
  [perIndex, { completedIndexes: '1-2' }, [failed('a', { index: 0, failures: 1 })], 'Job has failed indexes'],
  [
    { ...indexed, successPolicy: { rules: [{ succeededIndexes: '1' }, { succeededIndexes: '2' }] } },
    { completedIndexes: '2' },
    [],
    'Matched rules at index 1',
  ],
  [{}, { conditions: [{ type: 'FailureTarget', status: 'True', reason: 'PodFailurePolicy', message: 'code 42' }] }, [], 'code 42'],
];

test('planJob() gives its reasons in the words of upstream', () => {
  for (const [spec, status, pods, message] of words) assert.equal(plan(job(spec, status), pods).finished?.message, message);
});

test('planJob() looks again when the delay or the deadline is over', () => {
  assert.equal(plan(job(), [pod('a', { phase: 'Failed', code: 1, ended: -4 })]).lookAgainIn, 6_000);
  assert.equal(plan(job({ activeDeadlineSeconds: 5 }), [pod('a', { phase: 'Failed', code: 1, ended: -4 })]).lookAgainIn, 5_000);
});

test('planJob() gives each index its own delay, and its replacement the count of failures', () => {
  const spec = { ...indexed, backoffLimitPerIndex: 3, backoffLimit: 99 };
  const pods = [failed('a', { index: 0, failures: 1 }), failed('b', { index: 1, failures: 0, ended: -3 })];
  const p = plan(job(spec), pods);
  assert.deepEqual(p.create, [
    { index: 0, failures: { counted: 2, ignored: 0 } },
    { index: 2, failures: { counted: 0, ignored: 0 } },
  ]);
  assert.equal(p.lookAgainIn, 7_000);
  assert.deepEqual(names(track(job(spec), pods).release), [], 'they stay until they are replaced');
});

test('backoffAfter() doubles the delay with each failure and forgets it with a success', () => {
  const one = backoffAfter(noBackoff, [], [failed('a', { ended: 0 })]);
  assert.equal(remainingDelay(one, startOf2026), 10_000);
  const three = backoffAfter(one, [], [failed('b', { ended: 2 }), failed('c', { ended: 1 })]);
  assert.equal(remainingDelay(three, startOf2026 + 2_000), 40_000);
  assert.equal(remainingDelay({ failures: 50, lastFailure: startOf2026 }, startOf2026), 600_000);
  assert.deepEqual(backoffAfter(three, [pod('d', { phase: 'Succeeded', code: 0, ended: 5 })], [failed('e', { ended: 4 })]), noBackoff);
  assert.equal(backoffAfter(three, [pod('d', { phase: 'Succeeded', code: 0, ended: 5 })], [failed('e', { ended: 6 })]).failures, 1);
});

test('trackJob() and settleJob() count a pod in two steps, and end the job when all are counted', () => {
  const done = pod('a', { phase: 'Succeeded', code: 0 });
  const first = track(job(), [done]);
  assert.deepEqual(first.status.uncountedTerminatedPods, { succeeded: ['a'] });
  assert.equal(first.status.succeeded, undefined);
  assert.deepEqual(
    first.status.conditions?.map((c) => c.type),
    ['SuccessCriteriaMet'],
  );
  assert.deepEqual(names(first.release), ['a']);
  const kept = settleJob(first, new Set(['a']));
  assert.deepEqual([kept.ended, kept.status.succeeded], [false, undefined]);
  const { status, ended } = settleJob(first, new Set());
  assert.equal(ended, true);
  assert.deepEqual(status, {
    conditions: [
      {
        type: 'SuccessCriteriaMet',
        status: 'True',
        lastProbeTime: at(0),
        lastTransitionTime: at(0),
        reason: 'CompletionsReached',
        message: 'Reached expected number of succeeded pods',
      },
      {
        type: 'Complete',
        status: 'True',
        lastProbeTime: at(0),
        lastTransitionTime: at(0),
        reason: 'CompletionsReached',
        message: 'Reached expected number of succeeded pods',
      },
    ],
    startTime: at(0),
    completionTime: at(0),
    succeeded: 1,
    terminating: 0,
    ready: 0,
    uncountedTerminatedPods: {},
  });
});

test('trackJob() counts five hundred pods at a time, and lets pods go also when their account is full', () => {
  const all = Array.from({ length: 600 }, (_, i) => pod(`p${i}`, { phase: 'Succeeded', code: 0 }));
  const wanted = { completions: 600, parallelism: 600 };
  const first = track(job(wanted), all);
  assert.deepEqual([first.status.uncountedTerminatedPods?.succeeded?.length, first.release.length, first.ending], [500, 500, undefined]);
  // Their finalizers were not taken away before the process ended.
  const again = track(job(wanted, first.status), all);
  assert.deepEqual(names(again.release), ['p0']);
  const rest = all.slice(500);
  const second = track(job(wanted, settleJob(first, new Set(rest.map((p) => p.metadata.uid ?? ''))).status), rest);
  assert.deepEqual([second.status.succeeded, second.release.length, second.ending?.type], [500, 100, 'Complete']);
});

test('trackJob() after a restart between the steps counts a pod that has been let go, once', () => {
  const status = { uncountedTerminatedPods: { succeeded: ['a'], failed: ['b'] } };
  const again = track(job({ completions: 3 }, status), [pod('a', { phase: 'Succeeded', counted: true })]);
  assert.deepEqual([again.status.succeeded, again.status.failed, again.status.uncountedTerminatedPods], [1, 1, {}]);
});

test('a job does not end before its last pod has gone', () => {
  const status = { conditions: [{ type: 'FailureTarget', status: 'True', reason: 'DeadlineExceeded', message: 'late' }] };
  const going = settleJob(track(job({}, status), [pod('a', { deleted: true })]), new Set());
  assert.deepEqual([going.ended, going.status.failed, going.status.terminating], [false, 1, 1]);
  const gone = settleJob(track(job({}, { ...status, failed: 1 }), []), new Set());
  assert.deepEqual([gone.ended, gone.status.conditions?.at(-1)?.type, gone.status.completionTime], [true, 'Failed', undefined]);
});

test('an index counts once, and pods without a valid one not at all', () => {
  const pods = [
    pod('a', { index: 1, phase: 'Succeeded' }),
    pod('b', { index: 1, phase: 'Succeeded' }),
    pod('c', { phase: 'Succeeded' }),
    pod('d', { index: 7, phase: 'Succeeded' }),
  ];
  const { status, release } = track(job(indexed), pods);
  assert.deepEqual([status.succeeded, status.completedIndexes, status.uncountedTerminatedPods], [1, '1', {}]);
  assert.equal(release.length, 4);
});

test('a paused job says so, and starts its clock anew when it goes on', () => {
  const paused = track(job({ suspend: true }), []);
  assert.deepEqual(
    paused.status.conditions?.map((c) => [c.type, c.status, c.reason, c.message]),
    [['Suspended', 'True', 'JobSuspended', 'Job suspended']],
  );
  const on = track(job({}, { ...paused.status, startTime: at(-500) }), []);
  assert.deepEqual(
    on.status.conditions?.map((c) => [c.type, c.status, c.reason, c.message]),
    [['Suspended', 'False', 'JobResumed', 'Job resumed']],
  );
  assert.equal(on.status.startTime, at(0));
  const later = track(job({}, { ...on.status, startTime: at(-5) }), []);
  assert.equal(later.status.startTime, at(-5), 'its clock runs on once it goes on');
  assert.deepEqual(track(job({}, { startTime: at(-5) }), []).status.conditions, undefined, 'one that was never paused says nothing');
});
