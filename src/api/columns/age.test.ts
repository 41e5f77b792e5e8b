import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageOf, humanDuration } from './age.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const ages: readonly [number, string][] = [
  [-5 * second, '<invalid>'],
  [-1 * second, '0s'],
  [0, '0s'],
  [999, '0s'],
  [119 * second, '119s'],
  [2 * minute, '2m'],
  [2 * minute + 30 * second, '2m30s'],
  [9 * minute + 59 * second, '9m59s'],
  [10 * minute + 5 * second, '10m'],
  [179 * minute, '179m'],
  [3 * hour, '3h'],
  [5 * hour + 12 * minute, '5h12m'],
  [9 * hour + 30 * minute, '9h'],
  [47 * hour, '47h'],
  [2 * day + 3 * hour, '2d3h'],
  [8 * day + 3 * hour, '8d'],
  [729 * day, '729d'],
  [800 * day, '2y70d'],
  [9 * 365 * day, '9y'],
];

test('humanDuration() prints ages as kubectl does', () => {
  for (const [milliseconds, text] of ages) assert.equal(humanDuration(milliseconds), text, `${milliseconds} ms`);
});

test('ageOf() says <unknown> without a timestamp', () => {
  const now = new Date('2026-01-01T00:05:00Z');
  assert.equal(ageOf(undefined, now), '<unknown>');
  assert.equal(ageOf('2026-01-01T00:00:00Z', now), '5m');
});
