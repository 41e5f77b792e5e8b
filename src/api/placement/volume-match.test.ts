import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../schema/types.ts';
import { boundByController, defaultClassOf, isKeptFor, volumeBoundTo } from './volume-claim.ts';
import { byFewestModes, findMatch, mismatchOf } from './volume-match.ts';

const once = ['ReadWriteOnce'];
const claim = (spec: object = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data', namespace: 'default', uid: 'u' },
  spec: { accessModes: once, resources: { requests: { storage: '5Gi' } }, ...spec },
});
const volume = (name: string, spec: object = {}, more: object = {}): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, ...more },
  spec: { accessModes: once, capacity: { storage: '5Gi' }, ...spec },
  status: { phase: 'Available' },
});
const on = (host: string): object => ({
  nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'host', operator: 'In', values: [host] }] }] } },
});
const w1 = { name: 'w1', labels: { host: 'w1' } };
const own = { name: 'data', namespace: 'default' };

describe('findMatch()', () => {
  const cases: [does: string, wanted: string | undefined, found: PersistentVolume | undefined][] = [
    [
      'takes the smallest that is large enough',
      'b',
      findMatch(claim(), [
        volume('a', { capacity: { storage: '10Gi' } }),
        volume('b', { capacity: { storage: '6Gi' } }),
        volume('c', { capacity: { storage: '4Gi' } }),
      ]),
    ],
    ['takes the first of those that are equal', 'a', findMatch(claim(), [volume('a'), volume('b')])],
    [
      'takes one that is kept for it before a smaller one',
      'b',
      findMatch(claim(), [volume('a'), volume('b', { capacity: { storage: '9Gi' }, claimRef: own })]),
    ],
    ['takes one that is kept for it whatever its class', 'a', findMatch(claim(), [volume('a', { claimRef: own, storageClassName: 'x' })])],
    [
      'leaves one that is kept for it and too small',
      undefined,
      findMatch(claim(), [volume('a', { claimRef: own, capacity: { storage: '1Gi' } })]),
    ],
    ['leaves one of another claim', undefined, findMatch(claim(), [volume('a', { claimRef: { ...own, uid: 'older' } })])],
    ['leaves one that goes', undefined, findMatch(claim(), [volume('a', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })])],
    ['leaves one that is not Available', undefined, findMatch(claim(), [{ ...volume('a'), status: { phase: 'Released' } }])],
    ['leaves one of another class', undefined, findMatch(claim(), [volume('a', { storageClassName: 'x' })])],
    ['takes one of its class', 'a', findMatch(claim({ storageClassName: 'x' }), [volume('a', { storageClassName: 'x' })])],
    ['leaves one without its access modes', undefined, findMatch(claim({ accessModes: ['ReadWriteMany'] }), [volume('a')])],
    ['leaves one of another volumeMode', undefined, findMatch(claim(), [volume('a', { volumeMode: 'Block' })])],
    ['leaves one of other attributes', undefined, findMatch(claim(), [volume('a', { volumeAttributesClassName: 'gold' })])],
    [
      'takes what its selector picks',
      'b',
      findMatch(claim({ selector: { matchLabels: { a: 'b' } } }), [volume('a'), volume('b', {}, { labels: { a: 'b' } })]),
    ],
    ['leaves one that the node does not reach', 'b', findMatch(claim(), [volume('a', on('w2')), volume('b', on('w1'))], { node: w1 })],
    [
      'gives none when what is kept for it is elsewhere',
      undefined,
      findMatch(claim(), [volume('a', { claimRef: own, ...on('w2') }), volume('b')], { node: w1 }),
    ],
    ['leaves one that is taken', 'b', findMatch(claim(), [volume('a'), volume('b')], { taken: new Set(['a']) })],
    ['gives a claim that waits none without a node', undefined, findMatch(claim(), [volume('a')], { waits: true })],
    ['gives a claim that waits what is kept for it', 'a', findMatch(claim(), [volume('a', { claimRef: own })], { waits: true })],
    ['gives a claim that waits one on a node', 'a', findMatch(claim(), [volume('a')], { waits: true, node: w1 })],
  ];
  for (const [does, wanted, found] of cases) test(does, () => assert.equal(found?.metadata.name, wanted));
});

test('mismatchOf() says the first that is wrong', () => {
  const why = (spec: object, more: object = {}): string | undefined => mismatchOf(volume('a', spec, more), claim());
  assert.equal(why({}), undefined);
  assert.equal(why({}, { deletionTimestamp: 'x' }), 'the volume is marked for deletion "a"');
  assert.equal(why({ capacity: { storage: '4Gi' } }), 'requested PV is too small');
  assert.equal(why({ storageClassName: 'x' }), 'storageClassName does not match');
  assert.equal(why({ volumeAttributesClassName: 'x' }), 'volumeAttributesClassName does not match');
  assert.equal(why({ volumeMode: 'Block' }), 'incompatible volumeMode');
  assert.equal(why({ accessModes: ['ReadOnlyMany'] }), 'incompatible accessMode');
});

test('byFewestModes() puts what can do more at the end', () => {
  const more = volume('more', { accessModes: ['ReadWriteMany', 'ReadWriteOnce'] });
  assert.deepEqual(byFewestModes([more, volume('a'), volume('b')]), [[volume('a'), volume('b')], [more]]);
});

test('isKeptFor() takes a name without a uid, and no other uid', () => {
  const kept = (claimRef: object | undefined): boolean => isKeptFor(volume('a', { claimRef }), claim());
  assert.deepEqual(
    [
      kept(own),
      kept({ ...own, uid: 'u' }),
      kept({ ...own, uid: 'v' }),
      kept({ ...own, name: 'x' }),
      kept({ ...own, namespace: 'x' }),
      kept(undefined),
    ],
    [true, true, false, false, false, false],
  );
});

test('volumeBoundTo() marks what nobody wished for, and leaves alone what is written', () => {
  const ref = { ...own, uid: 'u' };
  const bound = volumeBoundTo(volume('a'), claim(), ref);
  assert.deepEqual([bound.spec?.claimRef, bound.metadata.annotations], [ref, { [boundByController]: 'yes' }]);
  assert.equal(volumeBoundTo(bound, claim(), ref), bound);
  const wished = volumeBoundTo(volume('a', { claimRef: own }), claim(), ref);
  assert.deepEqual([wished.spec?.claimRef, wished.metadata.annotations], [ref, undefined]);
});

test('defaultClassOf() takes the newest, and of one second the first', () => {
  const one = (name: string, second: number, key = 'storageclass.kubernetes.io/is-default-class', value = 'true'): StorageClass => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, creationTimestamp: `2026-01-01T00:00:0${second}Z`, annotations: { [key]: value } },
    provisioner: 'p',
  });
  const chosen = (...classes: StorageClass[]): string | undefined => defaultClassOf(classes)?.metadata.name;
  assert.equal(chosen(one('a', 1), one('b', 2), one('c', 3, 'other')), 'b');
  assert.equal(chosen(one('b', 1), one('a', 1)), 'a');
  assert.equal(chosen(one('a', 1, 'storageclass.beta.kubernetes.io/is-default-class')), 'a');
  assert.equal(chosen(one('a', 1, undefined, 'false')), undefined);
});
