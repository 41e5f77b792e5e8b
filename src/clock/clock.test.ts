import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mock, test } from 'node:test';
import { systemClock } from './clock.ts';

/** How long a process with nothing else to do waits before the call, in milliseconds. */
function idleMs(ms: number): number {
  const program = `
    import { systemClock } from ${JSON.stringify(new URL('./clock.ts', import.meta.url).href)};
    setTimeout(() => {}, 60_000);
    setTimeout(() => {
      const before = performance.eventLoopUtilization();
      systemClock.after(${ms}, () => {
        console.log(performance.eventLoopUtilization(before).idle);
        process.exit();
      });
    }, 300);
  `;
  return Number(spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).stdout || Number.NaN);
}

for (const ms of [0, -1])
  test(`after(${ms}) of the system's clock does not wait for something else to happen`, () => assert.ok(idleMs(ms) < 30_000));

test('after(0) can be cancelled', async () => {
  const called: string[] = [];
  systemClock.after(0, () => called.push('cancelled')).cancel();
  systemClock.after(0, () => called.push('called'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(called, ['called']);
});

test('after() of more than a timer can hold is not over at once, but when its time has come, and can be cancelled', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const called: string[] = [];
    const day = 24 * 3_600_000;
    systemClock.after(60 * day, () => called.push('after 60 days'));
    const later = systemClock.after(90 * day, () => called.push('cancelled'));
    for (let i = 0; i < 59; i++) mock.timers.tick(day);
    assert.deepEqual(called, []);
    // The mock counts from the end of a tick, a part of a day late for each timer.
    for (let i = 0; i < 3; i++) mock.timers.tick(day);
    assert.deepEqual(called, ['after 60 days']);
    later.cancel();
    for (let i = 0; i < 60; i++) mock.timers.tick(day);
    assert.deepEqual(called, ['after 60 days']);
  } finally {
    mock.timers.reset();
  }
});
