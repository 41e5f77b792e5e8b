import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, DeploymentSpec, ReplicaSet } from '../../api/schema/types.ts';
import { beyondHistory, boundsOf, highestRevision, newReplicaSet } from './desired.ts';
import { proportionalSizes, recreateSizes, rollingSizes, wasScaled } from './sizes.ts';
import { deploymentStatus } from './status.ts';

const template = (image: string) => ({ metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } });

function deployment(replicas: number, spec: Partial<DeploymentSpec> = {}, rest: Partial<Deployment> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', uid: 'd', generation: 1 },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template('b'), progressDeadlineSeconds: 600, ...spec },
    ...rest,
  };
}

interface Numbers {
  readonly size: number;
  readonly available?: number;
  readonly image?: string;
  readonly age?: number;
  readonly annotations?: Record<string, string>;
}

function set(name: string, { size, available = size, image = name, age = 0, annotations }: Numbers): ReplicaSet {
  const labels = { app: 'web', 'pod-template-hash': name };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      annotations,
      creationTimestamp: new Date(Date.UTC(2026, 0, 1) - age * 1000).toISOString(),
    },
    spec: { replicas: size, selector: { matchLabels: labels }, template: { ...template(image), metadata: { labels } } },
    status: { replicas: size, readyReplicas: available, availableReplicas: available, fullyLabeledReplicas: size },
  };
}

test('newReplicaSet() finds the template whatever the hash label says, the oldest first', () => {
  const sets = [set('a', { size: 1 }), set('b2', { size: 0, image: 'b' }), set('b1', { size: 0, image: 'b', age: 60 })];
  assert.equal(newReplicaSet(deployment(1), sets)?.metadata.name, 'b1');
  assert.equal(newReplicaSet(deployment(1, { template: template('z') }), sets), undefined);
});

test('boundsOf() rounds surge up and unavailability down, and never lets both be zero', () => {
  assert.deepEqual(boundsOf(deployment(3)), { maxSurge: 1, maxUnavailable: 0 });
  assert.deepEqual(boundsOf(deployment(10)), { maxSurge: 3, maxUnavailable: 2 });
  assert.deepEqual(
    boundsOf(deployment(3, { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: '10%' } } })),
    { maxSurge: 0, maxUnavailable: 1 },
  );
});

const rolling: readonly (readonly [string, number, Numbers, Numbers, Record<string, number>])[] = [
  ['starts by going up as far as the surge allows', 3, { size: 0 }, { size: 3 }, { b: 1 }],
  ['does not go down before the new pod is available', 3, { size: 1, available: 0 }, { size: 3 }, {}],
  ['goes down once it is', 3, { size: 1 }, { size: 3 }, { a: 2 }],
  ['ends with the last old pod', 3, { size: 3 }, { size: 1 }, { a: 0 }],
  ['takes old pods that serve nobody first, at no cost', 3, { size: 0 }, { size: 3, available: 0 }, { b: 1 }],
  ['cleans up unhealthy old pods when the surge is used', 3, { size: 1, available: 0 }, { size: 3, available: 2 }, {}],
  ['replaces all of a broken old one', 4, { size: 1, available: 1 }, { size: 4, available: 2 }, { a: 2 }],
];
for (const [sentence, replicas, fresh, old, want] of rolling) {
  test(`rollingSizes() ${sentence}`, () => {
    const sizes = rollingSizes(deployment(replicas), set('b', fresh), [set('a', { ...old, age: 60 })]);
    assert.deepEqual(Object.fromEntries(sizes), want);
  });
}

test('a rolling update of any numbers keeps its promises at every step and comes to its end', () => {
  const seed = Number(process.env.FAIRLEAD_SEED ?? Date.now() % 1e9);
  let state = seed;
  const random = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let round = 0; round < 200; round++) {
    const replicas = 1 + random(12);
    const maxSurge = random(4);
    const maxUnavailable = random(4);
    const d = deployment(replicas, { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } });
    const bounds = boundsOf(d);
    const now = { a: { size: replicas, up: replicas }, b: { size: 0, up: 0 } };
    let steps = 0;
    while (now.a.size > 0 || now.b.up < replicas) {
      assert.ok(steps++ < 500, `seed ${seed}: no end with ${replicas} replicas, surge ${maxSurge}, unavailable ${maxUnavailable}`);
      const sizes = rollingSizes(d, set('b', { size: now.b.size, available: now.b.up }), [
        set('a', { size: now.a.size, available: now.a.up, age: 60 }),
      ]);
      now.a.size = sizes.get('a') ?? now.a.size;
      now.b.size = sizes.get('b') ?? now.b.size;
      now.a.up = Math.min(now.a.up, now.a.size);
      assert.ok(now.a.size + now.b.size <= replicas + bounds.maxSurge, `seed ${seed}: too many pods`);
      assert.ok(now.a.up + now.b.up >= replicas - bounds.maxUnavailable, `seed ${seed}: too few available`);
      // Some of the new pods become available, sometimes none.
      now.b.up = Math.min(now.b.size, now.b.up + random(3));
    }
  }
});

