import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { NumberPool } from './number-pool.ts';

function pool(clock = new FakeClock()): NumberPool {
  return new NumberPool({ clock, random: () => 0 });
}

describe('NumberPool', () => {
  test('takes from the dynamic part first, and from the rest when that is full', () => {
    const p = pool();
    const taken = Array.from({ length: 11 }, (_, i) => p.takeAny({ first: 1, last: 10, dynamicFrom: 5 }, `o${i}`));
    assert.deepEqual(taken, [5, 6, 7, 8, 9, 10, 1, 2, 3, 4, undefined]);
  });

  test('gives nothing beyond a band that has no dynamic part', () => {
    const p = pool();
    const taken = Array.from({ length: 3 }, (_, i) => p.takeAny({ first: 1, last: 2, dynamicFrom: 17 }, `o${i}`));
    assert.deepEqual(taken, [1, 2, undefined]);
  });

  test('gives one owner two numbers where it takes any twice', () => {
    const p = pool();
    const band = { first: 1, last: 2, dynamicFrom: 1 };
    assert.deepEqual([p.takeAny(band, 'a'), p.takeAny(band, 'a'), p.takeAny(band, 'a')], [1, 2, undefined]);
  });

  test('gives a number to one owner only, and to the same owner again', () => {
    const p = pool();
    assert.equal(p.take(7, 'a'), true);
    assert.equal(p.take(7, 'b'), false);
    assert.equal(p.take(7, 'a'), true);
    p.hold(7, 'a');
    assert.equal(p.take(7, 'b'), false);
    p.drop(7, 'a');
    assert.equal(p.take(7, 'b'), true);
  });

  test('forgets what was taken and never stored', async () => {
    const clock = new FakeClock();
    const p = pool(clock);
    p.take(7, 'a');
    await clock.advance(61_000);
    assert.equal(p.take(7, 'b'), true);
    p.giveBack('b');
    assert.equal(p.take(7, 'c'), true);
  });

  test('keeps a number for its second holder when the first one goes', () => {
    const p = pool();
    p.hold(3, 'a');
    p.hold(3, 'b');
    p.drop(3, 'a');
    assert.equal(p.isFree(3, 'c'), false);
    assert.equal(p.isFree(3, 'b'), true);
  });
});
