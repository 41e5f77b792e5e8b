import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HorizontalPodAutoscalerBehavior, HPAScalingRules } from '../../api/schema/types.ts';
import { History } from './limits.ts';

const fiveMinutes = 300_000;

function specOf(maxReplicas: number, behavior?: HorizontalPodAutoscalerBehavior, minReplicas = 2) {
  const scaleTargetRef = { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' };
  return { scaleTargetRef, minReplicas, maxReplicas, ...(behavior ? { behavior } : {}) };
}

/** Replicas, and the reasons of the two conditions. */
function said(history: History, spec: ReturnType<typeof specOf>, current: number, wanted: number, now: number): (string | number)[] {
  const { replicas, conditions } = history.limit({ spec, current, wanted, now });
  const [able, limited] = conditions;
  return [replicas, able?.reason ?? '', `${limited?.status} ${limited?.reason}`];
}

describe('without a behavior', () => {
  const spec = specOf(20);

  test('twice as many at once, or four, and within the bounds', () => {
    assert.deepEqual(said(new History(3, 0, 0), spec, 3, 5, 1), [5, 'ReadyForNewScale', 'False DesiredWithinRange']);
    assert.deepEqual(said(new History(3, 0, 0), spec, 3, 9, 1), [6, 'ReadyForNewScale', 'True ScaleUpLimit']);
    assert.deepEqual(said(new History(1, 0, 0), spec, 1, 9, 1), [4, 'ReadyForNewScale', 'True ScaleUpLimit']);
    assert.deepEqual(said(new History(15, 0, 0), spec, 15, 40, 1), [20, 'ReadyForNewScale', 'True TooManyReplicas']);
    assert.deepEqual(said(new History(5, 0, 0), spec, 5, 1, 1), [2, 'ReadyForNewScale', 'True TooFewReplicas']);
  });

  test('fewer only when for five minutes nothing asked for more', () => {
    const history = new History(10, 0, fiveMinutes);
    assert.deepEqual(said(history, spec, 10, 4, 15_000), [10, 'ScaleDownStabilized', 'False DesiredWithinRange']);
    assert.deepEqual(said(history, spec, 10, 7, 200_000), [10, 'ScaleDownStabilized', 'False DesiredWithinRange']);
    // The beginning is more than five minutes ago, the seven are not.
    assert.deepEqual(said(history, spec, 10, 4, 301_000), [7, 'ScaleDownStabilized', 'False DesiredWithinRange']);
    assert.deepEqual(said(history, spec, 7, 4, 501_000), [4, 'ReadyForNewScale', 'False DesiredWithinRange']);
  });
});

describe('with a behavior', () => {
  const rules = (more: Partial<HPAScalingRules>): HPAScalingRules => ({
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    ...more,
  });
  const both = (up: Partial<HPAScalingRules>, down: Partial<HPAScalingRules> = {}): HorizontalPodAutoscalerBehavior => ({
    scaleUp: rules(up),
    scaleDown: rules(down),
  });

  test('the largest or the smallest step of the policies, or none', () => {
    const policies = [
      { type: 'Pods', value: 4, periodSeconds: 60 },
      { type: 'Percent', value: 10, periodSeconds: 60 },
    ];
    const up = (selectPolicy: string): unknown[] => said(new History(20, 0, 0), specOf(100, both({ policies, selectPolicy })), 20, 90, 1);
    assert.deepEqual(up('Max'), [24, 'ReadyForNewScale', 'True ScaleUpLimit']);
    assert.deepEqual(up('Min'), [22, 'ReadyForNewScale', 'True ScaleUpLimit']);
    assert.deepEqual(up('Disabled'), [20, 'ReadyForNewScale', 'True ScaleUpLimit']);
    const down = (selectPolicy: string): unknown[] =>
      said(new History(25, 0, 0), specOf(100, both({}, { policies, selectPolicy })), 25, 2, 1);
    assert.deepEqual(down('Max'), [21, 'ReadyForNewScale', 'True ScaleDownLimit']);
    assert.deepEqual(down('Min'), [22, 'ReadyForNewScale', 'True ScaleDownLimit']);
    assert.deepEqual(down('Disabled'), [25, 'ReadyForNewScale', 'True ScaleDownLimit']);
  });

  test('what was changed within the period counts', () => {
    const history = new History(10, 0, 0);
    const spec = specOf(100, both({ policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }] }));
    assert.equal(said(history, spec, 10, 50, 1000)[0], 14);
    history.scaled(10, 14, 1000);
    assert.deepEqual(said(history, spec, 14, 50, 16_000), [14, 'ReadyForNewScale', 'True ScaleUpLimit']);
    assert.equal(said(history, spec, 14, 50, 61_001)[0], 18);
    // What went meanwhile may come back.
    history.scaled(14, 11, 61_002);
    assert.equal(said(history, spec, 11, 50, 61_003)[0], 18);
  });

  test('each direction waits for its window', () => {
    const history = new History(5, 0, fiveMinutes);
    const spec = specOf(100, both({ stabilizationWindowSeconds: 60 }, { stabilizationWindowSeconds: 120 }));
    assert.deepEqual(said(history, spec, 5, 8, 1000), [5, 'ScaleUpStabilized', 'False DesiredWithinRange']);
    assert.deepEqual(said(history, spec, 5, 9, 61_000), [9, 'ReadyForNewScale', 'False DesiredWithinRange']);
    assert.deepEqual(said(history, spec, 9, 3, 90_000), [9, 'ScaleDownStabilized', 'False DesiredWithinRange']);
    assert.deepEqual(said(history, spec, 9, 3, 182_000), [3, 'ReadyForNewScale', 'False DesiredWithinRange']);
  });

  test('a fall without a window of its own waits for that of the flag', () => {
    const { stabilizationWindowSeconds: _none, ...down } = rules({});
    const history = new History(9, 0, fiveMinutes);
    const spec = specOf(100, { scaleUp: rules({}), scaleDown: down });
    assert.equal(said(history, spec, 9, 3, 299_000)[0], 9);
    assert.equal(said(history, spec, 9, 3, 300_001)[0], 3);
  });
});
