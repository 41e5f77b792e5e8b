import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { FailedPods } from './failed-pods.ts';

const quarterHour = 15 * 60_000;

test('each pod that fails on a node waits twice as long as the one before, at most a quarter of an hour', async () => {
  const clock = new FakeClock();
  const failed = new FailedPods(clock);
  assert.deepEqual(failed.look('set', 'n1', 'pod'), { wait: 0, isNew: true });
  const waits: number[] = [];
  for (let i = 0; i < 12; i++) {
    const { wait, isNew } = failed.look('set', 'n1', `pod-${i}`);
    assert.equal(isNew, false);
    waits.push(wait);
    await clock.advance(wait);
    assert.deepEqual(failed.look('set', 'n1', `pod-${i}`), { wait: 0, isNew: true });
    assert.deepEqual(failed.look('set', 'n1', `pod-${i}`), { wait: 0, isNew: false }, 'a removal that failed may be tried again at once');
  }
  assert.deepEqual([...waits.slice(0, 3), ...waits.slice(-2)], [1_000, 2_000, 4_000, quarterHour, quarterHour]);
});

test('other nodes and other sets have delays of their own, and a set that is gone has none', () => {
  const failed = new FailedPods(new FakeClock());
  failed.look('set', 'n1', 'a');
  assert.equal(failed.look('set', 'n2', 'b').wait, 0);
  assert.equal(failed.look('set-2', 'n1', 'c').wait, 0);
  failed.forget('set');
  assert.equal(failed.look('set', 'n1', 'd').wait, 0);
  assert.equal(failed.look('set-2', 'n1', 'e').wait, 1_000);
});

test('a node that did well for half an hour starts from the first delay again', async () => {
  const clock = new FakeClock();
  const failed = new FailedPods(clock);
  for (const pod of ['a', 'b']) {
    failed.look('set', 'n1', pod);
    await clock.advance(1_000);
  }
  failed.look('set', 'n1', 'b');
  await clock.advance(2_000 + 2 * quarterHour);
  assert.equal(failed.look('set', 'n1', 'c').isNew, true);
  assert.equal(failed.look('set', 'n1', 'd').wait, 1_000);
});
