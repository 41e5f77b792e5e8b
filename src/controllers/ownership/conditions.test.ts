import assert from 'node:assert/strict';
import { test } from 'node:test';
import { since, withCondition } from './conditions.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
const before = '2025-01-01T00:00:00Z';
const ready = { type: 'Ready', status: 'True', lastTransitionTime: before };
const other = { type: 'Other', status: 'False', lastTransitionTime: before };

test('since() keeps the time of a transition while the status stays, whatever else is said', () => {
  assert.deepEqual(since([other, ready], { type: 'Ready', status: 'True', reason: 'New' }, now), { ...ready, reason: 'New' });
});

test('since() says now when the status changes, and when there was none', () => {
  const wanted = { type: 'Ready', status: 'False' };
  for (const conditions of [[ready], [other], [], undefined])
    assert.deepEqual(since(conditions, wanted, now), { ...wanted, lastTransitionTime: '2026-01-01T00:00:00Z' });
});

test('withCondition() puts a condition at the end, in place of the one of its type, and leaves the others', () => {
  assert.deepEqual(withCondition([ready, other], { type: 'Ready', status: 'True' }, now), [other, ready]);
  assert.deepEqual(withCondition(undefined, { type: 'Ready', status: 'True' }, now), [
    { ...ready, lastTransitionTime: '2026-01-01T00:00:00Z' },
  ]);
});
