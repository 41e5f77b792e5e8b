import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pods, replicaSets } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { podOf, replicaSetOf, webSelector } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { Dependents } from './dependents.ts';
import { controllerRef } from './owner.ts';

const owner = replicaSetOf(1);
const selector = labelSelectorOf(webSelector);
const finalizer = 'example.com/counted';

async function start(there: readonly Pod[], options: { finalizer?: string } = {}): Promise<{ bed: TestBed; dependents: Dependents<Pod> }> {
  const bed = new TestBed();
  bed.put(replicaSets, owner);
  for (const pod of there) bed.put(pods, pod);
  const dependents = new Dependents(bed.context, pods, replicaSets, options.finalizer);
  await bed.deliver();
  return { bed, dependents };
}

const names = (some: readonly Pod[]): string[] => some.map(({ metadata }) => metadata.name);
const bodies = (bed: TestBed): Record<string, never>[] => bed.client.writes.map(({ json }) => JSON.parse(json));

describe('claim()', () => {
  test('gives what the owner has, adopts what it may take, and leaves the rest to others', async () => {
    const other = replicaSetOf(1, { name: 'other', uid: 'uid-other' });
    const there = [podOf(owner, 'own'), podOf(undefined, 'orphan'), podOf(other, 'theirs'), podOf(undefined, 'unfit', { labels: {} })];
    const { bed, dependents } = await start(there);
    await using _ = bed;
    assert.deepEqual(names(await dependents.claim(owner, selector)), ['own', 'orphan']);
    assert.deepEqual(bodies(bed), [{ metadata: { uid: 'uid-orphan', ownerReferences: [controllerRef(owner)] } }]);
    bed.client.took();
    assert.deepEqual(names(await dependents.claim(owner, selector)), ['own', 'orphan']);
    assert.deepEqual(bed.client.took(), [], 'the copy is old, but what was adopted is expected');
  });

  test('keeps the other owners of what it adopts and releases, and its finalizers', async () => {
    const friend = { apiVersion: 'v1', kind: 'ConfigMap', name: 'friend', uid: 'friend' };
    const orphan = podOf(undefined, 'orphan', { more: { ownerReferences: [friend], finalizers: ['example.com/other'] } });
    const lost = podOf(undefined, 'lost', {
      labels: {},
      more: { ownerReferences: [friend, controllerRef(owner)], finalizers: ['example.com/other', finalizer] },
    });
    const { bed, dependents } = await start([orphan, lost], { finalizer });
    await using _ = bed;
    assert.deepEqual(names(await dependents.claim(owner, selector)), ['orphan']);
    const [adopted, released] = [bed.client.find(pods, 'default/orphan'), bed.client.find(pods, 'default/lost')];
    assert.deepEqual(adopted?.metadata.ownerReferences, [friend, controllerRef(owner)]);
    assert.deepEqual(adopted?.metadata.finalizers, ['example.com/other', finalizer]);
    assert.deepEqual([released?.metadata.ownerReferences, released?.metadata.finalizers], [[friend], ['example.com/other']]);
  });

  test('leaves no empty list of owners on what it releases', async () => {
    const { bed, dependents } = await start([podOf(owner, 'lost', { labels: {} })]);
    await using _ = bed;
    assert.deepEqual(await dependents.claim(owner, selector), []);
    assert.deepEqual(bodies(bed), [{ metadata: { uid: 'uid-lost', ownerReferences: null } }]);
  });

  test('neither adopts nor releases what is being deleted, and adopts nothing for an owner that is', async () => {
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    const leaving = { more: { deletionTimestamp } };
    const { bed, dependents } = await start([
      podOf(undefined, 'a', leaving),
      podOf(owner, 'b', { ...leaving, labels: {} }),
      podOf(undefined, 'c'),
    ]);
    await using _ = bed;
    const ending = replicaSetOf(1, { deletionTimestamp });
    assert.deepEqual(names(await dependents.claim(ending, selector)), ['b']);
    assert.deepEqual(bed.client.took(), []);
  });

  const changes: readonly { when: string; change: (bed: TestBed) => void }[] = [
    { when: 'is gone', change: (bed) => bed.client.forget(replicaSets, 'default/web') },
    { when: 'is another one by now', change: (bed) => void bed.put(replicaSets, replicaSetOf(1, { uid: 'another' })) },
    {
      when: 'is being deleted by now',
      change: (bed) => void bed.put(replicaSets, replicaSetOf(1, { deletionTimestamp: '2026-01-01T00:00:00Z' })),
    },
  ];
  for (const { when, change } of changes) {
    test(`adopts nothing when the owner ${when}, whatever its copy says`, async () => {
      const { bed, dependents } = await start([podOf(undefined, 'orphan')]);
      await using _ = bed;
      change(bed);
      assert.deepEqual(await dependents.claim(owner, selector), []);
      assert.deepEqual(bed.client.took(), []);
    });
  }

  test('asks for the owner only when there is something to adopt', async () => {
    const { bed, dependents } = await start([podOf(owner, 'own')]);
    await using _ = bed;
    await dependents.claim(owner, selector);
    assert.deepEqual(bed.client.reads, []);
  });

  test('goes on when what it adopts or releases is gone meanwhile, but not over a conflict', async () => {
    const { bed, dependents } = await start([podOf(undefined, 'orphan'), podOf(owner, 'lost', { labels: {} }), podOf(owner, 'own')]);
    await using _ = bed;
    for (const key of ['default/orphan', 'default/lost']) bed.client.forget(pods, key);
    assert.deepEqual(names(await dependents.claim(owner, selector)), ['own']);
    assert.deepEqual(names(await dependents.claim(owner, selector)), ['own']);
    assert.equal(bed.client.took().length, 2, 'what is gone is not asked for again');
  });

  test('throws when an orphan’s name is another one’s by now, and lets a release that makes no sense any more pass', async () => {
    const { bed, dependents } = await start([podOf(undefined, 'orphan'), podOf(owner, 'lost', { labels: {} })]);
    await using _ = bed;
    bed.client.refuse(/patch pods default\/lost/, refusal(422, 'Invalid'), 1);
    bed.client.refuse(/patch pods default\/orphan/, refusal(409, 'Conflict', 'another uid'), 1);
    await assert.rejects(dependents.claim(owner, selector), /another uid/);
    assert.deepEqual(names(await dependents.claim(owner, selector)), ['orphan']);
  });
});

