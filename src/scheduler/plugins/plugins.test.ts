/** What each plugin says of nodes: the reasons of its filter, or its score before it is scaled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Affinity, Pod, PodAffinityTerm } from '../../api/schema/types.ts';
import type { Cluster } from '../cluster.ts';
import type { Plugin } from '../plugin.ts';
import { asks, clusterOf, type NodeTraits, node, pod } from '../testing/samples.ts';
import { dynamicResources } from './dynamic-resources.ts';
import { imageLocality } from './image-locality.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesBalanced, nodeResourcesFit } from './node-resources.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { plugins } from './order.ts';
import { spreadByOwner } from './spread-by-owner.ts';
import { taintToleration } from './taint-toleration.ts';

const reasons = (plugin: Plugin, p: Pod, cluster: Cluster): unknown => {
  const prepared = plugin.prepare(p, cluster);
  return prepared && cluster.nodes.map((n) => prepared.filter?.(n, { gone: [], come: [] })?.join(', ') ?? 'fits');
};
const scores = (plugin: Plugin, p: Pod, cluster: Cluster): unknown => {
  const score = plugin.prepare(p, cluster)?.score;
  return score && cluster.nodes.map((n) => score(n));
};

test('plugins in their order, with their weights', () => {
  const wanted =
    'NodeUnschedulable, NodeName, TaintToleration 3 reverse, NodeAffinity 2 spread, NodePorts, NodeResourcesFit 1 percent, VolumeBinding, ' +
    'DynamicResources, PodTopologySpread 2 reverse, InterPodAffinity 2 spread, NodeResourcesBalancedAllocation 1 percent, ImageLocality 1 percent';
  assert.equal(plugins.map(({ name, scoring }) => (scoring ? `${name} ${scoring.weight} ${scoring.scale}` : name)).join(', '), wanted);
});

type Row = readonly [sentence: string, plugin: Plugin, pod: Pod, cluster: Cluster, wanted: unknown];

const near = (app: string, topologyKey: string = 'zone', more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
  topologyKey,
  labelSelector: { matchLabels: { app } },
  ...more,
});
const must = (...terms: PodAffinityTerm[]): Affinity => ({ podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } });
const mustNot = (...terms: PodAffinityTerm[]): Affinity => ({ podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } });
const weighted = (weight: number, podAffinityTerm: PodAffinityTerm) => ({
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm }],
});
const web = { labels: { app: 'web' } };
const owned = (uid: string, controller: boolean = true): Partial<Pod['metadata']> => ({
  ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: uid, uid, controller }],
});
const port = (hostPort: number, hostIP?: string) => ({
  containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort, ...(hostIP ? { hostIP } : {}) }] }],
});
const anywhere = { tolerations: [{ operator: 'Exists' }] };
const taints = (...list: [key: string, effect: string][]): NodeTraits => ({
  taints: list.map(([key, effect]) => ({ key, value: 'v', effect })),
});

/** w1 and w2 in zone a, w3 in zone b, w4 in none. */
const zoned = (placed: readonly (readonly [Pod, string])[] = []): Cluster =>
  clusterOf(
    [node('w1', { labels: { zone: 'a' } }), node('w2', { labels: { zone: 'a' } }), node('w3', { labels: { zone: 'b' } }), node('w4')],
    placed,
  );
const noAffinity = "node(s) didn't match pod affinity rules";
const antiAffinity = "node(s) didn't match pod anti-affinity rules";
const existing = "node(s) didn't satisfy existing pods anti-affinity rules";
const noPort = "node(s) didn't have free ports for the requested pod ports";

const labelled = zoned([[pod('a', {}, { ...web, namespace: 'other' }), 'w1']]);
labelled.namespaceLabels = (name) => (name === 'other' ? { team: 'x' } : {});

