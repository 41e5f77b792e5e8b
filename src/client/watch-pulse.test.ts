import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { WatchPulse } from './watch-pulse.ts';

/** Sentence, pauses between bookmarks in seconds, the limit that follows in seconds. */
const table: readonly (readonly [string, readonly number[], number])[] = [
  ['of a server that was not heard yet', [], 75],
  ['of one bookmark, whose pause nobody knows', [5], 75],
  ["of kube-apiserver's, one a minute", [3, 60, 61], 75],
  ['of our own server', [3, 27, 30, 25], 52.5],
  ['of a server in a hurry', [1, 2, 2], 20],
];

for (const [sentence, pauses, seconds] of table) {
  test(`WatchPulse: the limit ${sentence}, is ${seconds} s`, async () => {
    const clock = new FakeClock();
    const pulse = new WatchPulse(clock);
    pulse.opened();
    for (const pause of pauses) {
      await clock.advance(pause * 1000);
      pulse.event(true);
    }
    assert.equal(pulse.limitMs, seconds * 1000);
    // A new watch may begin with a bookmark at once, or late.
    pulse.opened();
    await clock.advance(100);
    pulse.event(true);
    assert.equal(pulse.limitMs, seconds * 1000);
  });
}

test('WatchPulse: whatever comes puts the death off, silence brings it once, and cancel ends the wait', async () => {
  const clock = new FakeClock();
  const pulse = new WatchPulse(clock);
  let deaths = 0;
  pulse.opened();
  const guard = pulse.guard(() => deaths++);
  await clock.advance(70_000);
  pulse.event(false);
  await clock.advance(70_000);
  assert.deepEqual([deaths, pulse.ageMs], [0, 70_000]);
  await clock.advance(5_000);
  assert.equal(deaths, 1);
  await clock.advance(100_000);
  assert.equal(deaths, 1);
  guard.cancel();
  pulse.guard(() => deaths++).cancel();
  await clock.advance(100_000);
  assert.equal(deaths, 1);
});
