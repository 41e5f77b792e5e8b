import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pods, replicaSets, replicationControllers } from '../../api/resource-types.ts';
import type { Pod, ReplicaSet, ReplicationController } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { podOf, replicaSetOf, template } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { ReplicaSetController, ReplicationControllerController } from './controller.ts';

const key = 'default/web';
const status = 'update replicasets/status default/web';
const created = (n: number): string => `Normal SuccessfulCreate Created pod: web-${n}`;

/** A bed with these, and a controller whose copies have them. */
async function start(set: ReplicaSet, ...there: readonly Pod[]): Promise<{ bed: TestBed; controller: ReplicaSetController }> {
  const bed = new TestBed();
  bed.put(replicaSets, set);
  for (const pod of there) bed.put(pods, pod);
  const controller = new ReplicaSetController(bed.context);
  await bed.deliver();
  return { bed, controller };
}

/** As the controller itself would write it. */
function settledStatus(set: ReplicaSet, replicas: number): ReplicaSet {
  const all = { replicas, fullyLabeledReplicas: replicas, readyReplicas: 0, availableReplicas: 0, observedGeneration: 1 };
  return { ...set, status: all };
}

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly set: ReplicaSet;
  readonly pods?: readonly Pod[];
  /** What the copies do not show. */
  readonly meanwhile?: (bed: TestBed) => void;
}

