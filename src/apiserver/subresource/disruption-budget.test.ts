import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod, PodDisruptionBudget } from '../../api/schema/types.ts';
import { isStatusError } from '../status/status-error.ts';
import { spend, termsOf } from './disruption-budget.ts';

const pod = (status: Pod['status'] = {}, metadata: object = {}): Pod =>
  ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-1', namespace: 'shop', labels: { app: 'web' }, ...metadata }, status }) as Pod;
const ready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
const unready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] };
const budget = (status: object = {}, spec: object = {}, app = 'web'): PodDisruptionBudget =>
  ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: `pdb-${app}`, generation: 2 },
    spec: { selector: { matchLabels: { app } }, ...spec },
    status: { observedGeneration: 2, disruptionsAllowed: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3, ...status },
  }) as PodDisruptionBudget;

describe('termsOf()', () => {
  const cases: Readonly<Record<string, readonly [Pod, readonly PodDisruptionBudget[], object]>> = {
    'a ready pod without a budget goes freely': [pod(ready), [budget({}, {}, 'db')], { pinned: false, spends: false }],
    'a ready pod costs its budget a disruption': [pod(ready), [budget()], { pinned: false, budget: 'pdb-web', spends: true }],
    'a pod that has succeeded costs nothing': [pod({ phase: 'Succeeded' }), [budget()], { pinned: false, spends: false }],
    'a pod that has failed costs nothing': [pod({ phase: 'Failed' }), [budget()], { pinned: false, spends: false }],
    'a pod that waits costs nothing while it does': [pod({ phase: 'Pending' }), [budget()], { pinned: true, spends: false }],
    'a pod that is being deleted costs nothing': [pod(ready, { deletionTimestamp: 'x' }), [budget()], { pinned: false, spends: false }],
    'an unready pod costs nothing while the others are enough': [
      pod(unready),
      [budget({ currentHealthy: 2 })],
      { pinned: true, budget: 'pdb-web', spends: false },
    ],
    'an unready pod costs a disruption while the others are too few': [
      pod(unready),
      [budget({ currentHealthy: 1 })],
      { pinned: false, budget: 'pdb-web', spends: true },
    ],
    'an unready pod costs a disruption of a budget that wants none': [
      pod(unready),
      [budget({ desiredHealthy: 0 })],
      { pinned: false, budget: 'pdb-web', spends: true },
    ],
    'AlwaysAllow spares an unready pod in any case': [
      pod(unready),
      [budget({ currentHealthy: 1 }, { unhealthyPodEvictionPolicy: 'AlwaysAllow' })],
      { pinned: true, budget: 'pdb-web', spends: false },
    ],
    'AlwaysAllow spares no ready pod': [
      pod(ready),
      [budget({}, { unhealthyPodEvictionPolicy: 'AlwaysAllow' })],
      { pinned: false, budget: 'pdb-web', spends: true },
    ],
  };
  for (const [what, [of, budgets, expected]] of Object.entries(cases)) {
    test(what, () => {
      const { budget: found, ...terms } = termsOf(of, budgets);
      assert.deepEqual({ ...terms, ...(found ? { budget: found.metadata.name } : {}) }, expected);
    });
  }

  test('refuses a pod with two budgets', () => {
    assert.throws(
      () => termsOf(pod(ready), [budget(), budget()]),
      (err) => isStatusError(err, 'InternalError') && /more than one/.test(err.message),
    );
  });
});

describe('spend()', () => {
  test('takes one disruption and remembers the pod', () => {
    const conditions = [{ type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods', lastTransitionTime: 'before' }];
    const two = spend(budget({ disruptionsAllowed: 2, disruptedPods: { old: 't0' }, conditions }), 'web-1', 't1');
    assert.deepEqual([two?.disruptionsAllowed, two?.disruptedPods, two?.conditions], [1, { old: 't0', 'web-1': 't1' }, conditions]);
    const last = spend(budget({ conditions }), 'web-1', 't1');
    assert.deepEqual(last?.conditions, [
      { type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods', lastTransitionTime: 't1' },
    ]);
    assert.equal('conditions' in spend(budget(), 'web-1', 't1')!, false);
  });

  const refusals: Readonly<Record<string, readonly [object, code: number, why: RegExp, retry: number | undefined]>> = {
    'none is left and too few are healthy': [
      { disruptionsAllowed: 0, currentHealthy: 2 },
      429,
      /needs 2 healthy pods and has 2 currently/,
      undefined,
    ],
    'none is left though enough are healthy': [
      { disruptionsAllowed: 0 },
      429,
      /pdb-web does not allow evicting pods currently$/,
      undefined,
    ],
    'none is left and a condition says why': [
      { disruptionsAllowed: 0, conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'Why', message: 'because' }] },
      429,
      /currently \(Why\): because$/,
      undefined,
    ],
    'the controller failed': [
      { disruptionsAllowed: 0, conditions: [{ type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: 'no scale' }] },
      429,
      /because it failed sync: no scale$/,
      undefined,
    ],
    'the controller has not seen the budget yet': [{ observedGeneration: 1 }, 429, /still being processed/, 10],
    'the number makes no sense': [{ disruptionsAllowed: -1 }, 403, /disruptions allowed is negative/, undefined],
    'too many are on their way': [
      { disruptedPods: Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`p${i}`, 't'])) },
      403,
      /map too big/,
      undefined,
    ],
  };
  for (const [what, [status, code, why, retry]] of Object.entries(refusals)) {
    test(`refuses when ${what}`, () => {
      assert.throws(
        () => spend(budget(status), 'web-1', 't'),
        (err) => {
          assert.ok(isStatusError(err));
          const { details, code: found, message } = err.status;
          assert.equal(found, code);
          assert.match(details?.causes?.[0]?.message ?? message ?? '', why);
          assert.equal(details?.retryAfterSeconds, retry);
          return true;
        },
      );
    });
  }

  test('still gives the last of 2000 on their way', () => {
    const disruptedPods = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`p${i}`, 't']));
    assert.equal(Object.keys(spend(budget({ disruptedPods }), 'web-1', 't')?.disruptedPods ?? {}).length, 2001);
  });
});
