import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readyPod } from '../testing/samples.ts';
import { planReplicas, rankForDeletion, replicaStatus } from './desired.ts';

const now = Date.UTC(2026, 0, 1);
const time = '2026-01-01T00:00:00Z';

test('planReplicas() makes what is missing and does not count what is leaving', () => {
  assert.equal(
    planReplicas(3, [readyPod('a'), readyPod('b', { more: { deletionTimestamp: time } }), readyPod('c', { phase: 'Failed' })]).create,
    2,
  );
  assert.equal(planReplicas(2000, []).create, 500);
});

test('rankForDeletion() gives up first what is missed least', () => {
  const pods = [
    readyPod('ready-long', { node: 'w1', readyAt: -100 }),
    readyPod('ready-short', { node: 'w2', readyAt: -1 }),
    readyPod('cheap', { node: 'w3', readyAt: -100, more: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-5' } } }),
    readyPod('unready', { node: 'w1', readyAt: undefined }),
    readyPod('pending', { node: 'w1', phase: 'Pending', readyAt: undefined }),
    readyPod('unassigned', { phase: 'Pending', readyAt: undefined }),
  ];
  assert.deepEqual(
    rankForDeletion(pods).map((p) => p.metadata.name),
    ['unassigned', 'pending', 'unready', 'cheap', 'ready-short', 'ready-long'],
  );
});

test('replicaStatus() counts a pod as available after minReadySeconds, and says when to look again', () => {
  const input = {
    generation: 2,
    replicas: 2,
    minReadySeconds: 10,
    templateLabels: { app: 'web' },
    owned: [readyPod('a', { readyAt: -20, labels: { app: 'web' } }), readyPod('b', { readyAt: -4 })],
    previous: undefined,
    now: now,
  };
  const { status, lookAgainIn } = replicaStatus(input);
  assert.deepEqual(status, { replicas: 2, fullyLabeledReplicas: 1, readyReplicas: 2, availableReplicas: 1, observedGeneration: 2 });
  assert.equal(lookAgainIn, 6000);
});
