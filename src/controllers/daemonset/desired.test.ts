import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet, Pod } from '../../api/schema/types.ts';
import { nodeOf, readyPod } from '../testing/samples.ts';
import { daemonSetStatus, hashLabel, planDaemons, templateFor } from './desired.ts';

const now = Date.UTC(2026, 0, 1);
const time = '2026-01-01T00:00:00Z';

function daemonSet(spec: Partial<NonNullable<DaemonSet['spec']>> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd', namespace: 'default', uid: 'd' },
    spec: { selector: {}, template: { spec: { containers: [] } }, ...spec },
  };
}

test('planDaemons() puts one pod on every node that fits, and takes away what is too many', () => {
  const nodes = [
    nodeOf('w1'),
    nodeOf('w2'),
    nodeOf('cp', { taints: [{ key: 'control', effect: 'NoSchedule' }] }),
    nodeOf('sick', { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] }),
  ];
  const hashed = { labels: { [hashLabel]: 'h' } };
  const owned = [
    readyPod('w1-a', { node: 'w1', ...hashed }),
    readyPod('w1-b', { node: 'w1', ...hashed }),
    readyPod('gone', { node: 'gone', ...hashed }),
    readyPod('cp-a', { node: 'cp', ...hashed }),
  ];
  const plan = planDaemons(daemonSet(), 'h', nodes, owned, now);
  assert.deepEqual(plan.create, ['w2', 'sick']);
  assert.deepEqual(
    plan.remove.map((p) => p.metadata.name),
    ['w1-b', 'gone'],
    'a NoSchedule taint that came later does not drive a pod away',
  );
  const status = daemonSetStatus(daemonSet(), 'h', nodes, owned, now);
  assert.equal(status.desiredNumberScheduled, 3);
  assert.equal(status.numberMisscheduled, 1);
});

test('planDaemons() replaces outdated pods one by one, broken ones at once, and waits for the one that leaves', () => {
  const nodes = ['w1', 'w2', 'w3'].map((n) => nodeOf(n));
  const old = { labels: { [hashLabel]: 'old' } };
  const removed = (owned: Pod[]): string[] => planDaemons(daemonSet(), 'new', nodes, owned, now).remove.map((p) => p.metadata.name);
  assert.deepEqual(
    removed([readyPod('a', { node: 'w1', ...old }), readyPod('b', { node: 'w2', ...old }), readyPod('c', { node: 'w3', ...old })]),
    ['a'],
  );
  assert.deepEqual(
    removed([
      readyPod('a', { node: 'w1', ...old }),
      readyPod('b', { node: 'w2', ...old, readyAt: undefined }),
      readyPod('c', { node: 'w3', ...old }),
    ]),
    ['b'],
  );
  assert.deepEqual(
    planDaemons(daemonSet(), 'new', nodes.slice(0, 1), [readyPod('a', { node: 'w1', more: { deletionTimestamp: time }, ...old })], now)
      .create,
    [],
  );
});

test('templateFor() pins a pod to its node in every term', () => {
  const terms = [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, { matchExpressions: [{ key: 'b', operator: 'Exists' }] }];
  const made = templateFor(
    {
      spec: {
        containers: [],
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
      },
    },
    'w1',
    'h',
  );
  const pinned = made.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  assert.deepEqual(
    pinned?.map((t) => t.matchFields?.[0]?.values),
    [['w1'], ['w1']],
  );
  assert.equal(pinned?.[1]?.matchExpressions?.[0]?.key, 'b');
});
