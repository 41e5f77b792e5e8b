import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackOff, type BackOffOptions, backOffMs } from './back-off.ts';

const steps = (backOff: BackOff, count: number): number[] => Array.from({ length: count }, () => backOff.step());

const table: readonly (readonly [string, BackOffOptions, readonly number[]])[] = [
  ['doubles up to the cap', { durationMs: 100, capMs: 500 }, [100, 200, 400, 500, 500]],
  ['grows by another factor', { durationMs: 100, capMs: 1_000, factor: 3 }, [100, 300, 900, 1_000]],
  ['stays the same with a factor of 1', { durationMs: 100, capMs: 1_000, factor: 1 }, [100, 100, 100]],
];
for (const [sentence, options, wanted] of table) {
  test(`BackOff ${sentence}, and backOffMs() says the same of so many failures`, () => {
    assert.deepEqual(steps(new BackOff(options), wanted.length), wanted);
    assert.deepEqual(
      wanted.map((_, i) => backOffMs(options, i + 1)),
      wanted,
    );
  });
}

test('jitter makes a delay longer by up to so many times itself, and has no part in the next one', () => {
  const drawn = [0, 0.5, 0.999];
  const backOff = new BackOff({ durationMs: 100, capMs: 10_000, jitter: 2, random: () => drawn.shift() ?? 0 });
  assert.deepEqual(steps(backOff, 3), [100, 400, 400 * 2.998]);
});

test('without a word about it there is no jitter', () => {
  assert.deepEqual(steps(new BackOff({ durationMs: 100, capMs: 1_000, random: () => 0.9 }), 2), [100, 200]);
});

test('reset() begins again; a cap of one step holds for the delays that follow', () => {
  const backOff = new BackOff({ durationMs: 100, capMs: 10_000 });
  steps(backOff, 4);
  assert.equal(backOff.durationMs, 1_600);
  assert.equal(backOff.step(300), 1_600);
  assert.equal(backOff.durationMs, 300);
  assert.deepEqual(steps(backOff, 2), [300, 600]);
  backOff.reset();
  assert.deepEqual(steps(backOff, 2), [100, 200]);
});