test('recreateSizes() brings the new up only when nothing old runs', () => {
  const d = deployment(2, { strategy: { type: 'Recreate' } });
  assert.deepEqual(Object.fromEntries(recreateSizes({ deployment: d, fresh: undefined, old: [set('a', { size: 2 })] }, true)), { a: 0 });
  assert.deepEqual(
    Object.fromEntries(recreateSizes({ deployment: d, fresh: set('b', { size: 0 }), old: [set('a', { size: 0 })] }, true)),
    {},
  );
  assert.deepEqual(
    Object.fromEntries(recreateSizes({ deployment: d, fresh: set('b', { size: 0 }), old: [set('a', { size: 0 })] }, false)),
    { b: 2 },
  );
});

test('proportionalSizes() scales a finished rollout as one, and one under way in proportion', () => {
  assert.deepEqual(Object.fromEntries(proportionalSizes(deployment(5), set('b', { size: 3 }), [set('a', { size: 0 })])), { b: 5 });
  const stamps = { 'deployment.kubernetes.io/desired-replicas': '10', 'deployment.kubernetes.io/max-replicas': '13' };
  const sizes = proportionalSizes(deployment(20), set('b', { size: 5, annotations: stamps }), [
    set('a', { size: 8, age: 60, annotations: stamps }),
  ]);
  assert.deepEqual(Object.fromEntries(sizes), { a: 15, b: 10 });
});

test('wasScaled() compares with the size that was stamped', () => {
  const stamped = set('b', { size: 3, annotations: { 'deployment.kubernetes.io/desired-replicas': '3' } });
  assert.equal(wasScaled(deployment(3), [stamped]), false);
  assert.equal(wasScaled(deployment(5), [stamped]), true);
});

test('beyondHistory() gives up the oldest revisions that nothing runs in', () => {
  const old = ['1', '2', '3'].map((r) => set(`r${r}`, { size: 0, annotations: { 'deployment.kubernetes.io/revision': r } }));
  assert.deepEqual(
    beyondHistory(deployment(1, { revisionHistoryLimit: 1 }), old).map((rs) => rs.metadata.name),
    ['r1', 'r2'],
  );
});

test('highestRevision() reads an int64 to its last digit, and nothing else', () => {
  const revised = (revision: string): ReplicaSet => set('r', { size: 0, annotations: { 'deployment.kubernetes.io/revision': revision } });
  assert.equal(highestRevision([revised('3546343826724305832'), revised('7')]) + 1n, 3546343826724305833n);
  for (const text of ['', 'x', '1.5', '-3', '0x10', '9'.repeat(40)]) assert.equal(highestRevision([revised(text)]), 0n, text);
});

test('deploymentStatus() tells a rollout that stands still from one that moves', () => {
  const start = Date.UTC(2026, 0, 1);
  const reasonOf = (d: Deployment, fresh: ReplicaSet, now: number): string | undefined =>
    deploymentStatus({ deployment: d, fresh, old: [], isNew: false }, now).status.conditions?.find((c) => c.type === 'Progressing')?.reason;
  const first = deploymentStatus({ deployment: deployment(2), fresh: set('b', { size: 2, available: 0 }), old: [], isNew: true }, start);
  assert.equal(first.lookAgainIn, 600_000);
  const later = deployment(2, {}, { status: first.status });
  assert.equal(reasonOf(later, set('b', { size: 2, available: 1 }), start + 1000), 'ReplicaSetUpdated');
  assert.equal(reasonOf(later, set('b', { size: 2, available: 0 }), start + 599_000), 'NewReplicaSetCreated');
  assert.equal(reasonOf(later, set('b', { size: 2, available: 0 }), start + 600_000), 'ProgressDeadlineExceeded');
  assert.equal(reasonOf(later, set('b', { size: 2 }), start + 1000), 'NewReplicaSetAvailable');
});

