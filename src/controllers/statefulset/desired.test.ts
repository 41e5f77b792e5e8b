import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  ControllerRevision,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
  StatefulSetSpec,
  StatefulSetStatus,
} from '../../api/schema/types.ts';
import { lookAgainIn, maxUnavailable, planStatefulSet, type Step, statefulSetStatus } from './desired.ts';
import { claimOwners, claimsFor, isClaimOfFormerPod, missingLabels, ordinalOf, statefulPod } from './pod-identity.ts';

const now = Date.UTC(2026, 0, 1);

function set(spec: Partial<StatefulSetSpec> = {}, status?: StatefulSetStatus): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default', uid: 'u', generation: 1 },
    spec: {
      serviceName: 'db',
      replicas: 3,
      selector: { matchLabels: { app: 'db' } },
      template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'main' }] } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
    ...(status ? { status } : {}),
  };
}

function revision(name: string): ControllerRevision {
  const data = { spec: { template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name }] }, $patch: 'replace' } } };
  return { apiVersion: 'apps/v1', kind: 'ControllerRevision', metadata: { name }, revision: 1, data };
}
const [v1, v2] = [revision('v1'), revision('v2')];

/** `0`, `1!` (not ready), `2-` (leaving), `3x` (failed), `0@v2` (of another revision), `4?` (without labels). */
function pod(text: string): Pod {
  const [, ordinal, mark, at = 'v1'] = /^(\d+)([!x?-]?)(?:@(.*))?$/.exec(text) ?? [];
  const name = `db-${ordinal}`;
  const identity = mark === '?' ? {} : { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': ordinal };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      labels: { 'controller-revision-hash': at, ...identity } as Record<string, string>,
      ...(mark === '-' ? { deletionTimestamp: new Date(now).toISOString() } : {}),
    },
    status: {
      phase: mark === 'x' ? 'Failed' : 'Running',
      conditions: [
        {
          type: 'Ready',
          status: mark === '!' || mark === 'x' ? 'False' : 'True',
          lastTransitionTime: new Date(now - 60_000).toISOString(),
        },
      ],
    },
  };
}

function words(steps: readonly Step[]): string {
  return steps
    .map((step) =>
      step.kind === 'create' ? `create ${step.ordinal}@${step.revision.metadata.name}` : `${step.kind} ${step.pod.metadata.name.slice(3)}`,
    )
    .join(', ');
}

const parallel = { podManagementPolicy: 'Parallel' };
const plans: readonly [string, Partial<StatefulSetSpec>, string, string][] = [
  ['makes the first pod first', {}, '', 'create 0@v2'],
  ['waits for it to be ready', {}, '0!@v2', ''],
  ['goes on with the next', {}, '0@v2', 'create 1@v2'],
  ['fills a gap before it goes on', { replicas: 4 }, '0@v2 2@v2', 'create 1@v2'],
  ['waits until a pod has been available for long enough', { minReadySeconds: 61 }, '0@v2', ''],
  ['makes all at once when Parallel', parallel, '1@v2', 'create 0@v2, create 2@v2'],
  ['begins where the ordinals begin', { replicas: 1, ordinals: { start: 5 } }, '', 'create 5@v2'],
  ['deletes a failed pod and waits for it to go', {}, '0x@v2', 'delete 0'],
  ['shrinks from the end, one by one', { replicas: 1 }, '0@v2 1@v2 2@v2', 'delete 2'],
  ['waits for the one that goes', { replicas: 1 }, '0@v2 1@v2 2-@v2', ''],
  ['shrinks past a pod that is not ready only when it is the first such', { replicas: 1 }, '0@v2 1!@v2 2!@v2', ''],
  ['takes the pod that is not ready when it is the first', { replicas: 1 }, '0@v2 1@v2 2!@v2', 'delete 2'],
  ['shrinks at once when Parallel', { ...parallel, replicas: 1 }, '0@v2 1@v2 2!@v2', 'delete 2, delete 1'],
  ['updates from the end', {}, '0 1 2', 'delete 2'],
  ['updates the next when the last is ready', {}, '0 1 2@v2', 'delete 1'],
  ['waits for the updated pod', {}, '0 1 2!@v2', ''],
  ['leaves what is below the partition', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } }, '0 1 2@v2', ''],
  [
    'makes pods below the partition as they were',
    { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
    '',
    'create 0@v1',
  ],
  ['updates nothing OnDelete', { updateStrategy: { type: 'OnDelete' } }, '0 1 2', ''],
  ['makes new what was deleted OnDelete', { updateStrategy: { type: 'OnDelete' } }, '1 2', 'create 0@v2'],
  ['labels pods that it took over', {}, '0@v2 1?@v2 2@v2', 'label 1'],
  ['waits for the updated pod also when Parallel', parallel, '0 1 2!@v2', ''],
  ['replaces pods that do not serve at once when Parallel, before any that does', parallel, '0! 1! 2', 'delete 1, delete 0'],
  ['replaces a pod of a broken template when Parallel', { ...parallel, replicas: 1 }, '0!', 'delete 0'],
  ['deletes a failed pod of the old template once', parallel, '0 1x 2', 'delete 1'],
  ['has one pod unless it says how many', { replicas: undefined }, '0@v2', ''],
  ['makes new pods at once by a rolling update without a partition', { updateStrategy: { type: 'RollingUpdate' } }, '', 'create 0@v2'],
];