describe('delete()', () => {
  test('names the uid, and gives the object while it lives on', async () => {
    const { bed, dependents } = await start([podOf(owner, 'a', { node: 'n1' })]);
    await using _ = bed;
    const { found, left } = await dependents.delete(podOf(owner, 'a'), { propagationPolicy: 'Background' });
    assert.ok(found && left?.metadata.deletionTimestamp);
    assert.deepEqual(bodies(bed), [{ namespace: 'default', preconditions: { uid: 'uid-a' }, propagationPolicy: 'Background' }]);
    assert.ok(dependents.in('default')[0]?.metadata.deletionTimestamp, 'the copy is old, but the deletion is expected');
  });

  test('gives nothing for what is gone at once, or was before', async () => {
    const { bed, dependents } = await start([podOf(owner, 'a'), podOf(owner, 'b')]);
    await using _ = bed;
    bed.client.forget(pods, 'default/b');
    for (const name of ['a', 'b']) assert.deepEqual(await dependents.delete(podOf(owner, name)), { found: name === 'a' });
    assert.deepEqual(dependents.in('default'), []);
  });

  test('throws when another object has the name, and any other refusal', async () => {
    const { bed, dependents } = await start([podOf(owner, 'a')]);
    await using _ = bed;
    await assert.rejects(dependents.delete(podOf(owner, 'a', { more: { uid: 'another' } })), /has been modified/);
    bed.client.refuse(/delete/, refusal(403, 'Forbidden', 'you may not'));
    await assert.rejects(dependents.delete(podOf(owner, 'a')), /you may not/);
    assert.deepEqual(names(dependents.in('default')), ['a']);
  });
});

test('in() shows one namespace, with what was made and changed there and the informer has not shown', async () => {
  const { bed, dependents } = await start([podOf(owner, 'a')]);
  await using _ = bed;
  await dependents.create(podOf(owner, 'b'));
  await dependents.create(podOf(owner, 'c', { more: { namespace: 'other' } }));
  await dependents.update(podOf(owner, 'a', { labels: { changed: 'yes' } }));
  assert.deepEqual(
    dependents.in('default').map(({ metadata }) => [metadata.name, metadata.labels]),
    [
      ['a', { changed: 'yes' }],
      ['b', { app: 'web' }],
    ],
  );
  assert.equal(dependents.get('other/c')?.metadata.name, 'c');
  dependents.expectGone(podOf(owner, 'b', { more: { uid: dependents.get('default/b')?.metadata.uid } }));
  assert.deepEqual(names(dependents.in('default')), ['a']);
});
