import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet, Pod } from '../../api/schema/types.ts';
import { nodeOf, readyPod } from '../testing/samples.ts';
import { daemonSetStatus, hashLabel, planDaemons, templateFor, tolerationsOf, verdictOn } from './desired.ts';

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
  const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } };
  const made = templateFor(daemonSet({ template: { spec: { containers: [], affinity } } }), 'w1', 'h');
  const pinned = made.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  assert.deepEqual(
    pinned?.map((t) => t.matchFields?.[0]?.values),
    [['w1'], ['w1']],
  );
  assert.equal(pinned?.[1]?.matchExpressions?.[0]?.key, 'b');
});

test('templateFor() labels a pod with its revision, and with how often the template has changed where the set says it', () => {
  const set = daemonSet({ template: { metadata: { labels: { a: 'b' } }, spec: { containers: [] } } });
  assert.deepEqual(templateFor(set, 'w1', 'h').metadata?.labels, { a: 'b', [hashLabel]: 'h' });
  set.metadata.annotations = { 'deprecated.daemonset.template.generation': '3' };
  assert.deepEqual(templateFor(set, 'w1', 'h').metadata?.labels, { a: 'b', 'pod-template-generation': '3', [hashLabel]: 'h' });
});

test('a daemon runs on, and stays on, a node in trouble; with the network of the node also before that has one', () => {
  const troubles = [
    ['node.kubernetes.io/not-ready', 'NoExecute'],
    ['node.kubernetes.io/unreachable', 'NoExecute'],
    ['node.kubernetes.io/disk-pressure', 'NoSchedule'],
    ['node.kubernetes.io/memory-pressure', 'NoSchedule'],
    ['node.kubernetes.io/pid-pressure', 'NoSchedule'],
    ['node.kubernetes.io/unschedulable', 'NoSchedule'],
  ] as const;
  for (const [key, effect] of troubles) {
    assert.deepEqual(verdictOn(daemonSet(), nodeOf('w1', { taints: [{ key, effect }] })), { run: true, stay: true }, key);
  }
  const noNetwork = nodeOf('w1', { taints: [{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }] });
  assert.deepEqual(verdictOn(daemonSet(), noNetwork), { run: false, stay: true });
  const onHost = daemonSet({ template: { spec: { containers: [], hostNetwork: true } } });
  assert.deepEqual(verdictOn(onHost, noNetwork), { run: true, stay: true });
});

test('verdictOn() heeds the taints that the template does not tolerate, its node and its affinity', () => {
  const taint = (effect: string) => nodeOf('w1', { taints: [{ key: 'k', effect }] });
  assert.deepEqual(verdictOn(daemonSet(), taint('PreferNoSchedule')), { run: true, stay: true });
  assert.deepEqual(verdictOn(daemonSet(), taint('NoSchedule')), { run: false, stay: true });
  assert.deepEqual(verdictOn(daemonSet(), taint('NoExecute')), { run: false, stay: false });
  const own = { key: 'k', operator: 'Exists' };
  const tolerating = daemonSet({ template: { spec: { containers: [], tolerations: [own] } } });
  assert.deepEqual(verdictOn(tolerating, taint('NoExecute')), { run: true, stay: true });
  assert.deepEqual(tolerationsOf(tolerating.spec?.template ?? {})[0], own);
  const pinned = daemonSet({ template: { spec: { containers: [], nodeName: 'w2' } } });
  assert.deepEqual([verdictOn(pinned, nodeOf('w1')).stay, verdictOn(pinned, nodeOf('w2')).run], [false, true]);
  const selecting = daemonSet({ template: { spec: { containers: [], nodeSelector: { disk: 'ssd' } } } });
  assert.deepEqual(
    [verdictOn(selecting, nodeOf('w1')).stay, verdictOn(selecting, nodeOf('w2', { labels: { disk: 'ssd' } })).run],
    [false, true],
  );
});

test('planDaemons() keeps the oldest of several, and takes away what has ended', () => {
  const old = { more: { creationTimestamp: '2025-01-01T00:00:00Z' } };
  const young = { more: { creationTimestamp: time } };
  const current = { node: 'w1', labels: { [hashLabel]: 'h' } };
  const there = [readyPod('young', { ...current, ...young }), readyPod('old', { ...current, ...old })];
  const removed = (pods: Pod[]): string[] => planDaemons(daemonSet(), 'h', [nodeOf('w1')], pods, now).remove.map((p) => p.metadata.name);
  assert.deepEqual(removed(there), ['young']);
  const failed = planDaemons(daemonSet(), 'h', [nodeOf('w1')], [readyPod('failed', { ...current, phase: 'Failed' })], now);
  assert.deepEqual([failed.create, failed.remove.length], [[], 1], 'its successor comes when it is gone');
});

test('a rolling update may make so many unavailable, as a number or a share that is rounded up', () => {
  const nodes = ['w1', 'w2', 'w3', 'w4', 'w5'].map((n) => nodeOf(n));
  const outdated = (unready: number): Pod[] =>
    nodes.map(({ metadata: { name } }, i) =>
      readyPod(name, { node: name, labels: { [hashLabel]: i < unready ? 'new' : 'old' }, readyAt: i < unready ? undefined : 0 }),
    );
  const count = (maxUnavailable: number | string, unready: number = 0): number => {
    const set = daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable } } });
    return planDaemons(set, 'new', nodes, outdated(unready), now).remove.length;
  };
  assert.deepEqual([count(2), count('30%'), count('1%'), count(2, 1), count(2, 2), count(2, 3)], [2, 2, 1, 1, 0, 0]);
  assert.deepEqual(planDaemons(daemonSet({ updateStrategy: { type: 'OnDelete' } }), 'new', nodes, outdated(0), now).remove, []);
});

test('daemonSetStatus() counts the oldest pod of each node that should have one', () => {
  const labels = { [hashLabel]: 'h' };
  const owned = [
    readyPod('new', { node: 'w1', more: { creationTimestamp: time } }),
    readyPod('a', { node: 'w1', labels, readyAt: -5, more: { creationTimestamp: '2025-01-01T00:00:00Z' } }),
    readyPod('b', { node: 'w2', labels, readyAt: -20 }),
    readyPod('c', { node: 'w3', readyAt: undefined }),
    readyPod('leaving', { node: 'w4', more: { deletionTimestamp: time } }),
  ];
  const nodes = ['w1', 'w2', 'w3', 'w4', 'w5'].map((n) => nodeOf(n));
  const set = { ...daemonSet({ minReadySeconds: 10 }), status: { collisionCount: 2 } as never };
  assert.deepEqual(daemonSetStatus(set, 'h', nodes, owned, now), {
    currentNumberScheduled: 3,
    desiredNumberScheduled: 5,
    numberMisscheduled: 0,
    numberReady: 2,
    updatedNumberScheduled: 2,
    numberAvailable: 1,
    numberUnavailable: 4,
    observedGeneration: undefined,
    collisionCount: 2,
  });
});