for (const [name, spec, pods, wanted] of plans) {
  test(`planStatefulSet() ${name}`, () => {
    const list = pods === '' ? [] : pods.split(' ').map(pod);
    assert.equal(words(planStatefulSet({ set: set(spec), current: v1, update: v2, pods: list, now: now })), wanted);
  });
}

/** Of six pods, three of which stay as they are. */
const [inOrder, atOnce] = ['OrderedReady', 'Parallel'].map((podManagementPolicy) => (maxUnavailable: number | string) => ({
  podManagementPolicy,
  replicas: 6,
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 3, maxUnavailable } },
})) as [(most: number | string) => Partial<StatefulSetSpec>, (most: number | string) => Partial<StatefulSetSpec>];

const rollingUpdates: readonly [string, Partial<StatefulSetSpec>, string, string][] = [
  ['takes as many as may be missing, from the end', inOrder(2), '0 1 2 3 4 5', 'delete 5, delete 4'],
  ['takes as many as may be missing when Parallel', atOnce(2), '0 1 2 3 4 5', 'delete 5, delete 4'],
  ['takes a share of all pods, rounded down', inOrder('40%'), '0 1 2 3 4 5', 'delete 5, delete 4'],
  ['takes one where the share is less', inOrder('1%'), '0 1 2 3 4 5', 'delete 5'],
  ['takes none below the partition', atOnce(6), '0 1 2 3 4 5', 'delete 5, delete 4, delete 3'],
  ['makes them again one by one in order', inOrder(2), '0 1 2 3', 'create 4@v2'],
  ['takes no more in order while one of them is missing', inOrder(2), '0 1 2 3 4@v2', 'create 5@v2'],
  ['makes them again at once when Parallel', atOnce(2), '0 1 2 3', 'create 4@v2, create 5@v2'],
  ['takes the next when one of two serves again', atOnce(2), '0 1 2 3 4@v2 5!@v2', 'delete 3'],
  ['takes none when all above the partition are new', atOnce(2), '0 1 2 3@v2 4@v2 5@v2', ''],
  ['counts the last one that leaves', atOnce(2), '0 1 2 3 4 5-', 'delete 4'],
  ['counts another one that leaves', atOnce(2), '0 1 2 3- 4 5', 'delete 5'],
  ['takes none while two leave', atOnce(2), '0 1 2 3- 4- 5', ''],
  ['takes none while more leave than may be missing', atOnce(2), '0 1 2 3- 4- 5-', ''],
  ['counts one that leaves below the partition', atOnce(2), '0 1 2- 3 4 5', 'delete 5'],
  ['counts one that does not serve below the partition, and leaves it', atOnce(2), '0 1 2! 3 4 5', 'delete 5'],
  ['counts those that have not been ready for long enough', { ...atOnce(2), minReadySeconds: 61 }, '0@v2 1@v2 2@v2 3@v2 4@v2 5@v2', ''],
  ['waits in order for a pod that leaves', inOrder(2), '0 1 2 3 4 5-', ''],
];