const filters: readonly Row[] = [
  [
    'a cordoned node is named',
    nodeUnschedulable,
    pod('p'),
    clusterOf([node('w1', { unschedulable: true }), node('w2')]),
    ['node(s) were unschedulable', 'fits'],
  ],
  [
    'a pod that tolerates it does not mind',
    nodeUnschedulable,
    pod('p', anywhere),
    clusterOf([node('w1', { unschedulable: true })]),
    undefined,
  ],
  [
    'a pod that names a node fits there',
    nodeName,
    pod('p', { nodeName: 'w2' }),
    clusterOf([node('w1'), node('w2')]),
    ["node(s) didn't match the requested node name", 'fits'],
  ],
  ['a pod that names none does not mind', nodeName, pod('p'), clusterOf([node('w1')]), undefined],
  [
    'NoSchedule and NoExecute keep out, PreferNoSchedule does not',
    taintToleration,
    pod('p'),
    clusterOf([node('w1', taints(['k', 'PreferNoSchedule'], ['n', 'NoExecute'])), node('w2', taints(['k', 'PreferNoSchedule']))]),
    ['node(s) had untolerated taint {n: v}', 'fits'],
  ],
  ['a toleration opens', taintToleration, pod('p', anywhere), clusterOf([node('w1', taints(['k', 'NoSchedule']))]), ['fits']],
  [
    'the same port is taken',
    nodePorts,
    pod('p', port(80)),
    clusterOf(
      [node('w1'), node('w2')],
      [
        [pod('a', port(80)), 'w1'],
        [pod('b', port(81)), 'w2'],
      ],
    ),
    [noPort, 'fits'],
  ],
  [
    'one port serves two addresses',
    nodePorts,
    pod('p', port(80, '10.0.0.1')),
    clusterOf([node('w1')], [[pod('a', port(80, '10.0.0.2')), 'w1']]),
    ['fits'],
  ],
  ['a pod without host ports does not mind', nodePorts, pod('p'), clusterOf([node('w1')]), undefined],
  [
    'a node may be filled to the brim',
    nodeResourcesFit,
    pod('p', asks('1', '4Gi')),
    clusterOf(
      [node('w1'), node('w2')],
      [
        [pod('a', asks('1', '0')), 'w1'],
        [pod('b', asks('1', '1')), 'w2'],
      ],
    ),
    ['fits', 'Insufficient memory'],
  ],
  [
    'what a node does not have is short',
    nodeResourcesFit,
    pod('p', asks('0', '0')),
    clusterOf([node('w1', { allocatable: { cpu: '0', memory: '0' } })]),
    ['fits'],
  ],
  [
    'what is asked for and unknown to the node is short',
    nodeResourcesFit,
    pod('p', { containers: [{ name: 'c', resources: { requests: { 'a/gpu': '1' } } }] }),
    clusterOf([node('w1')]),
    ['Insufficient a/gpu'],
  ],
  [
    'the last place is a place',
    nodeResourcesFit,
    pod('p'),
    clusterOf([node('w1', { allocatable: { pods: '2' } })], [[pod('a'), 'w1']]),
    ['fits'],
  ],
  [
    'nothing allocates devices',
    dynamicResources,
    pod('p', { resourceClaims: [{ name: 'd' }] }),
    clusterOf([node('w1')]),
    ['cannot allocate all claims'],
  ],
  ['no claims, no matter', dynamicResources, pod('p', { resourceClaims: [] }), clusterOf([node('w1')]), undefined],
  [
    'affinity means the domain, not the node',
    interPodAffinity,
    pod('p', { affinity: must(near('web')) }),
    zoned([[pod('a', {}, web), 'w1']]),
    ['fits', 'fits', noAffinity, noAffinity],
  ],
  [
    'every term must be met',
    interPodAffinity,
    pod('p', { affinity: must(near('web'), near('db')) }),
    zoned([[pod('a', {}, web), 'w1']]),
    [noAffinity, noAffinity, noAffinity, noAffinity],
  ],
  [
    'whoever fits no term of its own is no first of a group',
    interPodAffinity,
    pod('p', { affinity: must(near('web')) }),
    zoned(),
    [noAffinity, noAffinity, noAffinity, noAffinity],
  ],
  [
    'the first of a group needs a node of the topology',
    interPodAffinity,
    pod('p', { affinity: must(near('web')) }, web),
    zoned(),
    ['fits', 'fits', 'fits', noAffinity],
  ],
  [
    'the second goes to the first',
    interPodAffinity,
    pod('p', { affinity: must(near('web')) }, web),
    zoned([[pod('a', {}, web), 'w3']]),
    [noAffinity, noAffinity, 'fits', noAffinity],
  ],
  [
    'anti-affinity means the domain',
    interPodAffinity,
    pod('p', { affinity: mustNot(near('web')) }),
    zoned([[pod('a', {}, web), 'w1']]),
    [antiAffinity, antiAffinity, 'fits', 'fits'],
  ],
  [
    'so does that of a pod that runs',
    interPodAffinity,
    pod('p', {}, web),
    zoned([[pod('a', { affinity: mustNot(near('web')) }), 'w1']]),
    [existing, existing, 'fits', 'fits'],
  ],
  [
    'which means others',
    interPodAffinity,
    pod('p', {}, { labels: { app: 'db' } }),
    zoned([[pod('a', { affinity: mustNot(near('web')) }), 'w1']]),
    ['fits', 'fits', 'fits', 'fits'],
  ],
  [
    'a term means its own namespace',
    interPodAffinity,
    pod('p', { affinity: must(near('web')) }),
    labelled,
    [noAffinity, noAffinity, noAffinity, noAffinity],
  ],
  [
    'or those it names',
    interPodAffinity,
    pod('p', { affinity: must(near('web', 'zone', { namespaces: ['other'] })) }),
    labelled,
    ['fits', 'fits', noAffinity, noAffinity],
  ],
  [
    'or those whose labels fit',
    interPodAffinity,
    pod('p', { affinity: must(near('web', 'zone', { namespaceSelector: { matchLabels: { team: 'x' } } })) }),
    labelled,
    ['fits', 'fits', noAffinity, noAffinity],
  ],
  [
    'and not those whose labels do not',
    interPodAffinity,
    pod('p', { affinity: must(near('web', 'zone', { namespaceSelector: { matchLabels: { team: 'y' } } })) }),
    labelled,
    [noAffinity, noAffinity, noAffinity, noAffinity],
  ],
  ['without affinity anywhere there is nothing to ask', interPodAffinity, pod('p'), zoned([[pod('a', {}, web), 'w1']]), undefined],
  [
    'a nodeSelector keeps out',
    nodeAffinity,
    pod('p', { nodeSelector: { zone: 'b' } }),
    zoned(),
    [
      "node(s) didn't match Pod's node affinity/selector",
      "node(s) didn't match Pod's node affinity/selector",
      'fits',
      "node(s) didn't match Pod's node affinity/selector",
    ],
  ],
  ['no selector, no matter', nodeAffinity, pod('p'), zoned(), undefined],
];
for (const [sentence, plugin, p, cluster, wanted] of filters)
  test(`${plugin.name} filters: ${sentence}`, () => assert.deepEqual(reasons(plugin, p, cluster), wanted));

