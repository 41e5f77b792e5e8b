import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '../../api/schema/types.ts';
import { type PodTraits, readyPod, replicaSetOf } from '../testing/samples.ts';
import { planReplicas, rankForDeletion, replicaStatus } from './desired.ts';

const now = Date.UTC(2026, 0, 1);
const time = '2026-01-01T00:00:00Z';
const names = (pods: readonly Pod[]): string[] => pods.map((p) => p.metadata.name);

describe('planReplicas()', () => {
  test('makes what is missing and does not count what is leaving', () => {
    const leaving = readyPod('b', { more: { deletionTimestamp: time } });
    assert.deepEqual(planReplicas(3, [readyPod('a'), leaving, readyPod('c', { phase: 'Failed' })]), { create: 2, remove: [] });
    assert.deepEqual(planReplicas(1, [readyPod('a'), leaving]), { create: 0, remove: [] });
  });

  test('deletes what is too much, least missed first', () => {
    const { create, remove } = planReplicas(1, [readyPod('a'), readyPod('b', { phase: 'Pending' }), readyPod('c', { readyAt: undefined })]);
    assert.deepEqual([create, names(remove)], [0, ['b', 'c']]);
  });

  test('does no more than 500 at once', () => {
    assert.equal(planReplicas(2000, []).create, 500);
    assert.equal(
      planReplicas(
        0,
        Array.from({ length: 501 }, (_, i) => readyPod(`p${i}`)),
      ).remove.length,
      500,
    );
  });
});

const cost = (value: string): PodTraits => ({ more: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': value } } });

function restarted(pod: Pod, restartCount: number): Pod {
  const containerStatuses = [0, restartCount].map((count) => ({
    name: `c${count}`,
    image: '',
    imageID: '',
    ready: true,
    restartCount: count,
  }));
  return { ...pod, status: { ...pod.status, containerStatuses } };
}

describe('rankForDeletion() gives up sooner', () => {
  // Each pair differs in one thing; upstream's ActivePodsWithRanks asks in this order.
  const pairs: readonly { what: string; first: Pod; next: Pod; besides?: readonly Pod[] }[] = [
    { what: 'who has no node', first: readyPod('b'), next: readyPod('a', { node: 'n1' }) },
    { what: 'who is pending, before unknown', first: readyPod('b', { phase: 'Pending' }), next: readyPod('a', { phase: 'Unknown' }) },
    { what: 'who is unknown, before running', first: readyPod('b', { phase: 'Unknown' }), next: readyPod('a') },
    { what: 'who is not ready', first: readyPod('b', { readyAt: undefined }), next: readyPod('a') },
    { what: 'who costs less', first: readyPod('b', cost('-5')), next: readyPod('a') },
    { what: 'who has no cost that is a number, before a cost', first: readyPod('b', cost('much')), next: readyPod('a', cost('1')) },
    {
      what: 'who shares its node with more that are ready',
      first: readyPod('b', { node: 'n1' }),
      next: readyPod('a', { node: 'n2' }),
      besides: [readyPod('c', { node: 'n1', ...cost('9') }), readyPod('d', { node: 'n2', readyAt: undefined, ...cost('9') })],
    },
    { what: 'who has been ready for a shorter time', first: readyPod('b', { readyAt: -1 }), next: readyPod('a', { readyAt: -100 }) },
    { what: 'who was restarted more often', first: restarted(readyPod('b'), 3), next: restarted(readyPod('a'), 2) },
    {
      what: 'who is younger',
      first: readyPod('b', { more: { creationTimestamp: time } }),
      next: readyPod('a', { more: { creationTimestamp: '2025-01-01T00:00:00Z' } }),
    },
    { what: 'the lower uid, so that the order is always the same', first: readyPod('a'), next: readyPod('b') },
  ];
  for (const { what, first, next, besides = [] } of pairs) {
    test(what, () => {
      for (const pods of [
        [first, next, ...besides],
        [...besides, next, first],
      ]) {
        const pair = names(rankForDeletion(pods)).filter((name) => name === 'a' || name === 'b');
        assert.deepEqual(pair, [first.metadata.name, next.metadata.name]);
      }
    });
  }

  test('by the first thing that differs', () => {
    const pods = [
      readyPod('ready-long', { node: 'w1', readyAt: -100 }),
      readyPod('ready-short', { node: 'w2', readyAt: -1 }),
      readyPod('cheap', { node: 'w3', readyAt: -100, ...cost('-5') }),
      readyPod('unready', { node: 'w1', readyAt: undefined }),
      readyPod('pending', { node: 'w1', phase: 'Pending', readyAt: undefined }),
      readyPod('unassigned', { phase: 'Pending', readyAt: undefined }),
    ];
    assert.deepEqual(names(rankForDeletion(pods)), ['unassigned', 'pending', 'unready', 'cheap', 'ready-short', 'ready-long']);
  });
});

describe('replicaStatus()', () => {
  const set = { ...replicaSetOf(2, { generation: 2 }), spec: { ...replicaSetOf(2).spec, selector: {}, minReadySeconds: 10 } };
  const owned = [readyPod('a', { readyAt: -20, labels: { app: 'web' } }), readyPod('b', { readyAt: -4 })];

  test('counts a pod as available after minReadySeconds, and says when to look again', () => {
    const { status, lookAgainIn } = replicaStatus(set, owned, now);
    assert.deepEqual(status, { replicas: 2, fullyLabeledReplicas: 1, readyReplicas: 2, availableReplicas: 1, observedGeneration: 2 });
    assert.equal(lookAgainIn, 6000);
    const sooner = [...owned, readyPod('c', { readyAt: -7 }), readyPod('d', { readyAt: -5 }), readyPod('e', { readyAt: undefined })];
    assert.equal(replicaStatus(set, sooner, now).lookAgainIn, 3000);
    assert.equal(replicaStatus({ ...set, spec: { ...set.spec, minReadySeconds: 0 } }, owned, now).lookAgainIn, undefined);
  });

  test('leaves out who is over or leaving', () => {
    const pods = [readyPod('a', { phase: 'Failed' }), readyPod('b', { more: { deletionTimestamp: time } })];
    const { replicas, readyReplicas, availableReplicas } = replicaStatus(set, pods, now).status;
    assert.deepEqual([replicas, readyReplicas, availableReplicas], [0, 0, 0]);
  });

  test('says what went wrong and since when, until it goes well again', () => {
    const failure = { reason: 'FailedCreate', message: 'exceeded quota' };
    const failed = replicaStatus(set, owned, now, failure).status;
    assert.deepEqual(failed.conditions, [{ type: 'ReplicaFailure', status: 'True', ...failure, lastTransitionTime: time }]);
    const later = replicaStatus({ ...set, status: failed }, owned, now + 60_000, { ...failure, message: 'still' }).status;
    assert.deepEqual(later.conditions, [{ type: 'ReplicaFailure', status: 'True', ...failure, lastTransitionTime: time }]);
    const others = { ...failed, conditions: [...(failed.conditions ?? []), { type: 'Other', status: 'True' }] };
    assert.deepEqual(replicaStatus({ ...set, status: others }, owned, now).status.conditions, [{ type: 'Other', status: 'True' }]);
    assert.equal(replicaStatus({ ...set, status: failed }, owned, now).status.conditions, undefined);
  });
});