for (const [name, spec, pods, wanted] of rollingUpdates) {
  test(`a rolling update ${name}`, () => {
    assert.equal(words(planStatefulSet({ set: set(spec), current: v1, update: v2, pods: pods.split(' ').map(pod), now })), wanted);
  });
}

test('maxUnavailable() is a number, or a share rounded down, and one at least', () => {
  const of = (most: number | string | undefined, replicas: number): number =>
    maxUnavailable(set({ replicas, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: most } } }));
  assert.deepEqual([of(undefined, 10), of(3, 10), of(3, 0), of(0, 0)], [1, 3, 3, 1]);
  assert.deepEqual([of('10%', 25), of('100%', 5), of('50%', 5), of('10%', 5), of('1%', 0), of('0%', 0)], [2, 5, 2, 1, 1, 1]);
  assert.equal(maxUnavailable(set({ updateStrategy: { type: 'OnDelete' } })), 1);
});

test('planStatefulSet() makes pods as they were, as many as are at the current revision', () => {
  const at = (currentReplicas: number): string =>
    words(planStatefulSet({ set: set({ updateStrategy: {} }, { replicas: 1, currentReplicas }), current: v1, update: v2, pods: [], now }));
  assert.deepEqual([at(0), at(1)], ['create 0@v2', 'create 0@v1']);
});

