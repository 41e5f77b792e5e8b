import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, deployments, type KubeObject, nodes, pods, type ResourceType, replicaSets } from '../../api/resource-types.ts';
import type { OwnerReference } from '../../api/schema/types.ts';
import type { DiscoveredResource } from '../../client/discovery.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { messageOf } from '../../errors/known-error.ts';
import { TestBed } from '../testing/test-bed.ts';
import { GarbageCollector } from './controller.ts';

const verbs = ['list', 'watch', 'delete'];
const discovered: readonly DiscoveredResource[] = [
  ...[deployments, replicaSets, pods, nodes].map((type) => ({ ...type, verbs })),
  // Not watched: its objects are asked for.
  { ...configMaps, verbs: ['list', 'delete'] },
];

/** A collector whose graph follows the bed. */
async function start(bed: TestBed): Promise<{ collector: GarbageCollector; news(): Promise<string[]> }> {
  bed.client.serves = discovered;
  const collector = new GarbageCollector(bed.context);
  const heard = bed.listen(collector);
  await new Promise((resolve) => setImmediate(resolve));
  return { collector, news: async () => [...new Set(await heard.deliver())] };
}

function put(bed: TestBed, type: ResourceType, name: string, more: Partial<KubeObject['metadata']> = {}): OwnerReference {
  const apiVersion = type.group ? `${type.group}/${type.version}` : type.version;
  const metadata = { name, ...(type.namespaced ? { namespace: 'default' } : {}), uid: `uid-${name}`, ...more };
  bed.put(type, { apiVersion, kind: type.kind, metadata });
  return { apiVersion, kind: type.kind, name, uid: `uid-${name}`, controller: true, blockOwnerDeletion: true };
}

const now = '2026-01-01T00:00:00Z';
const foreground = { deletionTimestamp: now, finalizers: ['foregroundDeletion'] };
const orphaning = { deletionTimestamp: now, finalizers: ['orphan'] };
const ghost: OwnerReference = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'gone', uid: 'uid-gone' };

interface Case {
  readonly does: string;
  /** Gives the uid to look at. */
  readonly given: (bed: TestBed) => string;
  readonly writes: readonly string[];
  /** Of the last request. */
  readonly body?: object;
  readonly error?: string;
}

