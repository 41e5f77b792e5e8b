import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { DeleteOptions, ObjectMeta } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { LooseObject } from '../cache/cached-object.ts';
import { isStatusError } from '../status/status-error.ts';
import { checkPreconditions, deletion, endsDeletion } from './delete.ts';

const registry = new Registry();
const maps = registry.rowOf('', 'v1', 'configmaps')!;
const pods = registry.rowOf('', 'v1', 'pods')!;
const namespaces = registry.rowOf('', 'v1', 'namespaces')!;
const jobs = registry.rowOf('batch', 'v1', 'jobs')!;
const clock = { now: () => Date.parse('2026-01-01T00:01:00Z') } as Clock;
const object = (metadata: Partial<ObjectMeta> = {}, rest: object = {}): LooseObject =>
  ({
    apiVersion: 'v1',
    kind: 'Any',
    metadata: { name: 'a', uid: 'u', resourceVersion: '7', generation: 3, ...metadata },
    ...rest,
  }) as LooseObject;
const scheduled = { spec: { nodeName: 'n', terminationGracePeriodSeconds: 30 } };

describe('deletion()', () => {
  const removed: Readonly<Record<string, readonly [LooseObject, DeleteOptions]>> = {
    'an object that nothing holds': [object(), {}],
    'one whose dependents follow it': [object(), { propagationPolicy: 'Background' }],
    'one whose dependents are not to be orphaned': [object(), { orphanDependents: false }],
    'one that was to wait for its dependents, and is not any more': [
      object({ finalizers: ['foregroundDeletion'] }),
      { propagationPolicy: 'Background' },
    ],
  };
  for (const [what, [one, options]] of Object.entries(removed))
    test(`removes ${what}`, () => assert.deepEqual(deletion(maps, one, options, clock), { kind: 'delete' }));

  const held: Readonly<Record<string, readonly [string[], DeleteOptions, string[]]>> = {
    'what has a finalizer': [['x/y'], {}, ['x/y']],
    'what orphans its dependents': [[], { propagationPolicy: 'Orphan' }, ['orphan']],
    'what orphans them by the older field': [[], { orphanDependents: true }, ['orphan']],
    'what waits for its dependents': [['x/y'], { propagationPolicy: 'Foreground' }, ['x/y', 'foregroundDeletion']],
    'what orphans instead of waiting': [['foregroundDeletion'], { propagationPolicy: 'Orphan' }, ['orphan']],
    'what was told before to orphan': [['orphan'], {}, ['orphan']],
    'what was told before to wait': [['foregroundDeletion'], {}, ['foregroundDeletion']],
  };
  for (const [what, [finalizers, options, after]] of Object.entries(held))
    test(`only marks ${what}`, () => {
      const change = deletion(maps, object({ finalizers }), options, clock);
      assert.equal(change.kind, 'put');
      const { metadata } = (change as { object: KubeObject }).object;
      assert.deepEqual(
        [metadata.finalizers, metadata.deletionTimestamp, metadata.deletionGracePeriodSeconds, metadata.generation],
        [after, '2026-01-01T00:01:00Z', 0, 4],
      );
    });

  test('orphans the pods of a Job that says nothing else, as upstream', () => {
    const change = deletion(jobs, object(), {}, clock) as { object: KubeObject };
    assert.deepEqual(change.object.metadata.finalizers, ['orphan']);
  });

  test('changes nothing for a second one that asks for no more', () => {
    const one = object({ finalizers: ['x/y'] });
    assert.equal(deletion(maps, one, {}, clock).kind, 'put');
    assert.deepEqual(deletion(maps, one, {}, clock), { kind: 'keep' });
  });

  test('makes a namespace Terminating, and nothing else', () => {
    for (const [row, status] of [
      [namespaces, { phase: 'Terminating' }],
      [maps, { phase: 'Active' }],
    ] as const) {
      const one = object({ finalizers: ['x/y'] }, { status: { phase: 'Active' } });
      assert.deepEqual(deletion(row, one, {}, clock), { kind: 'put', object: one });
      assert.deepEqual(one.status, status);
    }
  });

  test('gives a pod on a node its grace, which a second deletion shortens and never lengthens', () => {
    const pod = object({}, scheduled);
    const grace = (gracePeriodSeconds?: number): unknown[] => {
      const { kind } = deletion(pods, pod, gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }, clock);
      return [kind, pod.metadata.deletionGracePeriodSeconds, pod.metadata.deletionTimestamp, pod.metadata.generation];
    };
    assert.deepEqual(grace(), ['put', 30, '2026-01-01T00:01:30Z', 4]);
    assert.deepEqual(grace(), ['keep', 30, '2026-01-01T00:01:30Z', 4]);
    assert.deepEqual(grace(60), ['keep', 30, '2026-01-01T00:01:30Z', 4]);
    assert.deepEqual(grace(10), ['put', 10, '2026-01-01T00:01:10Z', 4]);
    assert.equal(deletion(pods, pod, { gracePeriodSeconds: 0 }, clock).kind, 'delete');
  });

  test('takes -1 for a grace that is not given, and what is less than a second for none at all', () => {
    for (const [given, grace] of [
      [-1, 30],
      [5, 5],
      [1, 1],
    ] as const) {
      const pod = object({}, scheduled);
      assert.equal(deletion(pods, pod, { gracePeriodSeconds: given }, clock).kind, 'put');
      assert.equal(pod.metadata.deletionGracePeriodSeconds, grace);
    }
  });

  test('removes at once what was marked without a grace when nothing holds it any more', () => {
    const pod = object({ deletionTimestamp: '2026-01-01T00:00:00Z' }, scheduled);
    assert.deepEqual(deletion(pods, pod, {}, clock), { kind: 'delete' });
    assert.deepEqual(deletion(pods, pod, { gracePeriodSeconds: 5 }, clock), { kind: 'delete' });
  });

  test('counts no generation where there is none', () => {
    const one = object({ finalizers: ['x/y'] });
    delete one.metadata.generation;
    deletion(maps, one, {}, clock);
    assert.equal('generation' in one.metadata, false);
  });

  test('takes away the list of finalizers with the last of them', () => {
    const pod = object({ finalizers: ['orphan'] }, scheduled);
    deletion(pods, pod, { propagationPolicy: 'Background' }, clock);
    assert.equal('finalizers' in pod.metadata, false);
  });
});