const set = replicaSetOf(2);
const two = [podOf(set, 'a'), podOf(set, 'b')];
const cases: readonly Case[] = [
  {
    does: 'makes what is missing, then says so in the status',
    set: replicaSetOf(3),
    writes: ['create pods default/web-1', 'create pods default/web-2', 'create pods default/web-3', status],
    events: [created(1), created(2), created(3)],
  },
  { does: 'leaves alone what is as it should be', set: settledStatus(set, 2), pods: two },
  {
    does: 'deletes what is too much',
    set: replicaSetOf(1),
    pods: two,
    writes: ['delete pods default/a', status],
    events: ['Normal SuccessfulDelete Deleted pod: a'],
  },
  {
    does: 'adopts an orphan that the selector picks',
    set: settledStatus(replicaSetOf(1), 1),
    pods: [podOf(undefined, 'a')],
    writes: ['patch pods default/a'],
  },
  {
    does: 'releases a pod that the selector picks no more, and makes another',
    set: settledStatus(replicaSetOf(1), 1),
    pods: [podOf(set, 'a', { labels: { app: 'other' } })],
    writes: ['patch pods default/a', 'create pods default/web-1'],
    events: [created(1)],
  },
  {
    does: 'makes nothing for one that is being deleted',
    set: replicaSetOf(2, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    writes: [status],
  },
  {
    does: 'stops at the first refusal of a slow start, and says why',
    set: replicaSetOf(9),
    meanwhile: (bed) => bed.client.refuse(/create pods default\/web-[3-9]/, refusal(403, 'Forbidden', 'exceeded quota')),
    writes: ['create pods default/web-1', 'create pods default/web-2', 'create pods default/web-3', status],
    events: [created(1), created(2), 'Warning FailedCreate Error creating: exceeded quota'],
    error: 'exceeded quota',
  },
  {
    does: 'keeps quiet when the namespace ends',
    set: replicaSetOf(1),
    meanwhile: (bed) =>
      bed.client.refuse(/create pods/, refusal(403, 'Forbidden', 'it ends', { causes: [{ reason: 'NamespaceTerminating' }] })),
    writes: ['create pods default/web-1', status],
    error: 'it ends',
  },
  {
    does: 'is content when the pod to delete is gone already, and tells nobody of it',
    set: settledStatus(replicaSetOf(1), 1),
    pods: two,
    meanwhile: (bed) => bed.client.forget(pods, 'default/a'),
    writes: ['delete pods default/a'],
  },
  {
    does: 'comes back when another pod has the name of the one to delete',
    set: settledStatus(replicaSetOf(1), 1),
    pods: two,
    meanwhile: (bed) => void bed.put(pods, podOf(set, 'a', { more: { uid: 'another' } })),
    writes: ['delete pods default/a', status],
    error: 'the object "a" has been modified',
  },
  {
    does: 'says when a deletion fails',
    set: settledStatus(replicaSetOf(1), 1),
    pods: two,
    meanwhile: (bed) => bed.client.refuse(/delete pods/, refusal(500, 'InternalError', 'no')),
    writes: ['delete pods default/a', status],
    events: ['Warning FailedDelete Error deleting: no'],
    error: 'no',
  },
  {
    does: 'comes back when somebody else wrote the status first',
    set,
    pods: two,
    meanwhile: (bed) => void bed.put(replicaSets, { ...set, metadata: { ...set.metadata, annotations: { changed: 'yes' } } }),
    writes: [status],
    error: 'the object "web" has been modified',
  },
  {
    does: 'looks again when a ready pod will count as available',
    set: { ...set, spec: { ...set.spec, minReadySeconds: 10, selector: set.spec?.selector ?? {} } },
    pods: [podOf(set, 'a', { readyAt: -4 }), podOf(set, 'b', { readyAt: -7 })],
    writes: [status],
    requeueAfter: 3_000,
  },
];

describe('a ReplicaSet', () => {
  for (const { does, set: given, pods: there = [], meanwhile, ...expected } of cases) {
    test(does, async () => {
      const { bed, controller } = await start(given, ...there);
      await using _ = bed;
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, key), { writes: [], events: [], ...expected });
    });
  }

  test('tells in its status what could not be made, and what could not be deleted', async () => {
    for (const [given, verb, reason] of [
      [replicaSetOf(3), 'create', 'FailedCreate'],
      [replicaSetOf(0), 'delete', 'FailedDelete'],
    ] as const) {
      const { bed, controller } = await start(given, ...two);
      await using _ = bed;
      bed.client.refuse(new RegExp(`${verb} pods`), refusal(403, 'Forbidden', 'you may not'));
      await bed.pass(controller, key);
      const condition = bed.client.find(replicaSets, key)?.status?.conditions?.[0];
      assert.deepEqual([condition?.type, condition?.reason, condition?.message], ['ReplicaFailure', reason, 'you may not']);
    }
  });

  test('that is gone asks for nothing', async () => {
    await using bed = new TestBed();
    assert.deepEqual(await bed.pass(new ReplicaSetController(bed.context), key), { writes: [], events: [] });
  });

  test('is not served twice while the copies are old: expectations stand in for them', async () => {
    const { bed, controller } = await start(replicaSetOf(2));
    await using _ = bed;
    assert.equal((await bed.pass(controller, key)).writes.length, 3);
    // The copy of the set is old, too, so the status is tried again, and a conflict brings the key back.
    const again = await bed.pass(controller, key);
    assert.deepEqual(again.writes, [status]);
    await bed.deliver();
    assert.deepEqual((await bed.pass(controller, key)).writes, []);
  });

  test('does not miss a pod that it deleted while the copies are old', async () => {
    const { bed, controller } = await start(settledStatus(replicaSetOf(1), 1), ...two);
    await using _ = bed;
    assert.deepEqual((await bed.pass(controller, key)).writes, ['delete pods default/a']);
    assert.deepEqual((await bed.pass(controller, key)).writes, []);
  });

  test('does not take back what was orphaned on purpose while the copy of its owner is old', async () => {
    const { bed, controller } = await start(settledStatus(replicaSetOf(1), 1), podOf(undefined, 'a'));
    await using _ = bed;
    bed.client.forget(replicaSets, key);
    const { writes } = await bed.pass(controller, key);
    assert.ok(!writes.includes('patch pods default/a'), writes.join('\n'));
  });

  test('is looked at when one of its pods changes, when it loses one, and when an orphan appears that it might take', async () => {
    const { bed, controller } = await start(set, ...two);
    await using _ = bed;
    const news = bed.listen(controller);
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(pods, podOf(set, 'a', { phase: 'Failed' }));
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(pods, podOf(replicaSetOf(1, { name: 'other', uid: 'uid-other' }), 'b'));
    assert.deepEqual(await news.deliver(), ['default/other', key]);
    bed.put(pods, podOf(undefined, 'c'));
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(pods, podOf(undefined, 'd', { labels: { app: 'other' } }));
    assert.deepEqual(await news.deliver(), []);
    bed.client.forget(pods, 'default/a');
    assert.deepEqual(await news.deliver(), [key]);
  });
});

test('a ReplicationController selects by plain labels, and its pods are its own', async () => {
  await using bed = new TestBed();
  const rc: ReplicationController = {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: 'web', namespace: 'default', generation: 1 },
    spec: { replicas: 2, selector: { app: 'web' }, template },
  };
  bed.put(replicationControllers, rc);
  bed.put(pods, podOf(undefined, 'a'));
  const controller = new ReplicationControllerController(bed.context);
  await bed.deliver();
  const { writes } = await bed.pass(controller, key);
  assert.deepEqual(writes, ['patch pods default/a', 'create pods default/web-1', 'update replicationcontrollers/status default/web']);
  assert.equal(bed.client.find(pods, 'default/web-1')?.metadata.ownerReferences?.[0]?.kind, 'ReplicationController');
});
