import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jobs, pods } from '../../api/resource-types.ts';
import type { Job, Pod } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { podOf, template, webSelector } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { JobController } from './controller.ts';
import { OrphanPodController } from './orphan-controller.ts';
import { trackingFinalizer } from './pod-facts.ts';

const key = 'default/work';
const status = 'update jobs/status default/work';
const deleted = '2026-01-01T00:00:00Z';

function jobOf(spec: Partial<NonNullable<Job['spec']>> = {}, more: Partial<Job> = {}): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work', namespace: 'default', uid: 'uid-work', generation: 1, creationTimestamp: deleted },
    spec: { parallelism: 1, completions: 1, backoffLimit: 6, selector: webSelector, template, ...spec },
    ...more,
  };
}

function podOfWork(name: string, phase: string, more: Partial<Pod['metadata']> = {}): Pod {
  return podOf(jobOf(), name, { phase, more: { finalizers: [trackingFinalizer], creationTimestamp: deleted, ...more } });
}

const finished: Partial<Job> = { status: { conditions: [{ type: 'Complete', status: 'True' }] } };

async function start(job: Job, there: readonly Pod[] = []): Promise<{ bed: TestBed; controller: JobController }> {
  const bed = new TestBed();
  bed.put(jobs, job);
  for (const pod of there) bed.put(pods, pod);
  const controller = new JobController(bed.context);
  await bed.deliver();
  return { bed, controller };
}

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly job: Job;
  readonly pods?: readonly Pod[];
  /** What the copies do not show. */
  readonly meanwhile?: (bed: TestBed) => void;
}

const created = (n: number): string => `Normal SuccessfulCreate Created pod: work-${n}`;

const cases: readonly Case[] = [
  {
    does: 'makes as many pods as may run at once, then writes the status',
    job: jobOf({ parallelism: 2, completions: 5 }),
    writes: ['create pods default/work-1', 'create pods default/work-2', status],
    events: [created(1), created(2)],
  },
  {
    does: 'counts a pod in two steps: its uid in the status, the finalizer away, then the number',
    job: jobOf(),
    pods: [podOfWork('a', 'Succeeded')],
    writes: [status, 'patch pods default/a', status],
    events: ['Normal Completed Job completed'],
  },
  {
    does: 'takes the finalizer from a pod that is too much before it deletes it, so that it does not count',
    job: jobOf({ parallelism: 1, completions: 5 }),
    pods: [podOfWork('a', 'Running'), podOfWork('b', 'Running')],
    writes: ['patch pods default/a', 'delete pods default/a', status],
    events: ['Normal SuccessfulDelete Deleted pod: a'],
  },
  {
    does: 'waits before it replaces a pod that failed',
    job: jobOf(),
    pods: [podOfWork('a', 'Failed')],
    writes: [status, 'patch pods default/a', status],
    requeueAfter: 10_000,
  },
  {
    does: 'stops at the first refusal of a slow start, and writes the status all the same',
    job: jobOf({ parallelism: 6, completions: 6 }),
    meanwhile: (bed) => bed.client.refuse(/create pods default\/work-[2-9]/, refusal(403, 'Forbidden', 'exceeded quota')),
    writes: ['create pods default/work-1', 'create pods default/work-2', 'create pods default/work-3', status],
    events: [created(1), 'Warning FailedCreate Error creating: exceeded quota', 'Warning FailedCreate Error creating: exceeded quota'],
    error: 'exceeded quota',
  },
  {
    does: 'makes no pod while one that should go could not be deleted',
    job: jobOf({ parallelism: 2, completions: 2, completionMode: 'Indexed' }),
    pods: [podOfWork('a', 'Running')],
    meanwhile: (bed) => bed.client.refuse(/delete pods/, refusal(500, 'InternalError', 'no')),
    writes: ['patch pods default/a', 'delete pods default/a', status],
    events: ['Warning FailedDelete Error deleting: no'],
    error: 'no',
  },
  {
    does: 'is content when the pod to delete is gone already, and tells nobody of it',
    job: jobOf({ parallelism: 0 }),
    pods: [podOfWork('a', 'Running')],
    meanwhile: (bed) => bed.client.forget(pods, 'default/a'),
    writes: ['patch pods default/a', 'delete pods default/a', status],
  },
  {
    does: 'comes back, with nothing released, when somebody else wrote the status first',
    job: jobOf(),
    pods: [podOfWork('a', 'Succeeded')],
    meanwhile: (bed) => void bed.put(jobs, jobOf({ parallelism: 2 })),
    writes: [status],
    error: 'the object "work" has been modified',
  },
  { does: 'leaves alone one that is finished', job: jobOf({}, finished), pods: [podOfWork('a', 'Running')] },
  {
    does: 'leaves alone one that somebody else manages',
    job: jobOf({ managedBy: 'example.com/kueue' }),
    pods: [podOfWork('a', 'Running')],
  },
  {
    does: 'gives an orphan that it adopts its finalizer',
    job: jobOf(),
    pods: [podOf(undefined, 'a')],
    writes: ['patch pods default/a', status],
  },
];

