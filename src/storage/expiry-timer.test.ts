import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { ExpiryTimer } from './expiry-timer.ts';

const minute = 60_000;

describe('ExpiryTimer', () => {
  let clock: FakeClock;
  let timer: ExpiryTimer;
  /** When it called. */
  let calls: number[];

  beforeEach(() => {
    clock = new FakeClock(1_000_000);
    calls = [];
    timer = new ExpiryTimer(clock, () => calls.push(clock.now()));
  });

  test('calls once, at the moment', async () => {
    timer.expect(clock.now() + 300);
    await clock.advance(299);
    assert.deepEqual(calls, []);
    await clock.advance(10_000);
    assert.deepEqual([calls, clock.pending], [[1_000_300], 0]);
  });

  test('calls for the earliest of several moments, with one timer', async () => {
    for (const after of [300, 200, 400, 200]) timer.expect(clock.now() + after);
    assert.equal(clock.pending, 1);
    await clock.advance(1_000);
    assert.deepEqual(calls, [1_000_200]);
  });

  test('calls for a moment that has passed, and for the next one that it is told', async () => {
    timer.expect(clock.now() - 5);
    await clock.advance(0);
    timer.expect(clock.now() + 700);
    await clock.advance(1_000);
    assert.deepEqual(calls, [1_000_000, 1_000_700]);
  });

  test('looks at the wall clock each minute: a leap forward brings the moment nearer', async () => {
    timer.expect(clock.now() + 60 * minute);
    await clock.advance(minute / 2);
    clock.leap(59 * minute);
    await clock.advance(minute / 2);
    assert.deepEqual(calls, [1_000_000 + 60 * minute]);
  });

  test('waits for a moment hours away, however often it looks', async () => {
    timer.expect(clock.now() + 150 * minute);
    await clock.advance(149 * minute);
    assert.deepEqual([calls, clock.pending], [[], 1]);
    await clock.advance(minute);
    assert.deepEqual(calls, [1_000_000 + 150 * minute]);
  });

  test('never calls after stop()', async () => {
    timer.expect(clock.now() + 300);
    timer.stop();
    assert.equal(clock.pending, 0);
    await clock.advance(minute);
    assert.deepEqual(calls, []);
  });
});
