import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pods, replicaSets } from '../api/resource-types.ts';
import type { Pod, ReplicaSet } from '../api/schema/types.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { Controller, type Result, soonest } from './controller.ts';
import { refusal } from './testing/fake-client.ts';
import { FakeCluster } from './testing/fake-cluster.ts';

const terminating = refusal(403, 'Forbidden', 'it is being terminated', { causes: [{ reason: 'NamespaceTerminating' }] });

/** Reconciles "a" with one outcome after another; gives the times of the passes in ms, and how often somebody was warned. */
async function passes(outcomes: readonly (Result | Error | undefined)[], forMs: number): Promise<{ times: number[]; warnings: number }> {
  const clock = new FakeClock();
  const stop = new AbortController();
  const times: number[] = [];
  let warnings = 0;
  const log: Log = { ...silentLog, warn: () => void warnings++ };
  const reconciler = {
    name: 'test',
    setup: (controller: Controller) => controller.enqueue('a'),
    async reconcile(): Promise<Result | undefined> {
      const outcome = outcomes[times.push(clock.monotonic()) - 1];
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
  const running = new Controller({ reconciler, clock, log }).run(stop.signal);
  await clock.advance(forMs);
  stop.abort();
  await running;
  return { times, warnings };
}

describe('a key', () => {
  const cases: readonly { is: string; outcomes: readonly (Result | Error | undefined)[]; times: readonly number[]; warnings?: number }[] = [
    { is: 'that is settled is left alone', outcomes: [undefined], times: [0] },
    { is: 'comes back when reconcile asked for it', outcomes: [{ requeueAfter: 300 }, { requeueAfter: 20 }], times: [0, 300, 320] },
    { is: 'whose namespace ends is left alone', outcomes: [terminating], times: [0] },
    { is: 'in conflict comes back, and nobody is told', outcomes: [refusal(409, 'Conflict')], times: [0, 5] },
    { is: 'whose object was missing comes back, and nobody is told', outcomes: [refusal(404, 'NotFound')], times: [0, 5] },
    {
      is: 'in conflict for the sixth time is a matter for somebody',
      outcomes: Array(6).fill(refusal(409, 'Conflict')),
      times: [0, 5, 15, 35, 75, 155, 315],
      warnings: 1,
    },
    { is: 'that met an existing name is a matter for somebody', outcomes: [refusal(409, 'AlreadyExists')], times: [0, 5], warnings: 1 },
    {
      is: 'that failed comes back ever later, and from the first delay again after a success',
      outcomes: [new Error('no'), new Error('no'), { requeueAfter: 100 }, new Error('no')],
      times: [0, 5, 15, 115, 120],
      warnings: 3,
    },
  ];
  for (const { is, outcomes, times, warnings = 0 } of cases) {
    test(is, async () => assert.deepEqual(await passes(outcomes, 1_000), { times, warnings }));
  }
});

test('nothing is reconciled before every informer has its first list, and nothing after the end', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const keys: string[] = [];
  const { promise: synced, resolve } = Promise.withResolvers<void>();
  const reconciler = {
    name: 'test',
    setup: (controller: Controller) => controller.waitsFor({ synced }).enqueue('a'),
    reconcile: async (key: string) => {
      keys.push(key);
      return undefined;
    },
  };
  const controller = new Controller({ reconciler, clock, log: silentLog });
  const running = controller.run(stop.signal);
  await clock.advance(10);
  assert.deepEqual(keys, []);
  resolve();
  await clock.advance(10);
  assert.deepEqual(keys, ['a']);
  stop.abort();
  await running;
  controller.enqueue('b');
  await clock.advance(10);
  assert.deepEqual(keys, ['a']);
});

test('news brings the keys of the objects themselves, and of those who own them or did', async () => {
  await using cluster = new FakeCluster();
  const keys: string[] = [];
  const ownersOf = ({ metadata }: Pod): string[] => (metadata.ownerReferences ?? []).map((owner) => `default/${owner.name}`);
  const reconciler = {
    name: 'test',
    setup: (controller: Controller) =>
      void controller
        .for(cluster.informers.of(replicaSets), (rs) => rs.metadata.name !== 'of no interest')
        .owns(cluster.informers.of(pods), ownersOf),
    reconcile: async (key: string) => {
      keys.push(key);
      return undefined;
    },
  };
  void new Controller({ reconciler, clock: cluster.clock, log: silentLog }).run(cluster.signal);
  const news = async (): Promise<string[]> => {
    await cluster.deliver();
    await cluster.clock.advance(0);
    return keys.splice(0).toSorted();
  };
  for (const name of ['web', 'of no interest']) cluster.put(replicaSets, replicaSet(name));
  assert.deepEqual(await news(), ['default/web']);
  cluster.put(pods, podOf('web'));
  assert.deepEqual(await news(), ['default/web']);
  cluster.put(pods, podOf('other'));
  assert.deepEqual(await news(), ['default/other', 'default/web']);
  cluster.client.forget(pods, 'default/p');
  assert.deepEqual(await news(), ['default/other']);
  cluster.client.forget(replicaSets, 'default/web');
  assert.deepEqual(await news(), ['default/web']);
});

test('the soonest of several results counts', () => {
  assert.deepEqual(soonest(undefined, { requeueAfter: 30 }, { requeueAfter: 20 }), { requeueAfter: 20 });
  assert.deepEqual(soonest(undefined, { requeueAfter: undefined }), undefined);
});

function replicaSet(name: string): ReplicaSet {
  return { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name, namespace: 'default' } };
}

function podOf(owner: string): Pod {
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: `uid-${owner}`, controller: true }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default', ownerReferences }, spec: { containers: [] } };
}
