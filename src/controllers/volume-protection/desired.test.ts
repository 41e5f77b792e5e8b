import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolumeClaim, Pod } from '../../api/schema/types.ts';
import { claimsOf, isClaimInUse, isClassInUse, stepOf } from './desired.ts';

const claim = (name: string, metadata: object = {}, rest: object = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default', ...metadata },
  ...rest,
});
const pod = (spec: object, phase: string = 'Running'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'u' },
  spec: { nodeName: 'n', containers: [], ...spec },
  status: { phase },
});
const named = { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] };
const own = { volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: {} } } }] };
const owned = { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'u' }] };

test('claimsOf() names what the pod names, and what is made for it', () => {
  assert.deepEqual([claimsOf(pod(named)), claimsOf(pod(own)), claimsOf(pod({}))], [['data'], ['web-v'], []]);
});

const uses: readonly [what: string, claim: PersistentVolumeClaim, pod: Pod, wanted: boolean][] = [
  ['a pod that runs', claim('data'), pod(named), true],
  ['a pod that has ended and is still there', claim('data'), pod(named, 'Succeeded'), true],
  ['a pod that has no node yet', claim('data'), pod({ ...named, nodeName: undefined }), false],
  ['a pod with another claim', claim('other'), pod(named), false],
  ['the pod that it was made for', claim('web-v', owned), pod(own), true],
  ['the pod that it was made for, which has ended', claim('web-v', owned), pod(own, 'Failed'), false],
  ['a pod for which it was not made, though it is named so', claim('web-v'), pod(own), false],
];
for (const [what, object, user, wanted] of uses) {
  test(`isClaimInUse() is ${wanted} for ${what}`, () => assert.equal(isClaimInUse(object, [user]), wanted));
}

test('isClassInUse() looks at what claims and volumes want, have and are changed to', () => {
  const object = { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttributesClass', metadata: { name: 'gold' }, driverName: 'd' };
  const volume = { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v' }, spec: { volumeAttributesClassName: 'gold' } };
  const claims = [
    { spec: { volumeAttributesClassName: 'gold' } },
    { status: { currentVolumeAttributesClassName: 'gold' } },
    { status: { modifyVolumeStatus: { targetVolumeAttributesClassName: 'gold', status: 'Pending' } } },
  ];
  for (const rest of claims) assert.equal(isClassInUse(object, [claim('c', {}, rest)], []), true, JSON.stringify(rest));
  assert.equal(isClassInUse(object, [], [volume]), true);
  assert.equal(isClassInUse(object, [claim('c', {}, { spec: { volumeAttributesClassName: 'silver' } })], []), false);
});

test('stepOf() protects what stays, and looks at what goes', () => {
  const finalizer = 'kubernetes.io/pvc-protection';
  const gone = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  assert.equal(stepOf(claim('c'), finalizer), 'protect');
  assert.equal(stepOf(claim('c', { finalizers: [finalizer] }), finalizer), 'keep');
  assert.equal(stepOf(claim('c', { finalizers: [finalizer, 'a/b'], ...gone }), finalizer), 'release if unused');
  assert.equal(stepOf(claim('c', { finalizers: ['a/b'], ...gone }), finalizer), 'keep');
});
