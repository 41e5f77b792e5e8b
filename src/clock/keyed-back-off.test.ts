import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedBackOff } from './keyed-back-off.ts';

test('KeyedBackOff doubles from failure to failure up to its limit, and starts afresh after a long good time', () => {
  const backOff = new KeyedBackOff();
  let now = 0;
  const delays: number[] = [];
  for (let i = 0; i < 7; i++) {
    assert.equal(backOff.remaining('k', now, now + backOff.delay('k')), 0);
    backOff.next('k', now, now);
    delays.push(backOff.delay('k') / 1000);
    now += 1000;
  }
  assert.deepEqual(delays, [10, 20, 40, 80, 160, 300, 300]);
  assert.equal(backOff.remaining('k', now, now + 100_000), 200_000);
  now += 700_000;
  assert.equal(backOff.remaining('k', now, now), 0);
  backOff.next('k', now, now);
  assert.equal(backOff.delay('k'), 10_000);
});

test('KeyedBackOff knows nothing of a key before its first failure, and after it was forgotten', () => {
  const backOff = new KeyedBackOff();
  assert.deepEqual([backOff.delay('a/1'), backOff.remaining('a/1', 0, 0)], [0, 0]);
  for (const key of ['a/1', 'a/2', 'b/1']) backOff.next(key, 0, 0);
  backOff.forget('a/');
  assert.deepEqual(
    ['a/1', 'a/2', 'b/1'].map((key) => backOff.remaining(key, 0, 4000)),
    [0, 0, 6000],
  );
  backOff.next('b/1', 600_000, 600_000);
  assert.equal(backOff.delay('b/1'), 20_000, 'twice the longest time is not long enough');
  backOff.next('b/1', 1_200_001, 1_200_001);
  assert.equal(backOff.delay('b/1'), 10_000);
});

test('remainingSinceUpdate() counts from the last try, and starts afresh after a long good time', () => {
  const backOff = new KeyedBackOff(10, 100);
  backOff.next('k', 0, 5);
  assert.deepEqual(
    [6, 14, 15, 16].map((now) => backOff.remainingSinceUpdate('k', now)),
    [9, 1, 0, 0],
  );
  backOff.next('k', 20, 20);
  assert.equal(backOff.remainingSinceUpdate('k', 20), 20);
  assert.equal(backOff.remainingSinceUpdate('other', 20), 0);
  const long = new KeyedBackOff(1_000, 100);
  long.next('k', 0, 0);
  assert.deepEqual([long.remainingSinceUpdate('k', 200), long.remainingSinceUpdate('k', 201)], [800, 0]);
});