/** Of a Deployment of two: its spec, what Progressing said, its ReplicaSet, whether that is new, and what Progressing says then. */
const progress: readonly (readonly [string, Partial<DeploymentSpec>, string | undefined, Numbers | undefined, boolean, string])[] = [
  ['that has just begun', {}, undefined, { size: 2, available: 0 }, true, 'True NewReplicaSetCreated Created new replica set "b"'],
  ['that finds its ReplicaSet', {}, undefined, { size: 2 }, false, 'True FoundNewReplicaSet Found new replica set "b"'],
  [
    'that is through',
    {},
    'NewReplicaSetCreated',
    { size: 2 },
    false,
    'True NewReplicaSetAvailable ReplicaSet "b" has successfully progressed.',
  ],
  ['that goes on', {}, 'NewReplicaSetCreated', { size: 2, available: 1 }, false, 'True ReplicaSetUpdated ReplicaSet "b" is progressing.'],
  ['that is paused', { paused: true }, 'NewReplicaSetCreated', { size: 2 }, false, 'Unknown DeploymentPaused Deployment is paused'],
  [
    'that got stuck before it was paused',
    { paused: true },
    'ProgressDeadlineExceeded',
    { size: 2 },
    false,
    'True ProgressDeadlineExceeded was',
  ],
  ['that is resumed', {}, 'DeploymentPaused', { size: 2 }, false, 'Unknown DeploymentResumed Deployment is resumed'],
  ['without a ReplicaSet', {}, 'NewReplicaSetCreated', undefined, false, 'True NewReplicaSetCreated was'],
  ['without a deadline', { progressDeadlineSeconds: 2 ** 31 - 1 }, undefined, { size: 2 }, true, 'nothing'],
];
for (const [what, spec, was, numbers, isNew, wanted] of progress) {
  test(`deploymentStatus() says of a rollout ${what}: ${wanted}`, () => {
    const conditions = was === undefined ? [] : [{ type: 'Progressing', status: 'True', reason: was, message: 'was' }];
    const fresh = numbers && set('b', numbers);
    const { status } = deploymentStatus({ deployment: deployment(2, spec, { status: { conditions } }), fresh, old: [], isNew }, 0);
    const found = status.conditions?.find((c) => c.type === 'Progressing');
    assert.equal(found ? `${found.status} ${found.reason} ${found.message}` : 'nothing', wanted);
  });
}

test('deploymentStatus() counts what all its ReplicaSets have, and passes on that one cannot make pods', () => {
  const failing = set('b', { size: 3, available: 1 });
  const failure = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' };
  const fresh = { ...failing, status: { ...failing.status, replicas: 2, conditions: [failure] } };
  const { status } = deploymentStatus({ deployment: deployment(4), fresh, old: [set('a', { size: 2 })], isNew: false }, 0);
  const { replicas, updatedReplicas, readyReplicas, availableReplicas, unavailableReplicas, conditions = [] } = status;
  assert.deepEqual([replicas, updatedReplicas, readyReplicas, availableReplicas, unavailableReplicas], [4, 2, 3, 3, 2]);
  assert.deepEqual(
    conditions.filter((c) => c.type !== 'Progressing').map((c) => `${c.type} ${c.status} ${c.reason} ${c.message}`),
    ['Available True MinimumReplicasAvailable Deployment has minimum availability.', 'ReplicaFailure True FailedCreate quota'],
  );
});

test('proportionalSizes() leaves one size when one is left, and lets the old go when the new has all', () => {
  const sizes = (replicas: number, fresh: ReplicaSet | undefined, ...old: ReplicaSet[]): Record<string, number> =>
    Object.fromEntries(proportionalSizes(deployment(replicas), fresh, old));
  assert.deepEqual(sizes(3, undefined, set('a', { size: 0 }), set('b', { size: 0, age: 60 })), { a: 3 });
  assert.deepEqual(sizes(3, set('b', { size: 3 }), set('a', { size: 1 })), { a: 0 });
  assert.deepEqual(sizes(0, set('b', { size: 1 }), set('a', { size: 1 })), { a: 0, b: 0 });
  assert.deepEqual(sizes(1, set('b', { size: 1, available: 0 }), set('a', { size: 1 })), {});
});
