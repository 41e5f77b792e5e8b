import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { agesOf, registerWatchAge } from './watch-age.ts';

const aged = (resource: string, ageMs: number): { type: { resource: string }; ageMs: number } => ({ type: { resource }, ageMs });

test('agesOf() gives the oldest informer of each resource', () => {
  assert.deepEqual(
    [...agesOf([aged('pods', 5), aged('nodes', 7), aged('pods', 9), aged('pods', 1), aged('services', 0)])],
    [
      ['pods', 9],
      ['nodes', 7],
      ['services', 0],
    ],
  );
});

test('the age of a watch is told in seconds, and that of one that is gone no longer', async () => {
  const registry = new Registry();
  let ages = new Map([
    ['pods', 1_500],
    ['nodes', 0],
  ]);
  registerWatchAge(registry, () => ages);
  const lines = async (): Promise<string[]> => (await registry.metrics()).split('\n').filter((line) => line.startsWith('fairlead'));
  assert.deepEqual(await lines(), ['fairlead_watch_age_seconds{resource="pods"} 1.5', 'fairlead_watch_age_seconds{resource="nodes"} 0']);
  ages = new Map([['nodes', 250]]);
  assert.deepEqual(await lines(), ['fairlead_watch_age_seconds{resource="nodes"} 0.25']);
});