const cases: readonly Case[] = [
  {
    does: 'deletes what its owner left behind, of the version that was judged',
    given: (bed) => put(bed, pods, 'a', { ownerReferences: [ghost] }).uid,
    writes: ['delete pods default/a'],
    body: { namespace: 'default', preconditions: { uid: 'uid-a', resourceVersion: '2' }, propagationPolicy: 'Background' },
  },
  {
    does: 'keeps what has its owner',
    given: (bed) => put(bed, pods, 'a', { ownerReferences: [put(bed, replicaSets, 'web')] }).uid,
    writes: [],
  },
  {
    does: 'lets go of an owner that is gone while another is there',
    given: (bed) => put(bed, pods, 'a', { ownerReferences: [ghost, put(bed, replicaSets, 'web')] }).uid,
    writes: ['patch pods default/a'],
  },
  {
    does: 'takes an owner that came again under its name for another one',
    given: (bed) => {
      put(bed, replicaSets, 'gone', { uid: 'uid-new' });
      return put(bed, pods, 'a', { ownerReferences: [ghost] }).uid;
    },
    writes: ['delete pods default/a'],
  },
  {
    does: 'asks for an owner of a kind that is not watched',
    given: (bed) => put(bed, pods, 'a', { ownerReferences: [put(bed, configMaps, 'settings')] }).uid,
    writes: [],
  },
  {
    does: 'deletes nothing on the word of a kind that nobody knows',
    given: (bed) => put(bed, pods, 'a', { ownerReferences: [{ ...ghost, kind: 'Wheel' }] }).uid,
    writes: [],
  },
  {
    does: 'counts an owner of another namespace as absent',
    given: (bed) => put(bed, pods, 'a', { ownerReferences: [put(bed, replicaSets, 'web', { namespace: 'other' })] }).uid,
    writes: ['delete pods default/a'],
  },
  {
    does: 'deletes nothing of no namespace for an owner that has one',
    given: (bed) => put(bed, nodes, 'n1', { ownerReferences: [ghost] }).uid,
    writes: [],
  },
  {
    does: 'deletes a dependent of an owner that is deleted in the foreground, itself in the foreground when it has dependents',
    given: (bed) => {
      const owner = put(bed, deployments, 'web', foreground);
      const set = put(bed, replicaSets, 'web-1', { ownerReferences: [owner] });
      put(bed, pods, 'a', { ownerReferences: [set] });
      return set.uid;
    },
    writes: ['delete replicasets default/web-1'],
    body: { namespace: 'default', preconditions: { uid: 'uid-web-1', resourceVersion: '3' }, propagationPolicy: 'Foreground' },
  },
  {
    does: 'frees owners that own each other first, since they would wait for ever',
    given: (bed) => {
      const [one, other] = [
        { ...ghost, name: 'one', uid: 'uid-one' },
        { ...ghost, name: 'other', uid: 'uid-other' },
      ];
      put(bed, replicaSets, 'one', { ...foreground, ownerReferences: [other] });
      return put(bed, replicaSets, 'other', { ownerReferences: [one] }).uid;
    },
    writes: ['patch replicasets default/other', 'delete replicasets default/other'],
    body: { namespace: 'default', preconditions: { uid: 'uid-other', resourceVersion: '4' }, propagationPolicy: 'Foreground' },
  },
  {
    does: 'leaves an owner in the foreground while a dependent blocks it',
    given: (bed) => {
      const owner = put(bed, deployments, 'web', foreground);
      put(bed, replicaSets, 'web-1', { ownerReferences: [owner] });
      return owner.uid;
    },
    writes: [],
  },
  {
    does: 'lets an owner in the foreground go once nothing blocks it',
    given: (bed) => {
      const owner = put(bed, deployments, 'web', foreground);
      put(bed, replicaSets, 'web-1', { ownerReferences: [{ ...owner, blockOwnerDeletion: false }] });
      return owner.uid;
    },
    writes: ['patch deployments default/web'],
    body: { metadata: { uid: 'uid-web', resourceVersion: '2', finalizers: null } },
  },
  {
    does: 'makes orphans of the dependents before their owner goes',
    given: (bed) => {
      const owner = put(bed, deployments, 'web', { ...orphaning, finalizers: ['orphan', 'example.com/mine'] });
      put(bed, replicaSets, 'web-1', { ownerReferences: [owner] });
      return owner.uid;
    },
    writes: ['patch replicasets default/web-1', 'patch deployments default/web'],
    body: { metadata: { uid: 'uid-web', resourceVersion: '2', finalizers: ['example.com/mine'] } },
  },
  {
    does: 'comes back when the object has changed meanwhile, were it only its status, which is no news to the graph',
    given: (bed) => {
      bed.client.refuse(/patch deployments/, refusal(409, 'Conflict', 'the object has been modified'));
      return put(bed, deployments, 'web', orphaning).uid;
    },
    writes: ['patch deployments default/web'],
    error: 'the object has been modified',
  },
  {
    does: 'is content when the object is gone already',
    given: (bed) => {
      bed.client.refuse(/delete pods/, refusal(404, 'NotFound'));
      return put(bed, pods, 'a', { ownerReferences: [ghost] }).uid;
    },
    writes: ['delete pods default/a'],
  },
  { does: 'does nothing for a uid that nothing has', given: () => 'uid-nobody', writes: [] },
];
for (const { does, given, writes, body, error } of cases)
  test(`garbage collector ${does}`, async () => {
    await using bed = new TestBed();
    const uid = given(bed);
    const { collector, news } = await start(bed);
    await news();
    const outcome = await collector.reconcile(uid).then(() => undefined, messageOf);
    assert.deepEqual(
      bed.client.writes.map(({ line }) => line),
      writes,
    );
    assert.equal(outcome, error);
    if (body) assert.deepEqual(JSON.parse(bed.client.writes.at(-1)?.json ?? ''), body);
  });

test('garbage collector looks at dependents when their owner goes, and at an owner that waits when a dependent does', async () => {
  await using bed = new TestBed();
  const owner = put(bed, deployments, 'web');
  put(bed, replicaSets, 'web-1', { ownerReferences: [owner] });
  put(bed, pods, 'free');
  const { news } = await start(bed);
  assert.deepEqual(await news(), ['uid-web-1']);
  put(bed, deployments, 'web', { labels: { a: 'b' } });
  assert.deepEqual(await news(), []);
  put(bed, deployments, 'web', foreground);
  assert.deepEqual((await news()).toSorted(), ['uid-web', 'uid-web-1']);
  bed.client.forget(replicaSets, 'default/web-1');
  assert.deepEqual(await news(), ['uid-web']);
  put(bed, replicaSets, 'web-2', { ownerReferences: [owner] });
  await news();
  bed.client.forget(deployments, 'default/web');
  assert.deepEqual(await news(), ['uid-web-2']);
});

test('garbage collector looks again at what has an owner of a kind that is defined later', async () => {
  await using bed = new TestBed();
  const widgets: ResourceType = { group: 'example.com', version: 'v1', kind: 'Widget', resource: 'widgets', namespaced: true };
  const owner: OwnerReference = { apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid: 'uid-w' };
  put(bed, pods, 'a', { ownerReferences: [owner] });
  const { collector, news } = await start(bed);
  await news();
  await collector.reconcile('uid-a');
  await bed.clock.advance(30_000);
  assert.deepEqual([bed.client.writes.length, await news()], [0, []]);
  bed.client.serves = [...discovered, { ...widgets, verbs }];
  await bed.clock.advance(30_000);
  assert.deepEqual(await news(), ['uid-a']);
  await collector.reconcile('uid-a');
  assert.deepEqual(
    bed.client.writes.map(({ line }) => line),
    ['delete pods default/a'],
  );
});
