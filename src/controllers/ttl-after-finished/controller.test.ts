import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jobs } from '../../api/resource-types.ts';
import type { Job } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { TestBed } from '../testing/test-bed.ts';
import { TtlAfterFinishedController } from './controller.ts';

const key = 'default/work';
const remove = `delete jobs ${key}`;

/** The clock of tests stands at 2026-01-01T00:00:00Z. */
function jobOf(ttl: number | undefined, endedAt: string | undefined, metadata: Partial<Job['metadata']> = {}): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work', namespace: 'default', ...metadata },
    spec: { template: {}, ...(ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl }) },
    status: endedAt ? { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: endedAt }] } : {},
  };
}

const old = '2025-12-31T23:59:00Z';

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly job: Job;
  /** What the copies do not show. */
  readonly meanwhile?: (bed: TestBed) => void;
}

const cases: readonly Case[] = [
  { does: 'goes when its time is over', job: jobOf(60, old), writes: [remove] },
  { does: 'is looked at again when it will be', job: jobOf(70, old), requeueAfter: 10_000 },
  { does: 'stays without such a time', job: jobOf(undefined, old) },
  { does: 'stays while it runs', job: jobOf(0, undefined) },
  { does: 'is not deleted twice', job: jobOf(0, old, { deletionTimestamp: old }) },
  { does: 'stays when its time was changed meanwhile', job: jobOf(60, old), meanwhile: (bed) => void bed.put(jobs, jobOf(3600, old)) },
  { does: 'is fine when it is gone meanwhile', job: jobOf(60, old), meanwhile: (bed) => bed.client.forget(jobs, key) },
];

describe('a Job that has ended', () => {
  for (const { does, job, meanwhile, ...expected } of cases) {
    test(does, async () => {
      await using bed = new TestBed();
      bed.put(jobs, job);
      const controller = new TtlAfterFinishedController(bed.context);
      await bed.deliver();
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, key), { writes: [], events: [], ...expected });
    });
  }

  test('takes its pods with it', async () => {
    await using bed = new TestBed();
    bed.put(jobs, jobOf(60, old));
    const controller = new TtlAfterFinishedController(bed.context);
    await bed.deliver();
    await controller.reconcile(key);
    const { propagationPolicy, preconditions } = JSON.parse(bed.client.writes[0]?.json ?? '{}');
    assert.deepEqual([propagationPolicy, preconditions], ['Foreground', { uid: 'uid-work' }]);
  });

  test('is looked at only if it is to go some time', async () => {
    await using bed = new TestBed();
    const news = bed.listen(new TtlAfterFinishedController(bed.context));
    bed.put(jobs, jobOf(undefined, old));
    assert.deepEqual(await news.deliver(), []);
    bed.put(jobs, jobOf(70, old));
    assert.deepEqual(await news.deliver(), [key]);
  });
});