const inZone = (zone: string, weight: number) => ({
  weight,
  preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }] },
});
const mb = 1024 * 1024;
const holding = (images: Record<string, number>, others: number = 1): Cluster =>
  clusterOf([node('w1', { images }), ...Array.from({ length: others }, (_, i) => node(`w${i + 2}`))]);

const scored: readonly Row[] = [
  [
    'emptier nodes are better',
    nodeResourcesFit,
    pod('p', asks('1')),
    clusterOf([node('w1'), node('w2')], [[pod('a', asks('500m', '1Gi')), 'w2']]),
    [74, 49],
  ],
  [
    'a pod that asks for nothing counts for something',
    nodeResourcesFit,
    pod('p'),
    clusterOf([node('w1', { allocatable: { cpu: '1', memory: '1000Mi' } })], [[pod('a'), 'w1']]),
    [70],
  ],
  [
    'full, or more than full, is worth nothing, and what a node has not does not count',
    nodeResourcesFit,
    pod('p', asks('2', '0')),
    clusterOf([node('w1'), node('w2', { allocatable: { cpu: '1' } }), node('w3', { allocatable: { cpu: '0' } })]),
    [50, 50, 100],
  ],
  [
    'cpu and memory that fill up alike are better',
    nodeResourcesBalanced,
    pod('p', asks('1', '2Gi')),
    clusterOf([node('w1'), node('w2')], [[pod('a', asks('1', '0')), 'w2']]),
    [100, 75],
  ],
  [
    'more than all counts as all',
    nodeResourcesBalanced,
    pod('p', asks('4', '1Gi')),
    clusterOf([node('w1'), node('w2', { allocatable: { memory: '0' } })]),
    [62, 100],
  ],
  ['a pod that asks for memory alone counts', nodeResourcesBalanced, pod('p', asks('0', '4Gi')), clusterOf([node('w1')]), [50]],
  ['a pod that asks for cpu alone counts', nodeResourcesBalanced, pod('p', asks('1', '0')), clusterOf([node('w1')]), [75]],
  ['a pod that asks for nothing does not', nodeResourcesBalanced, pod('p'), clusterOf([node('w1')]), undefined],
  [
    'PreferNoSchedule counts when it is not tolerated',
    taintToleration,
    pod('p'),
    clusterOf([node('w1', taints(['a', 'PreferNoSchedule'], ['b', 'PreferNoSchedule'], ['c', 'NoSchedule'])), node('w2')]),
    [2, 0],
  ],
  ['what is tolerated does not', taintToleration, pod('p', anywhere), clusterOf([node('w1', taints(['a', 'PreferNoSchedule']))]), [0]],
  [
    'preferences add up by their weights',
    nodeAffinity,
    pod('p', {
      affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [inZone('a', 5), inZone('a', 7), inZone('b', 3)] } },
    }),
    zoned(),
    [12, 12, 3, 0],
  ],
  ['what must be is no preference', nodeAffinity, pod('p', { nodeSelector: { zone: 'a' } }), zoned(), undefined],
  [
    'pods of the same owner',
    spreadByOwner,
    pod('p', {}, owned('u')),
    clusterOf(
      [node('w1'), node('w2')],
      [
        [pod('a', {}, owned('u')), 'w1'],
        [pod('b', {}, owned('u')), 'w1'],
        [pod('c', {}, owned('other')), 'w2'],
        [pod('d', {}, owned('u', false)), 'w2'],
      ],
    ),
    [2, 0],
  ],
  ['a pod without a controller', spreadByOwner, pod('p', {}, owned('u', false)), clusterOf([node('w1')]), undefined],
  [
    'pods of a domain add up',
    interPodAffinity,
    pod('p', { affinity: { podAffinity: weighted(10, near('web')) } }),
    zoned([
      [pod('a', {}, web), 'w1'],
      [pod('b', {}, web), 'w2'],
      [pod('c', {}, web), 'w3'],
      [pod('d', {}, web), 'w4'],
    ]),
    [20, 20, 10, 0],
  ],
  [
    'anti-affinity counts against',
    interPodAffinity,
    pod('p', { affinity: { podAntiAffinity: weighted(10, near('web')) } }),
    zoned([[pod('a', {}, web), 'w1']]),
    [-10, -10, 0, 0],
  ],
  [
    'what pods that run prefer',
    interPodAffinity,
    pod('p', {}, web),
    zoned([
      [pod('a', { affinity: { podAffinity: weighted(7, near('web')) } }), 'w3'],
      [pod('b', { affinity: { podAntiAffinity: weighted(2, near('web')) } }), 'w1'],
    ]),
    [-2, -2, 7, 0],
  ],
  [
    'what pods that run must have near them is worth 1',
    interPodAffinity,
    pod('p', {}, web),
    zoned([[pod('a', { affinity: must(near('web')) }), 'w3']]),
    [0, 0, 1, 0],
  ],
  [
    'two topologies add up',
    interPodAffinity,
    pod('p', {
      affinity: {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, podAffinityTerm: near('web') },
            { weight: 4, podAffinityTerm: near('web', 'kubernetes.io/hostname') },
          ],
        },
      },
    }),
    zoned([[pod('a', {}, web), 'w1']]),
    [5, 1, 0, 0],
  ],
  [
    'nobody near, nothing to say',
    interPodAffinity,
    pod('p', { affinity: { podAffinity: weighted(10, near('db')) } }),
    zoned([[pod('a', {}, web), 'w1']]),
    undefined,
  ],
  [
    'a large image draws, by its size and by how many nodes have it',
    imageLocality,
    pod('p'),
    holding({ 'docker.io/library/x:latest': 523 * mb }),
    [24, 0],
  ],
  [
    'no more than a thousand megabytes for each container',
    imageLocality,
    pod('p'),
    holding({ 'docker.io/library/x:latest': 9000 * mb }),
    [100, 0],
  ],
  [
    'of two containers it takes twice as much',
    imageLocality,
    pod('p', { containers: [{ name: 'c', image: 'x' }], initContainers: [{ name: 'i', image: 'y' }] }),
    holding({ 'docker.io/library/x:latest': 2000 * mb, 'docker.io/library/y:latest': 46 * mb }),
    [50, 0],
  ],
  ['a small image is no reason', imageLocality, pod('p'), holding({ 'docker.io/library/x:latest': 46 * mb }), [0, 0]],
  ['an image that all have is no reason', imageLocality, pod('p'), holding({ 'docker.io/library/x:latest': 523 * mb }, 0), undefined],
  ['nor one that nobody has', imageLocality, pod('p'), holding({ 'docker.io/library/y:latest': 523 * mb }), undefined],
];
for (const [sentence, plugin, p, cluster, wanted] of scored)
  test(`${plugin.name} scores: ${sentence}`, () => assert.deepEqual(scores(plugin, p, cluster), wanted));

for (const [image, full] of [
  ['x', 'docker.io/library/x:latest'],
  ['x:1', 'docker.io/library/x:1'],
  ['a/x', 'docker.io/a/x:latest'],
  ['a.io/x', 'a.io/x:latest'],
  ['a:5000/x', 'a:5000/x:latest'],
  ['localhost/x:1', 'localhost/x:1'],
  ['a.io/x@sha256:0', 'a.io/x@sha256:0'],
] as const)
  test(`ImageLocality knows ${image} as ${full}`, () =>
    assert.deepEqual(scores(imageLocality, pod('p', { containers: [{ name: 'c', image }] }), holding({ [full]: 2000 * mb })), [100, 0]));