describe('endsDeletion()', () => {
  const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  const cases: Readonly<Record<string, readonly [Partial<ObjectMeta>, Partial<ObjectMeta>, boolean]>> = {
    'the last finalizer has gone': [going, { ...going, finalizers: ['x/y'] }, true],
    'a finalizer is left': [{ ...going, finalizers: ['x/y'] }, going, false],
    'it is not being deleted': [{}, { finalizers: ['x/y'] }, false],
    'its grace runs': [going, { ...going, deletionGracePeriodSeconds: 1 }, false],
    'its grace was never said and a finalizer has gone': [going, { finalizers: ['x/y'] }, true],
    'its grace is nothing': [going, { ...going, deletionGracePeriodSeconds: 0 }, true],
  };
  for (const [what, [next, old, ends]] of Object.entries(cases))
    test(`is ${ends} where ${what}`, () => assert.equal(endsDeletion(maps, object(next), object(old)), ends));
});

test('endsDeletion() is false while the row holds on to the object', () => {
  const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  const namespace = (finalizers: string[]): LooseObject => object(going, { spec: { finalizers } });
  assert.deepEqual(
    [endsDeletion(namespaces, namespace(['kubernetes']), object(going)), endsDeletion(namespaces, namespace([]), object(going))],
    [false, true],
  );
});

describe('checkPreconditions()', () => {
  for (const [preconditions, why] of [
    [
      { uid: 'other' },
      /configmaps? .*the UID in the precondition \(other\) does not match the UID in record \(u\)\. .* deleted and then recreated$/i,
    ],
    [
      { resourceVersion: '8' },
      /the ResourceVersion in the precondition \(8\) does not match the ResourceVersion in record \(7\)\. .* modified$/,
    ],
  ] as const)
    test(`throws 409 for ${JSON.stringify(preconditions)}`, () => {
      assert.throws(
        () => checkPreconditions(maps, object(), preconditions),
        (err) => isStatusError(err, 'Conflict') && why.test(err.message),
      );
    });

  test('says nothing where they hold, or are none', () => {
    for (const preconditions of [undefined, {}, { uid: 'u', resourceVersion: '7' }]) checkPreconditions(maps, object(), preconditions);
  });
});
