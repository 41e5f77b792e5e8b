import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet, Node, Pod } from '../api/schema/types.ts';
import { mustCidr } from '../ip/ip.ts';
import { daemonSetStatus, hashLabel, planDaemons, templateFor } from './daemonset/desired.ts';
import { judge } from './garbage-collector/graph.ts';
import { freeSubnet } from './node-ipam/desired.ts';
import { evictionTime, unheardConditions, wantedTaints } from './node-lifecycle/desired.ts';
import { templateHash } from './ownership/template-hash.ts';
import { planReplicas, rankForDeletion, replicaStatus } from './replicaset/desired.ts';

const now = Date.UTC(2026, 0, 1);
const time = '2026-01-01T00:00:00Z';

function pod(
  name: string,
  o: {
    node?: string;
    phase?: string;
    ready?: boolean;
    since?: number;
    deleted?: boolean;
    labels?: Record<string, string>;
    cost?: string;
    tolerations?: NonNullable<Pod['spec']>['tolerations'];
  } = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      labels: o.labels,
      creationTimestamp: time,
      ...(o.deleted ? { deletionTimestamp: time } : {}),
      ...(o.cost ? { annotations: { 'controller.kubernetes.io/pod-deletion-cost': o.cost } } : {}),
    },
    spec: { containers: [], nodeName: o.node, tolerations: o.tolerations },
    status: {
      phase: o.phase ?? 'Running',
      conditions: [
        {
          type: 'Ready',
          status: o.ready === false ? 'False' : 'True',
          lastTransitionTime: new Date(now - (o.since ?? 0) * 1000).toISOString(),
        },
      ],
    },
  };
}

function node(
  name: string,
  o: { ready?: string; taints?: NonNullable<Node['spec']>['taints']; labels?: Record<string, string>; unschedulable?: boolean } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: o.labels },
    spec: { taints: o.taints, unschedulable: o.unschedulable },
    status: { conditions: o.ready ? [{ type: 'Ready', status: o.ready }] : [] },
  };
}

test('planReplicas() makes what is missing and does not count what is leaving', () => {
  assert.equal(planReplicas(3, [pod('a'), pod('b', { deleted: true }), pod('c', { phase: 'Failed' })]).create, 2);
  assert.equal(planReplicas(2000, []).create, 500);
});

test('rankForDeletion() gives up first what is missed least', () => {
  const pods = [
    pod('ready-long', { node: 'w1', since: 100 }),
    pod('ready-short', { node: 'w2', since: 1 }),
    pod('cheap', { node: 'w3', since: 100, cost: '-5' }),
    pod('unready', { node: 'w1', ready: false }),
    pod('pending', { node: 'w1', phase: 'Pending', ready: false }),
    pod('unassigned', { phase: 'Pending', ready: false }),
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
    owned: [pod('a', { since: 20, labels: { app: 'web' } }), pod('b', { since: 4 })],
    previous: undefined,
    now: now,
  };
  const { status, lookAgainIn } = replicaStatus(input);
  assert.deepEqual(status, { replicas: 2, fullyLabeledReplicas: 1, readyReplicas: 2, availableReplicas: 1, observedGeneration: 2 });
  assert.equal(lookAgainIn, 6000);
});

