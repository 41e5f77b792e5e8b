import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuAndMemory, deviation, leastAllocated, ratingOf, type ShapePoint } from './resource-scoring.ts';

const shape: readonly ShapePoint[] = [
  { utilization: 20, score: 2 },
  { utilization: 60, score: 10 },
  { utilization: 100, score: 0 },
];
const used = [0, 10, 20, 40, 60, 75, 100, 150];

for (const [type, scores] of [
  ['LeastAllocated', [100, 90, 80, 60, 40, 25, 0, 0]],
  ['MostAllocated', [0, 10, 20, 40, 60, 75, 100, 100]],
  ['RequestedToCapacityRatio', [20, 20, 20, 60, 100, 62.5, 0, 0]],
] as const)
  test(`ratingOf() rates 0 to 150 of 100 by ${type}`, () => {
    const rate = ratingOf({ type, resources: cpuAndMemory, shape });
    assert.deepEqual(
      used.map((amount) => rate(amount, 100)),
      scores,
    );
  });

test('ratingOf() holds the last score beyond a shape that ends early', () => {
  const rate = ratingOf({ ...leastAllocated, type: 'RequestedToCapacityRatio', shape: [{ utilization: 30, score: 7 }] });
  assert.deepEqual([rate(1, 100), rate(30, 100), rate(31, 100)], [70, 70, 70]);
});

test('ratingOf() takes whole hundredths of utilization, as upstream does', () => {
  assert.equal(ratingOf({ ...leastAllocated, type: 'RequestedToCapacityRatio', shape })(409, 1000), 60);
});

test('deviation() is that of all shares from their mean', () => {
  assert.equal(deviation([0.5, 0.5, 0.5]), 0);
  assert.equal(deviation([0, 1]), 0.5);
  assert.equal(deviation([0, 0.6, 0.6, 1.2]).toFixed(4), '0.4243');
});
