import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cronJobs, events, jobs } from '../../src/api/resource-types.ts';
import type { CronJob, CronJobSpec, Job } from '../../src/api/schema/types.ts';
import { ApiError } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { FakeClock } from '../../src/clock/testing/fake-clock.ts';
import { timestamp } from '../../src/clock/timestamp.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { pauseContainer } from './testing/manifests.ts';

const minute = 60_000;
const inDefault = { namespace: 'default' };

function cronJob(name: string, spec: Partial<CronJobSpec> = {}): CronJob {
  const template = { spec: { restartPolicy: 'Never', containers: [pauseContainer] } };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name, namespace: 'default' },
    spec: { schedule: '* * * * *', jobTemplate: { metadata: { labels: { cron: name } }, spec: { template } }, ...spec },
  };
}

describe('cronjobs', () => {
  /** Stands still two seconds after a full minute, but for `pass`. */
  const clock = new FakeClock(Math.ceil(Date.now() / minute) * minute + 2_000);
  let cp: ControlPlane;
  before(async () => {
    cp = await ControlPlane.start({
      clock,
      serverClock: clock,
      controllers: ['cronjob-controller', 'garbage-collector-controller'],
      nodes: 0,
      scheduler: false,
    });
  });
  after(() => cp.stop());

  const minuteIn = (minutes: number): number => new Date(clock.now() + minutes * minute).getUTCMinutes();
  const get = (name: string): Promise<CronJob> => cp.client.get(cronJobs, name, inDefault);
  const jobsOf = async (name: string): Promise<Job[]> =>
    (await cp.client.list(jobs, { ...inDefault, labelSelector: `cron=${name}` })).items.toSorted((a, b) =>
      a.metadata.name < b.metadata.name ? -1 : 1,
    );
  const names = async (name: string): Promise<string[]> => (await jobsOf(name)).map((j) => j.metadata.name);
  const activeOf = async (name: string): Promise<string[]> => ((await get(name)).status?.active ?? []).map((ref) => ref.name ?? '');
  /** The names of the jobs of the last `count` minutes. */
  const lastOnes = (name: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${name}-${Math.floor(clock.now() / minute) - count + 1 + i}`);
  const reasons = async (name: string): Promise<string[]> =>
    (await cp.client.list(events, inDefault)).items.filter((e) => e.involvedObject.name === name).map((e) => e.reason ?? '');
  const create = async (name: string, spec?: Partial<CronJobSpec>): Promise<void> => {
    await cp.client.create(cronJobs, cronJob(name, spec));
  };
  async function end(job: string, type: 'Complete' | 'Failed'): Promise<void> {
    const time = timestamp(Date.now());
    const first = type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
    const conditions = [first, type].map((one) => ({ type: one, status: 'True', lastTransitionTime: time }));
    const status = { startTime: time, conditions, ...(type === 'Complete' ? { completionTime: time } : {}) };
    await cp.client.patch(jobs, job, { status }, { ...inDefault, subresource: 'status' });
  }

  test('starts a Job each minute, remembers it, and forgets it when it has ended', async () => {
    await create('tick', { successfulJobsHistoryLimit: 1 });
    for (let i = 1; i <= 2; i++) {
      await clock.advance(minute);
      await eventually(async () => assert.deepEqual(await names('tick'), lastOnes('tick', i)));
    }
    const [first = '', second = ''] = await names('tick');
    await eventually(async () => assert.deepEqual(await activeOf('tick'), [first, second]));
    assert.equal(Date.parse((await get('tick')).status?.lastScheduleTime ?? ''), clock.now() - 2_000);
    const [job] = await jobsOf('tick');
    assert.equal(job?.metadata.ownerReferences?.[0]?.kind, 'CronJob');
    assert.ok(job?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']);
    await end(first, 'Complete');
    await eventually(async () => assert.deepEqual(await activeOf('tick'), [second]));
    assert.ok((await get('tick')).status?.lastSuccessfulTime);
    await end(second, 'Complete');
    await eventually(async () => assert.deepEqual(await names('tick'), [second], 'one of those that succeeded stays'));
    await eventually(async () => {
      const told = new Set(await reasons('tick'));
      assert.deepEqual([...told].toSorted(), ['SawCompletedJob', 'SuccessfulCreate', 'SuccessfulDelete']);
    });
  });

  test('rests while it is suspended', async () => {
    await cp.client.patch(cronJobs, 'tick', { spec: { suspend: true } }, inDefault);
    await create('later');
    const before = await names('tick');
    await clock.advance(minute);
    await eventually(async () => assert.equal((await names('later')).length, 1));
    assert.deepEqual(await names('tick'), before);
    await cp.client.delete(cronJobs, 'later', inDefault);
    await eventually(async () => assert.deepEqual(await names('later'), [], 'its jobs go with it'));
  });

  test('under Forbid what was due waits until the running job has ended', async () => {
    await create('one', { concurrencyPolicy: 'Forbid' });
    await clock.advance(minute);
    await eventually(async () => assert.deepEqual(await activeOf('one'), lastOnes('one', 1)));
    const [first = ''] = await names('one');
    await clock.advance(minute);
    await eventually(async () => assert.ok((await reasons('one')).includes('JobAlreadyActive')));
    assert.deepEqual(await names('one'), [first]);
    await end(first, 'Failed');
    await eventually(async () => assert.deepEqual(await names('one'), [first, ...lastOnes('one', 1)]));
    await eventually(async () => assert.deepEqual(await activeOf('one'), lastOnes('one', 1)));
    await cp.client.delete(cronJobs, 'one', inDefault);
  });

  test('under Replace the running job goes first', async () => {
    await create('newest', { concurrencyPolicy: 'Replace' });
    for (let i = 0; i < 2; i++) {
      await clock.advance(minute);
      await eventually(async () => {
        assert.deepEqual(await names('newest'), lastOnes('newest', 1));
        assert.deepEqual(await activeOf('newest'), lastOnes('newest', 1));
      });
    }
    await cp.client.delete(cronJobs, 'newest', inDefault);
  });

  test('a job that somebody deletes is active no longer', async () => {
    await create('hit');
    await clock.advance(minute);
    await eventually(async () => assert.equal((await activeOf('hit')).length, 1));
    await cp.client.delete(jobs, (await names('hit'))[0] ?? '', { ...inDefault, propagationPolicy: 'Background' });
    await eventually(async () => assert.deepEqual(await activeOf('hit'), []));
    await eventually(async () => assert.ok((await reasons('hit')).includes('MissingJob')));
    await cp.client.delete(cronJobs, 'hit', inDefault);
  });

  test('a job is started once although the status got lost, also by another process', async () => {
    await create('once');
    cp.failNext('PUT', /cronjobs\/once\/status/, 1000);
    await clock.advance(minute);
    await eventually(async () => assert.equal((await names('once')).length, 1));
    await cp.stopManagers();
    assert.deepEqual(await activeOf('once'), []);
    cp.failuresLeft = 0;
    cp.startManagers();
    await eventually(async () => assert.deepEqual(await activeOf('once'), lastOnes('once', 1)));
    assert.deepEqual(await names('once'), lastOnes('once', 1));
    await cp.client.delete(cronJobs, 'once', inDefault);
    cp.complaints.length = 0;
  });

  test('what was due while nobody looked is started once, and a new schedule starts nothing of before', async () => {
    await create('away');
    await create('moved', { schedule: '0 0 1 1 *' });
    await cp.stopManagers();
    await clock.advance(30 * minute);
    cp.startManagers();
    await eventually(async () => assert.deepEqual(await names('away'), lastOnes('away', 1)));
    await cp.client.patch(cronJobs, 'moved', { spec: { schedule: `${minuteIn(-5)} * * * *` } }, inDefault);
    await cp.client.patch(cronJobs, 'away', { spec: { suspend: true } }, inDefault);
    // The one is looked at after the other.
    await create('after');
    await clock.advance(minute);
    await eventually(async () => assert.equal((await names('after')).length, 1));
    assert.deepEqual(await names('moved'), []);
    await cp.client.delete(cronJobs, 'moved', inDefault);
    await cp.client.delete(cronJobs, 'after', inDefault);
  });

  test('a clock that is set forward is noticed within ten minutes', async () => {
    await create('leap', { schedule: `${minuteIn(40)} * * * *` });
    clock.leap(41 * minute);
    await clock.advance(10 * minute);
    await eventually(async () => assert.equal((await names('leap')).length, 1));
    await cp.client.delete(cronJobs, 'leap', inDefault);
  });

  test('a schedule that is none is refused', async () => {
    const refused = async (spec: Partial<CronJobSpec>): Promise<string> => {
      const err = await cp.client.create(cronJobs, cronJob('bad', spec)).catch((e: unknown) => e);
      assert.ok(err instanceof ApiError);
      return err.message;
    };
    assert.match(
      await refused({ schedule: '61 * * * *' }),
      /spec\.schedule: Invalid value: "61 \* \* \* \*": end of range \(61\) above maximum/,
    );
    assert.match(await refused({ timeZone: 'Mars/Base' }), /spec\.timeZone: Invalid value: "Mars\/Base": unknown time zone Mars\/Base/);
  });

  test('complained of nothing', () => assert.deepEqual(cp.complaints, []));
});
