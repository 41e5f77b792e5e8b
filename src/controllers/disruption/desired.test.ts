import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, PodDisruptionBudget } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { failedStatus, planBudget } from './desired.ts';

const now = Date.UTC(2026, 0, 1);
const at = (seconds: number): string => timestamp(now + seconds * 1000);

/** `a` is ready, `b!` is not, `c-` is being deleted. */
function pods(text: string): Pod[] {
  return text.split(' ').map((word) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: word[0] ?? '', namespace: 'default', ...(word[1] === '-' ? { deletionTimestamp: at(0) } : {}) },
    status: { conditions: [{ type: 'Ready', status: word[1] === '!' ? 'False' : 'True' }] },
  }));
}

function budget(spec: NonNullable<PodDisruptionBudget['spec']>, disruptedPods: Record<string, string> = {}): PodDisruptionBudget {
  const status = { disruptedPods, disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'default', generation: 3 },
    spec,
    status,
  };
}

const plans: readonly [string, NonNullable<PodDisruptionBudget['spec']>, string, number, readonly [number, number, number, number]][] = [
  ['a number that must be available', { minAvailable: 2 }, 'a b c', 9, [1, 3, 2, 3]],
  ['a share that must be available, rounded up', { minAvailable: '50%' }, 'a b c', 5, [0, 3, 3, 5]],
  ['a number that may be missing', { maxUnavailable: 1 }, 'a b c', 3, [1, 3, 2, 3]],
  ['a share that may be missing, rounded up', { maxUnavailable: '10%' }, 'a b c', 3, [1, 3, 2, 3]],
  ['all may be missing', { maxUnavailable: '100%' }, 'a b!', 2, [1, 1, 0, 2]],
  ['pods that are not ready or go do not count', { minAvailable: 1 }, 'a b! c-', 0, [0, 1, 1, 3]],
  ['missing pods were disrupted already', { maxUnavailable: 1 }, 'a b', 3, [0, 2, 2, 3]],
  ['a budget without pods allows nothing', { maxUnavailable: 1 }, '', 0, [0, 0, 0, 0]],
  ['a budget that says nothing allows nothing', {}, 'a', 1, [0, 1, 0, 0]],
];

for (const [name, spec, list, scale, wanted] of plans) {
  test(`planBudget(): ${name}`, () => {
    const { status } = planBudget(budget(spec), list === '' ? [] : pods(list), scale, now);
    assert.deepEqual([status.disruptionsAllowed, status.currentHealthy, status.desiredHealthy, status.expectedPods], wanted);
    const [condition] = status.conditions ?? [];
    assert.equal(condition?.reason, wanted[0] > 0 ? 'SufficientPods' : 'InsufficientPods');
    assert.deepEqual([status.observedGeneration, condition?.observedGeneration], [3, 3]);
  });
}

test('planBudget() does not count pods whose eviction was allowed, for two minutes', () => {
  const disrupted = { a: at(-60), b: at(-120), gone: at(-1) };
  const plan = planBudget(budget({ minAvailable: 1 }, disrupted), pods('a b c'), 0, now);
  assert.deepEqual(plan.status.disruptedPods, { a: at(-60) });
  assert.equal(plan.status.currentHealthy, 2);
  assert.deepEqual([plan.notDeleted.map((p) => p.metadata.name), plan.lookAgainIn], [['b'], 60_000]);
});

test('failedStatus() allows nothing and says why', () => {
  const { disruptionsAllowed, conditions } = failedStatus(budget({ maxUnavailable: 1 }), 'no', now);
  assert.deepEqual([disruptionsAllowed, conditions?.[0]?.reason, conditions?.[0]?.message], [0, 'SyncFailed', 'no']);
});
