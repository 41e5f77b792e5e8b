import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../api/schema/types.ts';
import { type Choice, choose, enoughNodes, refusalMessage } from './choose.ts';
import type { Cluster } from './cluster.ts';
import type { Plugin, Scoring } from './plugin.ts';
import { defaultProfile } from './profile.ts';
import { asks, clusterOf, node, pod } from './testing/samples.ts';

const run = (p: Pod, cluster: Cluster): Choice => choose(p, cluster, defaultProfile, 0, 0);

function chosen(p: Pod, cluster: Cluster): string {
  const choice = run(p, cluster);
  return choice.kind === 'node' ? choice.name : refusalMessage(choice, cluster.nodes.length);
}

const near = (topologyKey: string, app: string) => [{ topologyKey, labelSelector: { matchLabels: { app } } }];
const web = { labels: { app: 'web' } };

const cases: readonly (readonly [string, Pod, Cluster, string])[] = [
  [
    'a pod that nobody tolerates is told why, node by node',
    pod('p', asks('3')),
    clusterOf([node('cp', { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }), node('w1'), node('w2')]),
    '0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient cpu. cp: had untolerated taint {node-role.kubernetes.io/control-plane: }; w1: Insufficient cpu; w2: Insufficient cpu',
  ],
  [
    'every resource that is short is named',
    pod('p', asks('3', '9Gi')),
    clusterOf([node('w1')]),
    '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. w1: Insufficient cpu, Insufficient memory',
  ],
  ['no nodes at all', pod('p'), clusterOf([]), 'no nodes available to schedule pods'],
  ['a cordoned node is left out', pod('p'), clusterOf([node('w1', { unschedulable: true }), node('w2')]), 'w2'],
  ['what runs already counts', pod('p', asks('1')), clusterOf([node('w1'), node('w2')], [[pod('a', asks('1500m')), 'w1']]), 'w2'],
  [
    'a pod that ended makes room',
    pod('p', asks('2')),
    clusterOf([node('w1')], [[{ ...pod('a', asks('2')), status: { phase: 'Succeeded' } }, 'w1']]),
    'w1',
  ],
  [
    'the number of pods is bounded',
    pod('p'),
    clusterOf([node('w1', { allocatable: { pods: '1' } })], [[pod('a'), 'w1']]),
    '0/1 nodes are available: 1 Too many pods.',
  ],
  [
    'nodeSelector must fit',
    pod('p', { nodeSelector: { disk: 'ssd' } }),
    clusterOf([node('w1'), node('w2', { labels: { disk: 'ssd' } })]),
    'w2',
  ],
  [
    'required node affinity knows Gt',
    pod('p', {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'gen', operator: 'Gt', values: ['3'] }] }],
          },
        },
      },
    }),
    clusterOf([node('w1', { labels: { gen: '3' } }), node('w2', { labels: { gen: '4' } })]),
    'w2',
  ],
  [
    'preferred node affinity draws',
    pod('p', {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 50, preference: { matchExpressions: [{ key: 'disk', operator: 'Exists' }] } },
          ],
        },
      },
    }),
    clusterOf([node('w1'), node('w2', { labels: { disk: 'ssd' } })]),
    'w2',
  ],
  [
    'a toleration opens a tainted node',
    pod('p', { tolerations: [{ operator: 'Exists' }] }),
    clusterOf([node('w1', { taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }] })]),
    'w1',
  ],
  [
    'PreferNoSchedule only repels',
    pod('p'),
    clusterOf([node('w1', { taints: [{ key: 'a', effect: 'PreferNoSchedule' }] }), node('w2')]),
    'w2',
  ],
  [
    'a host port is there once',
    pod('p', { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, hostIP: '10.0.0.1' }] }] }),
    clusterOf([node('w1')], [[pod('a', { containers: [{ name: 'c', ports: [{ containerPort: 8080, hostPort: 80 }] }] }), 'w1']]),
    "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  ],
  [
    'pod affinity goes where the other runs',
    pod('p', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near('kubernetes.io/hostname', 'web') } } }),
    clusterOf([node('w1'), node('w2')], [[pod('a', {}, web), 'w2']]),
    'w2',
  ],
  [
    'the first of a group that wants to be near itself may start anywhere',
    pod('p', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near('kubernetes.io/hostname', 'web') } } }, web),
    clusterOf([node('w1')]),
    'w1',
  ],
  [
    'pod anti-affinity keeps away',
    pod('p', { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near('kubernetes.io/hostname', 'web') } } }),
    clusterOf([node('w1'), node('w2')], [[pod('a', {}, web), 'w1']]),
    'w2',
  ],
  [
    'anti-affinity of a pod that runs keeps a newcomer away',
    pod('p', {}, web),
    clusterOf(
      [node('w1')],
      [
        [
          pod('a', {
            affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near('kubernetes.io/hostname', 'web') } },
          }),
          'w1',
        ],
      ],
    ),
    "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
  ],
  [
    'affinity looks at the own namespace only',
    pod('p', { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near('kubernetes.io/hostname', 'web') } } }),
    clusterOf([node('w1')], [[pod('a', {}, { ...web, namespace: 'other' }), 'w1']]),
    'w1',
  ],
  [
    'replicas of one owner spread',
    pod('p', {}, { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u', controller: true }] }),
    clusterOf(
      [node('w1'), node('w2')],
      [[pod('a', {}, { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u', controller: true }] }), 'w1']],
    ),
    'w2',
  ],
];

for (const [sentence, p, cluster, want] of cases) test(`choose(): ${sentence}`, () => assert.equal(chosen(p, cluster), want));

test('an assumed pod counts until it is taken back', () => {
  const cluster = clusterOf([node('w1')]);
  cluster.assume('default/a', pod('a', asks('2')), 'w1');
  assert.equal(run(pod('p', asks('1')), cluster).kind, 'none');
  cluster.setPod('default/a', pod('a', asks('2')));
  assert.equal(run(pod('p', asks('1')), cluster).kind, 'none', 'an update without a node does not undo what is assumed');
  cluster.removePod('default/a');
  assert.equal(run(pod('p', asks('1')), cluster).kind, 'node');
});

test('init containers count by the greatest, sidecars with the rest', () => {
  const cluster = clusterOf([node('w1')]);
  const withInit = (cpu: string, restartPolicy?: string): Pod =>
    pod('p', {
      containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }],
      initContainers: [{ name: 'i', restartPolicy, resources: { requests: { cpu } } }],
    });
  assert.equal(run(withInit('2'), cluster).kind, 'node');
  assert.equal(run(withInit('1500m', 'Always'), cluster).kind, 'none');
});

for (const [what, asked, has, reason, room] of [
  ['what it is to get counts', '1500m', '500m', undefined, false],
  ['what it has counts until it gave it back', '500m', '1500m', undefined, false],
  ['what waits for room counts', '1500m', '500m', 'Deferred', false],
  ['what the node will never have does not count', '99', '500m', 'Infeasible', true],
] as const)
  test(`of a pod that is resized, ${what}`, () => {
    const status = { name: 'c', allocatedResources: { cpu: has }, resources: { requests: { cpu: has } } };
    const conditions = reason ? [{ type: 'PodResizePending', status: 'True', reason }] : [];
    const resized = { ...pod('a', asks(asked)), status: { containerStatuses: [status], conditions } } as unknown as Pod;
    assert.equal(run(pod('p', asks('1')), clusterOf([node('w1')], [[resized, 'w1']])).kind, room ? 'node' : 'none');
  });

test('a large cluster is looked at in part', () => {
  const enough = (percentage: number): number[] => [100, 101, 1000, 5000, 10_000].map((nodes) => enoughNodes(nodes, percentage));
  assert.deepEqual(enough(0), [100, 100, 420, 500, 500]);
  assert.deepEqual(enough(1), [100, 100, 100, 100, 100]);
  assert.deepEqual(enough(20), [100, 100, 200, 1000, 2000]);
  assert.deepEqual(enough(100), [100, 101, 1000, 5000, 10_000]);
});

const three = clusterOf([node('a'), node('b'), node('c')]);

/** Which of the nodes a, b and c, whose scores are these. */
function bestOf(scale: Scoring['scale'], scores: readonly number[], pick: number = 0, weight: number = 1): string {
  const scoring = (of: readonly number[], how?: Scoring): Plugin => ({
    name: 'x',
    ...(how ? { scoring: how } : {}),
    prepare: () => ({ score: ({ name }) => of['abc'.indexOf(name)] ?? 0 }),
  });
  const both = [scoring(scores, weight === 0 ? undefined : { weight, scale }), scoring([0, 0, 10], { weight: 1, scale: 'percent' })];
  const choice = choose(pod('p'), three, { plugins: both, percentageOfNodesToScore: 0 }, 0, pick);
  return choice.kind === 'node' ? choice.name : 'none';
}

const scales: readonly (readonly [string, Scoring['scale'], readonly number[], string])[] = [
  ['percent takes scores as they are', 'percent', [9, 0, 0], 'c'],
  ['percent: one more than another plugin says', 'percent', [11, 0, 0], 'a'],
  ['spread brings the best to 100, however small', 'spread', [0.2, 0.1, 0.1], 'a'],
  ['spread counts from the least', 'spread', [1010, 1019, 1020], 'c'],
  ['spread says nothing when all are the same', 'spread', [7, 7, 7], 'c'],
  ['reverse likes what has none', 'reverse', [5, 0, 5], 'b'],
  ['reverse counts from 0, not from the least', 'reverse', [19, 20, 20], 'c'],
  ['reverse says nothing when nobody has any', 'reverse', [0, 0, 0], 'c'],
];
for (const [sentence, scale, scores, want] of scales) test(`choose(): ${sentence}`, () => assert.equal(bestOf(scale, scores), want));

test('choose(): weights count, and a plugin that only filters does not score', () => {
  assert.equal(bestOf('percent', [6, 0, 0], 0, 1), 'c');
  assert.equal(bestOf('percent', [6, 0, 0], 0, 2), 'a');
  assert.equal(bestOf('percent', [90, 0, 0], 0, 0), 'c');
});

test('choose(): among the best the given number picks, and the first that is looked at comes first', () => {
  assert.deepEqual(
    [0, 0.49, 0.5, 0.99].map((pick) => bestOf('percent', [10, 0, 0], pick)),
    ['a', 'a', 'c', 'c'],
  );
  const from = (startAt: number): Choice => choose(pod('p'), three, { plugins: [], percentageOfNodesToScore: 0 }, startAt, 0);
  assert.deepEqual(
    [0, 1, 2, 3].map(from).map((c) => c.kind === 'node' && c.name),
    ['a', 'b', 'c', 'a'],
  );
});

test('refusalMessage() names ten nodes, and counts the rest', () => {
  const named = (n: number): string => {
    const nodes = Array.from({ length: n }, (_, i) => node(`w${i}`, i === 0 ? { unschedulable: true } : {}));
    return chosen(pod('p', asks('3')), clusterOf(nodes));
  };
  const words = (...numbers: readonly number[]): string =>
    ['w0: were unschedulable', ...numbers.map((n) => `w${n}: Insufficient cpu`)].join('; ');
  const ten = words(1, 2, 3, 4, 5, 6, 7, 8, 9);
  assert.equal(named(10), `0/10 nodes are available: 1 node(s) were unschedulable, 9 Insufficient cpu. ${ten}`);
  // As kubectl sorts them.
  const twelve = words(1, 10, 11, 2, 3, 4, 5, 6, 7);
  assert.equal(named(12), `0/12 nodes are available: 1 node(s) were unschedulable, 11 Insufficient cpu. ${twelve}; and 2 more`);
});

test('refusalMessage() says the same wherever the look at the nodes begins', () => {
  const nodes = ['c', 'a', 'b'].map((name) => node(name, name === 'a' ? { unschedulable: true } : {}));
  const cluster = clusterOf(nodes);
  const said = [0, 1, 2].map((startAt) => {
    const choice = choose(pod('p', asks('3')), cluster, defaultProfile, startAt, 0);
    return choice.kind === 'node' ? choice.name : refusalMessage(choice, 3);
  });
  const words = 'a: were unschedulable; b: Insufficient cpu; c: Insufficient cpu';
  assert.deepEqual(said, Array(3).fill(`0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. ${words}`));
});
