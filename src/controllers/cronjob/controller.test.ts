import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cronJobs, jobs } from '../../api/resource-types.ts';
import type { CronJob, Job } from '../../api/schema/types.ts';
import { referenceTo } from '../../client/event-recorder.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { controllerRef } from '../ownership/owner.ts';
import { template } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { CronJobController } from './controller.ts';
import { jobName } from './desired.ts';

const key = 'default/tick';
const status = 'update cronjobs/status default/tick';
/** The clock of tests stands at midnight; it is due each hour, and was made half an hour ago. */
const midnight = Date.UTC(2026, 0, 1);
const created = '2025-12-31T23:30:00Z';
const dueJob = jobName(cronJobOf(), midnight);
const create = `create jobs default/${dueJob}`;

function cronJobOf(spec: Partial<CronJob['spec']> = {}, more: Partial<CronJob> = {}): CronJob {
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'tick', namespace: 'default', uid: 'uid-tick', creationTimestamp: created },
    spec: { schedule: '0 * * * *', jobTemplate: { spec: { template } }, ...spec },
    ...more,
  };
}

function jobOf(name: string, end?: 'Complete' | 'Failed'): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ownerReferences: [controllerRef(cronJobOf())] },
    status: end ? { conditions: [{ type: end, status: 'True' }], startTime: created } : {},
  };
}

const running = (...active: readonly Job[]): Partial<CronJob> => ({
  status: { active: active.map((job) => referenceTo(job)), lastScheduleTime: '2025-12-31T23:00:00Z' },
});

async function start(cronJob: CronJob, there: readonly Job[] = []): Promise<{ bed: TestBed; controller: CronJobController }> {
  const bed = new TestBed();
  bed.put(cronJobs, cronJob);
  for (const job of there) bed.put(jobs, job);
  const controller = new CronJobController(bed.context);
  // Hears of schedules that change.
  bed.listen(controller);
  await bed.deliver();
  return { bed, controller };
}

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly cronJob: CronJob;
  readonly jobs?: readonly Job[];
  /** What the copies do not show. */
  readonly meanwhile?: (bed: TestBed) => void;
}

/** Nothing is trusted for longer: the next hour is further away. */
const requeueAfter = 600_000;

const cases: readonly Case[] = [
  {
    does: 'starts the Job that is due, and says so in the status',
    cronJob: cronJobOf(),
    writes: [create, status],
    events: [`Normal SuccessfulCreate Created job ${dueJob}`],
    requeueAfter,
  },
  {
    does: 'deletes the Job that the next one replaces before it starts that',
    cronJob: cronJobOf({ concurrencyPolicy: 'Replace' }, running(jobOf('old'))),
    jobs: [jobOf('old')],
    writes: ['delete jobs default/old', create, status],
    events: ['Normal SuccessfulDelete Deleted job old', `Normal SuccessfulCreate Created job ${dueJob}`],
    requeueAfter,
  },
  {
    does: 'starts nothing when the Job to replace cannot be deleted',
    cronJob: cronJobOf({ concurrencyPolicy: 'Replace' }, running(jobOf('old'))),
    jobs: [jobOf('old')],
    meanwhile: (bed) => bed.client.refuse(/delete jobs/, refusal(500, 'InternalError', 'no')),
    writes: ['delete jobs default/old'],
    events: ['Warning FailedDelete Deleted job: no'],
    error: 'no',
  },
  {
    does: 'starts nothing while one runs and only one may',
    cronJob: cronJobOf({ concurrencyPolicy: 'Forbid' }, running(jobOf('old'))),
    jobs: [jobOf('old')],
    events: ['Normal JobAlreadyActive Not starting job because prior execution is running and concurrency policy is Forbid'],
    requeueAfter,
  },
  {
    does: 'asks the server for an active Job that its copy does not show',
    cronJob: cronJobOf({ concurrencyPolicy: 'Forbid' }, running(jobOf('old'))),
    meanwhile: (bed) => void bed.put(jobs, jobOf('old')),
    events: ['Normal JobAlreadyActive Not starting job because prior execution is running and concurrency policy is Forbid'],
    requeueAfter,
  },
  {
    does: 'goes on with the Job of that time that it started before a restart',
    cronJob: cronJobOf(),
    meanwhile: (bed) => void bed.put(jobs, jobOf(dueJob)),
    writes: [create, status],
    requeueAfter,
  },
  {
    does: 'starts nothing when the name is somebody else’s, and says so',
    cronJob: cronJobOf(),
    meanwhile: (bed) => void bed.put(jobs, { ...jobOf(dueJob), metadata: { name: dueJob, namespace: 'default', uid: 'else' } }),
    writes: [create],
    events: [`Warning FailedCreate Error creating job: jobs "${dueJob}" already exists`],
    requeueAfter,
  },
  {
    does: 'comes back when the Job could not be made',
    cronJob: cronJobOf(),
    meanwhile: (bed) => bed.client.refuse(/create jobs/, refusal(403, 'Forbidden', 'exceeded quota')),
    writes: [create],
    events: ['Warning FailedCreate Error creating job: exceeded quota'],
    error: 'exceeded quota',
  },
  {
    does: 'deletes Jobs beyond the history, and tells nothing of one that is gone already',
    cronJob: cronJobOf({ suspend: true, successfulJobsHistoryLimit: 0 }),
    jobs: [jobOf('a', 'Complete'), jobOf('b', 'Complete')],
    meanwhile: (bed) => bed.client.forget(jobs, 'default/a'),
    writes: ['delete jobs default/a', 'delete jobs default/b'],
    events: ['Normal SuccessfulDelete Deleted job b'],
  },
  { does: 'does nothing while it is suspended', cronJob: cronJobOf({ suspend: true }) },
];

describe('a CronJob', () => {
  for (const { does, cronJob, jobs: there = [], meanwhile, ...expected } of cases) {
    test(does, async () => {
      const { bed, controller } = await start(cronJob, there);
      await using _ = bed;
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, key), { writes: [], events: [], ...expected });
    });
  }

  test('starts a Job once while the copies are old, its own copy, too', async () => {
    const { bed, controller } = await start(cronJobOf());
    await using _ = bed;
    await bed.pass(controller, key);
    const { writes, error } = await bed.pass(controller, key);
    assert.deepEqual({ writes, error }, { writes: [], error: undefined });
  });

  test('does not start what a new schedule says of the time before it', async () => {
    const { bed, controller } = await start(cronJobOf({ schedule: '0 5 * * *' }));
    await using _ = bed;
    await bed.clock.advance(30_000);
    bed.put(cronJobs, cronJobOf());
    await bed.deliver();
    assert.deepEqual((await bed.pass(controller, key)).writes, []);
  });

  test('is looked at when one of its Jobs changes', async () => {
    const { bed, controller } = await start(cronJobOf());
    await using _ = bed;
    const news = bed.listen(controller);
    await news.deliver();
    bed.put(jobs, jobOf('a'));
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(jobs, { ...jobOf('b'), metadata: { name: 'b', namespace: 'default' } });
    assert.deepEqual(await news.deliver(), []);
  });

  test('that is gone asks for nothing', async () => {
    await using bed = new TestBed();
    assert.deepEqual(await bed.pass(new CronJobController(bed.context), key), { writes: [], events: [] });
  });
});