test('templateHash() is the same for the same content in any order, and another after a collision', () => {
  assert.equal(templateHash({ a: 1, b: { c: [1, 2] } }), templateHash({ b: { c: [1, 2] }, a: 1, d: undefined }));
  assert.notEqual(templateHash({ a: 1 }), templateHash({ a: 1 }, 1));
  assert.match(templateHash({ a: 1 }), /^[bcdfghjklmnpqrstvwxz2456789]+$/);
});

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
    node('w1'),
    node('w2'),
    node('cp', { taints: [{ key: 'control', effect: 'NoSchedule' }] }),
    node('sick', { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] }),
  ];
  const hashed = { labels: { [hashLabel]: 'h' } };
  const owned = [
    pod('w1-a', { node: 'w1', ...hashed }),
    pod('w1-b', { node: 'w1', ...hashed }),
    pod('gone', { node: 'gone', ...hashed }),
    pod('cp-a', { node: 'cp', ...hashed }),
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
  const nodes = ['w1', 'w2', 'w3'].map((n) => node(n));
  const old = { labels: { [hashLabel]: 'old' } };
  const removed = (owned: Pod[]): string[] => planDaemons(daemonSet(), 'new', nodes, owned, now).remove.map((p) => p.metadata.name);
  assert.deepEqual(removed([pod('a', { node: 'w1', ...old }), pod('b', { node: 'w2', ...old }), pod('c', { node: 'w3', ...old })]), ['a']);
  assert.deepEqual(
    removed([pod('a', { node: 'w1', ...old }), pod('b', { node: 'w2', ...old, ready: false }), pod('c', { node: 'w3', ...old })]),
    ['b'],
  );
  assert.deepEqual(planDaemons(daemonSet(), 'new', nodes.slice(0, 1), [pod('a', { node: 'w1', deleted: true, ...old })], now).create, []);
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

test('freeSubnet() takes the first range that nobody has, also beside ranges of another length', () => {
  const cluster = mustCidr('10.244.0.0/22');
  assert.equal(freeSubnet(cluster, 24, new Map([['a', '10.244.0.0/24']]))?.text, '10.244.1.0/24');
  assert.equal(freeSubnet(cluster, 24, new Map([['a', '10.244.0.0/23']]))?.text, '10.244.2.0/24');
  assert.equal(freeSubnet(cluster, 24, new Map([['a', '10.244.0.0/22']]))?.text, undefined);
});

test('wantedTaints() follows the conditions, keeps what others set and when it was set', () => {
  const foreign = { key: 'dedicated', value: 'db', effect: 'NoSchedule' };
  const since = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: '2025-12-31T00:00:00Z' };
  const taints = wantedTaints(node('w1', { ready: 'Unknown', taints: [foreign, since] }), time);
  assert.deepEqual(taints, [foreign, { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule', timeAdded: time }, since]);
  assert.deepEqual(wantedTaints(node('w1', { ready: 'True', taints: [foreign, since] }), time), [foreign]);
  assert.equal(wantedTaints(node('w1', { ready: 'True', unschedulable: true }), time)[0]?.key, 'node.kubernetes.io/unschedulable');
});

test('unheardConditions() says Unknown once', () => {
  const first = unheardConditions(node('w1', { ready: 'True' }), time);
  assert.deepEqual(first?.map((c) => [c.type, c.status, c.reason]).at(0), ['Ready', 'Unknown', 'NodeStatusUnknown']);
  assert.equal(unheardConditions({ ...node('w1'), status: { conditions: first } }, time), undefined);
});

test('evictionTime() is the taint plus the shortest toleration, never for one without bound', () => {
  const sick = node('w1', { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: time }] });
  const tolerating = (tolerationSeconds?: number): Pod =>
    pod('p', { tolerations: [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds }] });
  assert.equal(
    evictionTime(tolerating(300), sick, () => now),
    now + 300_000,
  );
  assert.equal(
    evictionTime(tolerating(), sick, () => now),
    undefined,
  );
  assert.equal(
    evictionTime(pod('p'), sick, () => now),
    0,
  );
  assert.equal(
    evictionTime(pod('p'), node('w1'), () => now),
    undefined,
  );
  const byHand = node('w1', { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] });
  assert.equal(
    evictionTime(tolerating(300), byHand, () => now + 5_000),
    now + 305_000,
    'without a time, from when it was seen',
  );
  const late = { ...tolerating(300), metadata: { name: 'late', creationTimestamp: '2026-01-01T01:00:00Z' } };
  assert.equal(
    evictionTime(late, sick, () => now),
    now + 3_600_000 + 300_000,
    'a pod that came later has its seconds too',
  );
});

test('judge() deletes an object only when none of its owners is left', () => {
  const owned = (...uids: string[]) => ({
    ...pod('p'),
    metadata: { ...pod('p').metadata, ownerReferences: uids.map((uid) => ({ apiVersion: 'v1', kind: 'X', name: uid, uid })) },
  });
  assert.deepEqual(judge(owned('a'), new Map([['a', 'gone']]), false), { kind: 'delete', foreground: false });
  assert.equal(
    judge(
      owned('a', 'b'),
      new Map([
        ['a', 'gone'],
        ['b', 'there'],
      ]),
      false,
    ).kind,
    'unlink',
  );
  assert.equal(judge(owned('a'), new Map([['a', 'there']]), true).kind, 'keep');
  assert.deepEqual(judge(owned('a'), new Map([['a', 'deleting-dependents']]), true), { kind: 'delete', foreground: true });
});
