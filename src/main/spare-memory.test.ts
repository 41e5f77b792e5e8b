import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** Loads a million objects, lets go of them, and works on: of the megabytes that they took, how many the process has given back, in percent. */
const program = `
  import { setTimeout } from 'node:timers/promises';
  import { spareMemory } from ${JSON.stringify(new URL('./spare-memory.ts', import.meta.url).href)};
  const { heapUsed } = process.memoryUsage();
  let loaded = Array.from({ length: 1_000_000 }, (_, i) => ({ i, text: 'a' + i }));
  const [taken, most] = [process.memoryUsage().heapUsed - heapUsed, process.memoryUsage.rss()];
  const given = () => Math.round(((most - process.memoryUsage.rss()) / taken) * 100);
  if (process.argv[1] === 'spare') spareMemory();
  loaded = undefined;
  for (let i = 0; i < 200 && given() < 30; i++) {
    Array.from({ length: 100_000 }, (_, i) => ({ i }));
    await setTimeout(1);
  }
  console.log(given());
  process.exit(0);
`;

function givenPercent(how: string): number {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--max-semi-space-size=2', '--input-type=module', '-e', program, how], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return Number(stdout);
}

test('spareMemory() gives back what loading took, which else stays', () => {
  const [spare, keep] = [givenPercent('spare'), givenPercent('keep')];
  assert.ok(spare >= 30 && keep < 30, `${spare} and ${keep} %`);
});
