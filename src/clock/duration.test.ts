import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from './duration.ts';

const printed: readonly [number, string][] = [
  [0, '0s'],
  [1, '1ms'],
  [999, '999ms'],
  [1000, '1s'],
  [1500, '1.5s'],
  [59_999, '59.999s'],
  [60_000, '1m0s'],
  [80_000, '1m20s'],
  [300_000, '5m0s'],
  [3_599_000, '59m59s'],
  [3_600_000, '1h0m0s'],
  [90_061_000, '25h1m1s'],
  [-1500, '-1.5s'],
  [-3_600_000, '-1h0m0s'],
];

test('formatDuration() prints as Go does, and parseDuration() reads it back', () => {
  for (const [ms, text] of printed) {
    assert.equal(formatDuration(ms), text);
    assert.equal(parseDuration(text), ms);
  }
});

const read: readonly [string, number | undefined][] = [
  ['0', 0],
  ['+1h30m', 5_400_000],
  ['1m1h', 3_660_000],
  ['.5s', 500],
  ['1.s', 1000],
  ['10us', 0.01],
  ['10µs', 0.01],
  ['10μs', 0.01],
  ['1000000ns', 1],
  ['2562047h', 9_223_369_200_000],
  ['2562048h', undefined],
  ['', undefined],
  ['1', undefined],
  ['1d', undefined],
  ['.s', undefined],
  ['-', undefined],
  ['1h ', undefined],
];

test('parseDuration() reads what Go reads, and no more than its 64 bits hold', () => {
  for (const [text, ms] of read) assert.equal(parseDuration(text), ms, text);
});