describe('a Job', () => {
  for (const { does, job, pods: there = [], meanwhile, ...expected } of cases) {
    test(does, async () => {
      const { bed, controller } = await start(job, there);
      await using _ = bed;
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, key), { writes: [], events: [], ...expected });
    });
  }

  test('makes no second pod and counts none twice while the copies are old, its own copy, too', async () => {
    const { bed, controller } = await start(jobOf({ completions: 2 }), [podOfWork('a', 'Succeeded')]);
    await using _ = bed;
    assert.equal(bed.client.find(jobs, key)?.status?.succeeded, undefined);
    await bed.pass(controller, key);
    assert.equal(bed.client.find(jobs, key)?.status?.succeeded, 1);
    const { writes, error } = await bed.pass(controller, key);
    assert.deepEqual({ writes, error }, { writes: [], error: undefined });
  });

  test('tells when it is suspended and when it goes on', async () => {
    const { bed, controller } = await start(jobOf({ suspend: true }));
    await using _ = bed;
    assert.deepEqual((await bed.pass(controller, key)).events, ['Normal Suspended Job suspended']);
    bed.put(jobs, { ...(bed.client.find(jobs, key) as Job), spec: jobOf().spec });
    await bed.deliver();
    assert.deepEqual((await bed.pass(controller, key)).events, [created(1), 'Normal Resumed Job resumed']);
  });

  test('that is gone asks for nothing', async () => {
    await using bed = new TestBed();
    assert.deepEqual(await bed.pass(new JobController(bed.context), key), { writes: [], events: [] });
  });
});

describe('a pod that holds its finalizer', () => {
  const holders: readonly { is: string; job?: Job; pod: Pod; writes: readonly string[] }[] = [
    { is: 'is let go when its Job is gone', pod: podOfWork('a', 'Running'), writes: ['patch pods default/a'] },
    { is: 'is let go when its Job has ended', job: jobOf({}, finished), pod: podOfWork('a', 'Running'), writes: ['patch pods default/a'] },
    {
      is: 'is let go when another Job has the name of its own',
      job: jobOf({}, { metadata: { name: 'work', namespace: 'default', uid: 'another' } }),
      pod: podOfWork('a', 'Running'),
      writes: ['patch pods default/a'],
    },
    { is: 'is kept while its Job goes on', job: jobOf(), pod: podOfWork('a', 'Running'), writes: [] },
    {
      is: 'is not ours when somebody else runs its Job',
      job: jobOf({ managedBy: 'example.com/kueue' }, finished),
      pod: podOfWork('a', 'Running'),
      writes: [],
    },
    {
      is: 'is let go when it is nobody’s any more',
      job: jobOf(),
      pod: podOfWork('a', 'Running', { ownerReferences: [] }),
      writes: ['patch pods default/a'],
    },
    { is: 'is not ours when nobody’s finalizer of ours is on it', pod: podOfWork('a', 'Running', { finalizers: [] }), writes: [] },
  ];
  for (const { is, job, pod, writes } of holders) {
    test(is, async () => {
      await using bed = new TestBed();
      if (job) bed.put(jobs, job);
      bed.put(pods, pod);
      const controller = new OrphanPodController(bed.context);
      await bed.deliver();
      assert.deepEqual(await bed.pass(controller, 'default/a'), { writes, events: [] });
      assert.deepEqual(bed.client.find(pods, 'default/a')?.metadata.finalizers, writes.length > 0 ? [] : pod.metadata.finalizers);
    });
  }

  test('is looked at when its Job ends or goes', async () => {
    await using bed = new TestBed();
    bed.put(jobs, jobOf());
    bed.put(pods, podOfWork('a', 'Running'));
    const controller = new OrphanPodController(bed.context);
    const news = bed.listen(controller);
    assert.deepEqual(await news.deliver(), []);
    bed.put(jobs, jobOf({}, finished));
    assert.deepEqual(await news.deliver(), ['default/a']);
    bed.client.forget(jobs, key);
    assert.deepEqual(await news.deliver(), ['default/a']);
  });
});
