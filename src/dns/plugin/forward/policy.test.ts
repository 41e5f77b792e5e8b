import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byHealth, type PolicyName, policyOf } from './policy.ts';
import type { UpstreamState } from './upstream-health.ts';

function rounds(name: PolicyName, count: number, random: () => number = () => 0): string[] {
  const policy = policyOf(name, random);
  return Array.from({ length: count }, () => policy(['a', 'b', 'c']).join(''));
}

test('sequential asks in the order of the configuration', () => assert.deepEqual(rounds('sequential', 2), ['abc', 'abc']));

test('round_robin begins with the next one each time', () => assert.deepEqual(rounds('round_robin', 4), ['abc', 'bca', 'cab', 'abc']));

test('random draws each of those that are left', () => {
  const drawn = [0.99, 0, 0, 0.4, 0.99, 0];
  assert.deepEqual(
    rounds('random', 2, () => drawn.shift() ?? 0),
    ['cab', 'bca'],
  );
});

for (const name of ['sequential', 'round_robin', 'random'] as const)
  test(`${name} has nothing to give of nobody`, () => assert.deepEqual(policyOf(name, () => 0)([]), []));

function upstreams(...states: readonly UpstreamState[]): { health: { state: UpstreamState } }[] {
  return states.map((state) => ({ health: { state } }));
}

test('byHealth() puts doubtful ones last and leaves out those that are down', () => {
  const all = upstreams('doubtful', 'up', 'down', 'up', 'doubtful');
  assert.deepEqual(byHealth(all), { order: [all[1], all[3], all[0], all[4]], isBroken: false });
});

test('byHealth() takes all when all are down, and says so', () => {
  const all = upstreams('down', 'down');
  assert.deepEqual(byHealth(all), { order: all, isBroken: true });
  assert.deepEqual(byHealth([]), { order: [], isBroken: false });
});
