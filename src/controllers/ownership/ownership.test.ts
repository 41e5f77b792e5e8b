import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { replicaSets } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { FakeCluster } from '../../client/testing/fake-cluster.ts';
import { podOf, replicaSetOf, template } from '../testing/samples.ts';
import { controllerOf, controllerRef } from './owner.ts';
import { ownersOf } from './owners-of.ts';
import { podsAfter } from './pod-control.ts';
import { podFromTemplate } from './pod-from-template.ts';
import { availableIn, isActive, isOver, isReady, readySince } from './pod-state.ts';
import { canonical, templateHash } from './template-hash.ts';

const midnight = Date.UTC(2026, 0, 1);

describe('the state of a pod', () => {
  const cases: readonly { phase: string; deleted?: boolean; over: boolean; active: boolean }[] = [
    { phase: 'Pending', over: false, active: true },
    { phase: 'Running', over: false, active: true },
    { phase: 'Succeeded', over: true, active: false },
    { phase: 'Failed', over: true, active: false },
    { phase: 'Running', deleted: true, over: false, active: false },
  ];
  for (const { phase, deleted = false, over, active } of cases) {
    test(`${phase}${deleted ? ', being deleted' : ''}`, () => {
      const pod = podOf(undefined, 'a', { phase, more: deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {} });
      assert.deepEqual([isOver(pod), isActive(pod)], [over, active]);
    });
  }

  test('it is ready by its condition, and available so many seconds later', () => {
    const ready = podOf(undefined, 'a', { readyAt: -4 });
    const unready: Pod = {
      ...ready,
      status: {
        conditions: [
          { type: 'Ready', status: 'False' },
          { type: 'Initialized', status: 'True' },
        ],
      },
    };
    assert.deepEqual([isReady(ready), readySince(ready)], [true, midnight - 4_000]);
    assert.deepEqual([isReady(unready), readySince(unready), availableIn(unready, 0, midnight)], [false, undefined, undefined]);
    assert.deepEqual(
      [4, 5, 0].map((seconds) => availableIn(ready, seconds, midnight)),
      [0, 1_000, 0],
    );
  });
});

test('a pod of a template has its owner’s name as a prefix, and what the template says', () => {
  const owner = replicaSetOf(1);
  const more = { ...template, metadata: { labels: { app: 'web' }, annotations: { note: 'yes' }, finalizers: ['example.com/f'] } };
  assert.deepEqual(podFromTemplate(more, owner), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: '',
      generateName: 'web-',
      namespace: 'default',
      labels: { app: 'web' },
      annotations: { note: 'yes' },
      finalizers: ['example.com/f'],
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'uid-web', controller: true, blockOwnerDeletion: true },
      ],
    },
    spec: template.spec,
  });
});

test('of several owners the one that controls counts', () => {
  const friend = { apiVersion: 'v1', kind: 'ConfigMap', name: 'friend', uid: 'friend' };
  const ref = controllerRef(replicaSetOf(1));
  assert.equal(controllerOf({ ownerReferences: [friend, ref] }), ref);
  assert.equal(controllerOf({ ownerReferences: [friend] }), undefined);
  assert.equal(controllerOf({}), undefined);
});

test('news concerns the owner of that kind, or those of the namespace whose selector picks an orphan', async () => {
  await using cluster = new FakeCluster();
  const owners = cluster.informers.of(replicaSets);
  cluster.put(replicaSets, replicaSetOf(1));
  cluster.put(replicaSets, replicaSetOf(1, { name: 'elsewhere', namespace: 'other' }));
  await cluster.deliver();
  const keys = (pod: Pod): string[] => ownersOf(owners, ({ spec }) => labelSelectorOf(spec?.selector ?? {}), pod);
  assert.deepEqual(keys(podOf(replicaSetOf(1, { name: 'unknown' }), 'a')), ['default/unknown']);
  assert.deepEqual(keys(podOf({ ...replicaSetOf(1), kind: 'Job' }, 'a')), []);
  assert.deepEqual(keys(podOf(undefined, 'a')), ['default/web']);
  assert.deepEqual(keys(podOf(undefined, 'a', { labels: { app: 'x' } })), []);
});

test('podsAfter() puts each change in the place of what it changed, and what was made at the end', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => podOf(undefined, name)) as [Pod, Pod, Pod, Pod];
  const leaving = podOf(undefined, 'b', { more: { deletionTimestamp: '2026-01-01T00:00:00Z' } });
  const changes = [
    { before: b, after: leaving },
    { before: c, after: undefined },
    { before: undefined, after: d },
    { before: undefined, after: undefined },
  ];
  assert.deepEqual(podsAfter([a, b, c], changes), [a, leaving, d]);
});

describe('the hash of a template', () => {
  test('is the same for the same content in another order, and for what is absent', () => {
    assert.equal(templateHash({ a: 1, b: [{ c: null, d: 'x' }] }), templateHash({ b: [{ d: 'x' }], a: 1, e: undefined }));
    assert.equal(canonical({ b: [1, 'x', true], a: { d: undefined, c: null } }), '{"a":{},"b":[1,"x",true]}');
    assert.equal(canonical(undefined), 'null');
  });

  test('is another one for other content, and after a collision', () => {
    const hashes = [templateHash(template), templateHash({ ...template, spec: { containers: [] } }), templateHash(template, 1)];
    assert.equal(new Set(hashes).size, 3);
    assert.equal(templateHash(template, 0), templateHash(template));
  });

  test('spells no word: it has no vowels, and nothing that looks like another', () => {
    for (let i = 0; i < 200; i++) assert.match(templateHash({ i }), /^[bcdfghjklmnpqrstvwxz2456789]+$/);
    // The names of ReplicaSets must stay the same from one release to the next.
    assert.equal(templateHash({ spec: { containers: [{ name: 'c', image: 'i' }] } }), '677c74d6dd');
  });
});
