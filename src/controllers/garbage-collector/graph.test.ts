import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readyPod } from '../testing/samples.ts';
import { judge } from './graph.ts';

test('judge() deletes an object only when none of its owners is left', () => {
  const owned = (...uids: string[]) => ({
    ...readyPod('p'),
    metadata: { ...readyPod('p').metadata, ownerReferences: uids.map((uid) => ({ apiVersion: 'v1', kind: 'X', name: uid, uid })) },
  });
  assert.deepEqual(judge(owned('a'), new Map([['a', 'gone']]), false), { kind: 'delete', foreground: false });
  assert.equal(
    judge(
      owned('a', 'b'),
      new Map([
        ['a', 'gone'],
        ['b', 'there'],
      ]),
      false,
    ).kind,
    'unlink',
  );
  assert.equal(judge(owned('a'), new Map([['a', 'there']]), true).kind, 'keep');
  assert.deepEqual(judge(owned('a'), new Map([['a', 'deleting-dependents']]), true), { kind: 'delete', foreground: true });
});
