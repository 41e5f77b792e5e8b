import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { events, jobs, pods } from '../../src/api/resource-types.ts';
import type { Job, JobSpec, Pod } from '../../src/api/schema/types.ts';
import { Informer } from '../../src/client/informer.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { pauseContainer } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };

function job(name: string, spec: Partial<JobSpec> = {}): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'default' },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [pauseContainer] } }, ...spec },
  };
}

const isOf = (name: string, pod: Pod): boolean => pod.metadata.labels?.['job-name'] === name;

describe('jobs', () => {
  let cp: ControlPlane;
  const born = new Set<string>();
  const outcome = new Map<string, 'Failed' | 'Succeeded'>();
  const stop = new AbortController();
  let watching: Promise<void>;
  before(async () => {
    cp = await ControlPlane.start();
    cp.kubelet.succeeds = (p) => outcome.get(p.metadata.labels?.['job-name'] ?? '') === 'Succeeded';
    cp.kubelet.fails = (p) => outcome.get(p.metadata.labels?.['job-name'] ?? '') === 'Failed';
    const informer = new Informer(cp.client, pods);
    informer.on({ add: (p) => void born.add(p.metadata.name) });
    watching = informer.start(stop.signal);
    await informer.synced;
  });
  after(async () => {
    stop.abort();
    await watching;
    await cp.stop();
  });
  const status = async (name: string): Promise<NonNullable<Job['status']>> => (await cp.client.get(jobs, name, inDefault)).status ?? {};
  const truths = (s: Job['status']): string[] => (s?.conditions ?? []).filter((c) => c.status === 'True').map((c) => c.type);
  const bornOf = (name: string): number => [...born].filter((n) => n.startsWith(`${name}-`)).length;
  const podsOf = async (name: string): Promise<Pod[]> => (await cp.podsOf('default')).filter((p) => isOf(name, p));
  const ended = (name: string, as: string): Promise<void> => eventually(async () => assert.equal(truths(await status(name)).at(-1), as));
  const end = (name: string, as: 'Failed' | 'Succeeded'): void => {
    outcome.set(name, as);
    cp.kubelet.lookAgain();
  };

  test('a Job runs to completion through restarts of the controllers, and every pod is counted once and let go', async () => {
    outcome.set('many', 'Succeeded');
    await cp.client.create(jobs, job('many', { completions: 30, parallelism: 10 }));
    for (let i = 1; i <= 3; i++) {
      await eventually(() => assert.ok(bornOf('many') >= i * 7));
      await cp.stopManagers();
      cp.startManagers();
    }
    await ended('many', 'Complete');
    const s = await status('many');
    assert.deepEqual([s.succeeded, s.active, s.failed, s.ready, s.terminating], [30, undefined, undefined, 0, 0]);
    assert.deepEqual(truths(s), ['SuccessCriteriaMet', 'Complete']);
    assert.deepEqual(s.uncountedTerminatedPods, {});
    assert.ok(s.completionTime);
    assert.equal(bornOf('many'), 30);
    for (const p of await podsOf('many')) assert.equal(p.metadata.finalizers, undefined);
  });

  test('a Job whose status writes get lost still counts each pod once', async () => {
    await cp.client.create(jobs, job('lossy', { completions: 5, parallelism: 5 }));
    await eventually(async () => assert.equal((await status('lossy')).ready, 5));
    cp.failNext('PUT', /jobs\/lossy\/status/, 3);
    end('lossy', 'Succeeded');
    await ended('lossy', 'Complete');
    assert.equal((await status('lossy')).succeeded, 5);
    assert.equal(bornOf('lossy'), 5);
    cp.complaints.length = 0;
  });

  test('an Indexed Job gives each index its pod', async () => {
    outcome.set('indexed', 'Succeeded');
    await cp.client.create(jobs, job('indexed', { completions: 4, parallelism: 2, completionMode: 'Indexed' }));
    await ended('indexed', 'Complete');
    assert.equal((await status('indexed')).completedIndexes, '0-3');
    const all = await podsOf('indexed');
    assert.deepEqual(all.map((p) => p.spec?.hostname).toSorted(), ['indexed-0', 'indexed-1', 'indexed-2', 'indexed-3']);
    for (const p of all) assert.match(p.metadata.name, /^indexed-\d-[a-z0-9]{5}$/);
  });

  test('a Job whose pod fails beyond the limit fails, with an event', async () => {
    outcome.set('bad', 'Failed');
    await cp.client.create(jobs, job('bad', { backoffLimit: 0 }));
    await ended('bad', 'Failed');
    const s = await status('bad');
    assert.deepEqual([s.failed, s.conditions?.at(-1)?.reason], [1, 'BackoffLimitExceeded']);
    await eventually(async () => {
      const told = (await cp.client.list(events, inDefault)).items.filter((e) => e.involvedObject.name === 'bad').map((e) => e.reason);
      assert.deepEqual(told.toSorted(), ['BackoffLimitExceeded', 'SuccessfulCreate']);
    });
  });

  test('a failed pod is replaced only after ten seconds', async () => {
    outcome.set('slow', 'Failed');
    await cp.client.create(jobs, job('slow'));
    await eventually(async () => assert.equal((await status('slow')).failed, 1));
    const [first] = await podsOf('slow');
    const finished = Date.parse(first?.status?.conditions?.find((c) => c.type === 'Ready')?.lastTransitionTime ?? '');
    await eventually(() => assert.equal(bornOf('slow'), 2));
    const second = (await podsOf('slow')).find((p) => p.metadata.uid !== first?.metadata.uid);
    // By the times that the API tells, in whole seconds: a slow machine makes the pause longer, never shorter.
    const pause = Date.parse(second?.metadata.creationTimestamp ?? '') - finished;
    assert.ok(pause >= 10_000, `replaced after ${pause} ms`);
    await cp.client.delete(jobs, 'slow', { ...inDefault, propagationPolicy: 'Background' });
    await eventually(async () => assert.equal((await podsOf('slow')).length, 0));
  });

  test('a Job that takes too long is ended, and its pods with it', async () => {
    await cp.client.create(jobs, job('late', { activeDeadlineSeconds: 2, parallelism: 2, completions: 2 }));
    await ended('late', 'Failed');
    const s = await status('late');
    assert.deepEqual([s.conditions?.at(-1)?.reason, s.failed, s.active, s.ready], ['DeadlineExceeded', 2, undefined, 0]);
    assert.equal((await podsOf('late')).length, 0);
  });

  test('a Job pauses and goes on', async () => {
    await cp.client.create(jobs, job('paused', { suspend: true }));
    await eventually(async () => assert.deepEqual(truths(await status('paused')), ['Suspended']));
    assert.equal((await status('paused')).startTime, undefined);
    await cp.client.patch(jobs, 'paused', { spec: { suspend: false } }, inDefault);
    await eventually(async () => assert.equal((await status('paused')).ready, 1));
    await cp.client.patch(jobs, 'paused', { spec: { suspend: true } }, inDefault);
    await eventually(async () => {
      assert.equal((await podsOf('paused')).length, 0);
      assert.deepEqual(truths(await status('paused')), ['Suspended']);
    });
    assert.equal((await status('paused')).failed, undefined, 'a pod that was taken away did not fail');
    outcome.set('paused', 'Succeeded');
    await cp.client.patch(jobs, 'paused', { spec: { suspend: false } }, inDefault);
    await ended('paused', 'Complete');
  });

  test('a Job goes when its time after the end is over, and takes its pods along', async () => {
    outcome.set('brief', 'Succeeded');
    await cp.client.create(jobs, job('brief', { ttlSecondsAfterFinished: 1 }));
    await ended('brief', 'Complete').catch(() => {});
    await eventually(async () => {
      assert.equal((await cp.client.list(jobs, { ...inDefault, fieldSelector: 'metadata.name=brief' })).items.length, 0);
      assert.equal((await podsOf('brief')).length, 0);
    });
  });

  for (const propagationPolicy of ['Background', 'Foreground', 'Orphan'] as const) {
    test(`a running Job deleted with ${propagationPolicy} leaves no pod held by a finalizer`, async () => {
      const name = `del-${propagationPolicy.toLowerCase()}`;
      await cp.client.create(jobs, job(name, { parallelism: 3, completions: 3 }));
      await eventually(async () => assert.equal((await status(name)).ready, 3));
      await cp.client.delete(jobs, name, { ...inDefault, propagationPolicy });
      await eventually(async () => {
        const left = await podsOf(name);
        assert.equal(left.length, propagationPolicy === 'Orphan' ? 3 : 0);
        for (const p of left) assert.deepEqual([p.metadata.finalizers, p.metadata.ownerReferences], [undefined, undefined]);
        assert.equal((await cp.client.list(jobs, { ...inDefault, fieldSelector: `metadata.name=${name}` })).items.length, 0);
      });
    });
  }

  test('a Job somebody else manages is left alone', async () => {
    await cp.client.create(jobs, job('foreign', { managedBy: 'example.com/queue' }));
    outcome.set('own', 'Succeeded');
    await cp.client.create(jobs, job('own'));
    await ended('own', 'Complete');
    assert.deepEqual([bornOf('foreign'), await status('foreign')], [0, {}]);
  });

  test('complained of nothing', () => assert.deepEqual(cp.complaints, []));
});