test('planStatefulSet() ignores pods of other names, and does nothing for a set that is being deleted', () => {
  const stranger = { ...pod('0'), metadata: { ...pod('0').metadata, name: 'other-0' } };
  assert.deepEqual(planStatefulSet({ set: set({ replicas: 0 }), current: v1, update: v2, pods: [stranger], now }), []);
  const going = { ...set(), metadata: { ...set().metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
  assert.deepEqual(planStatefulSet({ set: going, current: v1, update: v2, pods: [], now }), []);
});

test('lookAgainIn() is when the next ready pod has been so for long enough', () => {
  const of = (minReadySeconds: number, ...pods: string[]): number | undefined =>
    lookAgainIn({ set: set({ minReadySeconds }), pods: pods.map(pod), now });
  assert.deepEqual([of(61, '0', '1!'), of(60, '0'), of(61, '1!'), of(61)], [1_000, undefined, undefined, undefined]);
});

test('statefulSetStatus() counts by revision and completes an update when every pod is at it and ready', () => {
  const half = statefulSetStatus({ set: set(), current: v1, update: v2, pods: ['0', '1-', '2!@v2'].map(pod), now: now });
  assert.deepEqual(half, {
    observedGeneration: 1,
    replicas: 3,
    readyReplicas: 2,
    availableReplicas: 2,
    currentReplicas: 1,
    updatedReplicas: 1,
    currentRevision: 'v1',
    updateRevision: 'v2',
    collisionCount: 0,
  });
  const done = statefulSetStatus({ set: set(), current: v1, update: v2, pods: ['0@v2', '1@v2', '2@v2'].map(pod), now: now });
  assert.deepEqual([done.currentRevision, done.currentReplicas, done.updatedReplicas], ['v2', 3, 3]);
});

test('ordinalOf() knows pods of the set by their name alone', () => {
  const of = (name: string): number | undefined => ordinalOf(set(), { metadata: { name } } as Pod);
  assert.deepEqual(['db-0', 'db-12', 'db-01', 'db-x', 'other-1', 'db', 'db-1-2', 'db-9999999999'].map(of), [
    0,
    12,
    ...Array(6).fill(undefined),
  ]);
});

const claimed = { volumeClaimTemplates: [{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec: {} }] };

test('statefulPod() has the identity that its ordinal gives it', () => {
  const { metadata, spec } = statefulPod(set(claimed), 2, v2);
  assert.deepEqual([metadata.name, metadata.generateName, spec?.hostname, spec?.subdomain], ['db-2', undefined, 'db-2', 'db']);
  assert.deepEqual(metadata.labels, {
    app: 'db',
    'statefulset.kubernetes.io/pod-name': 'db-2',
    'apps.kubernetes.io/pod-index': '2',
    'controller-revision-hash': 'v2',
  });
  assert.deepEqual(spec?.volumes, [{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-2' } }]);
  assert.deepEqual(
    claimsFor(set(claimed), 2).map((c) => [c.apiVersion, c.kind, c.metadata.name, c.metadata.namespace, c.metadata.labels]),
    [['v1', 'PersistentVolumeClaim', 'data-db-2', 'default', { app: 'db' }]],
  );
});

test('claimOwners() follows the retention policy and never touches a claim of somebody else', () => {
  const owned = (policy: object, of: Pod, ownerReferences: object[] = []): string[] | undefined =>
    claimOwners(set({ ...claimed, persistentVolumeClaimRetentionPolicy: policy }), of, {
      metadata: { name: 'data-db-0', ownerReferences },
    } as PersistentVolumeClaim)?.map((ref) => `${ref.kind} ${ref.name}`);
  const keep = { whenDeleted: 'Retain', whenScaled: 'Retain' };
  const ours = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'u', controller: true };
  assert.equal(owned(keep, pod('0')), undefined);
  assert.deepEqual(owned(keep, pod('0'), [ours]), []);
  assert.deepEqual(owned({ ...keep, whenDeleted: 'Delete' }, pod('0')), ['StatefulSet db']);
  assert.equal(owned({ ...keep, whenDeleted: 'Delete' }, pod('0'), [ours]), undefined);
  assert.equal(owned({ ...keep, whenScaled: 'Delete' }, pod('0')), undefined);
  assert.deepEqual(owned({ ...keep, whenScaled: 'Delete' }, pod('7')), ['Pod db-7']);
  assert.equal(owned({ ...keep, whenDeleted: 'Delete' }, pod('0'), [{ ...ours, uid: 'former' }]), undefined);
  assert.equal(owned({ ...keep, whenDeleted: 'Delete' }, pod('0'), [{ ...ours, kind: 'Other', uid: 'x' }]), undefined);
  const guest = { apiVersion: 'v1', kind: 'ConfigMap', name: 'guest', uid: 'x' };
  assert.deepEqual(owned({ ...keep, whenDeleted: 'Delete' }, pod('0'), [guest]), ['ConfigMap guest', 'StatefulSet db']);
  assert.deepEqual(owned(keep, pod('0'), [guest, ours]), ['ConfigMap guest']);
});

test('isClaimOfFormerPod() holds for a claim that goes with a pod of that name, if claims go when the set shrinks', () => {
  const is = (whenScaled: string, kind: string, name: string): boolean => {
    const metadata = { name: 'data-db-0', ownerReferences: [{ apiVersion: 'v1', kind, name, uid: 'x' }] };
    const policy = { whenDeleted: 'Retain', whenScaled };
    return isClaimOfFormerPod(set({ ...claimed, persistentVolumeClaimRetentionPolicy: policy }), 0, { metadata } as PersistentVolumeClaim);
  };
  assert.equal(is('Delete', 'Pod', 'db-0'), true);
  assert.equal(is('Delete', 'Pod', 'db-1'), false);
  assert.equal(is('Delete', 'StatefulSet', 'db-0'), false);
  assert.equal(is('Retain', 'Pod', 'db-0'), false);
});

test('missingLabels() gives a pod that was taken over what it lacks, and nothing to one that has all', () => {
  assert.deepEqual(missingLabels(set(), pod('2?')), { 'statefulset.kubernetes.io/pod-name': 'db-2', 'apps.kubernetes.io/pod-index': '2' });
  assert.equal(missingLabels(set(), pod('2')), undefined);
});
