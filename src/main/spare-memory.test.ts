import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** Loads 100 MB, lets go of them, and works on: how many megabytes of them the process still has. */
const program = `
  import { setTimeout } from 'node:timers/promises';
  import { spareMemory } from ${JSON.stringify(new URL('./spare-memory.ts', import.meta.url).href)};
  const megabytes = () => process.memoryUsage.rss() / 2 ** 20;
  const before = megabytes();
  let loaded = Array.from({ length: 1_000_000 }, (_, i) => ({ i, text: 'a' + i }));
  const rise = megabytes() - before;
  if (process.argv[1] === 'spare') spareMemory();
  loaded = undefined;
  for (let i = 0; i < 200 && megabytes() - before > rise / 2; i++) {
    Array.from({ length: 100_000 }, (_, i) => ({ i }));
    await setTimeout(1);
  }
  console.log(Math.round(((megabytes() - before) / rise) * 100));
  process.exit(0);
`;

function leftPercent(how: string): number {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--max-semi-space-size=2', '--input-type=module', '-e', program, how], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return Number(stdout);
}

test('spareMemory() gives back what loading took, which else stays', () => {
  assert.ok(leftPercent('spare') <= 50);
  assert.ok(leftPercent('keep') > 50);
});
