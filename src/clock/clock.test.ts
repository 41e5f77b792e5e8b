import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
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
