import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scaledValue } from './scaled-value.ts';

for (const [value, total, round, wanted] of [
  [3, 10, Math.ceil, 3],
  ['25%', 200, Math.ceil, 50],
  ['25%', 10, Math.ceil, 3],
  ['25%', 10, Math.floor, 2],
  ['100%', 7, Math.floor, 7],
  ['0%', 7, Math.ceil, 0],
  ['many', 7, Math.ceil, 0],
] as const)
  test(`scaledValue(): ${value} of ${total}, ${round === Math.ceil ? 'rounded up' : 'rounded down'}, is ${wanted}`, () => {
    assert.equal(scaledValue(value, total, round), wanted);
  });

test('scaledValue() rounds up when nothing is said', () => assert.equal(scaledValue('50%', 3), 2));
