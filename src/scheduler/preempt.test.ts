/** Which pods go for another one. Sizes, priorities and most cases are those of upstream's tests of its DefaultPreemption. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { objectKey } from '../api/object-key.ts';
import type { Pod, PodDisruptionBudget, PodSpec } from '../api/schema/types.ts';
import { choose } from './choose.ts';
import type { Cluster } from './cluster.ts';
import { bestOf, type Candidate, type Preemption, preempt } from './preempt.ts';
import { defaultProfile, type PreemptionShare } from './profile.ts';
import { clusterOf, node, pod } from './testing/samples.ts';

const sizes = { s: '100m', m: '200m', l: '300m', xl: '500m' } as const;
const levels = { neg: -100, low: 0, mid: 100, high: 1_000, top: 10_000 } as const;
type Size = keyof typeof sizes;
type Level = keyof typeof levels;

const now = Date.parse('2026-01-10T00:00:00Z');

function asking(name: string, level: Level, size: Size, more: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Pod {
  const containers = [{ name: 'c', image: 'x', resources: { requests: { cpu: sizes[size] } } }];
  return pod(name, { containers, priority: levels[level], ...more }, { labels, uid: `uid-${name}` });
}

/** `a1 mid l 3`: a pod of that name on node `a`, with its priority and size, which has started on that day. */
function running(text: string, labels: Record<string, string> = {}): [Pod, string] {
  const [name = '', level = '', size = '', day] = text.split(' ');
  const one = asking(name, level as Level, size as Size, {}, labels);
  const started: Pod = day === undefined ? one : { ...one, status: { startTime: `2026-01-0${day}T00:00:00Z` } };
  return [started, name[0] as string];
}

function cluster(names: string, ...placed: (string | readonly [Pod, string])[]): Cluster {
  const nodes = [...names].map((name) => node(name, { allocatable: { cpu: sizes.xl } }));
  return clusterOf(
    nodes,
    placed.map((one) => (typeof one === 'string' ? running(one) : one)),
  );
}

interface Traits {
  readonly budgets?: readonly PodDisruptionBudget[];
  readonly preemption?: PreemptionShare;
  readonly pick?: number;
}

function decide(p: Pod, on: Cluster, { budgets = [], preemption, pick = 0 }: Traits = {}): Preemption {
  const choice = choose(p, on, defaultProfile, 0, 0);
  assert.notEqual(choice.kind, 'node', 'it fits as it is');
  const refusals = choice.kind === 'none' ? choice.refusals : new Map();
  return preempt({
    pod: p,
    cluster: on,
    profile: preemption ? { ...defaultProfile, preemption } : defaultProfile,
    refusals,
    budgets,
    pick,
    now,
  });
}

function shown(preemption: Preemption): string {
  if (preemption.kind !== 'victims') return `${preemption.kind}: ${preemption.why}`;
  const { node: on, victims, violations } = preemption;
  return `${on}: ${victims.map(({ metadata }) => metadata.name).join(' ')}${violations > 0 ? `, violating ${violations}` : ''}`;
}

const cases: readonly (readonly [what: string, preemptor: Pod, cluster: Cluster, result: string])[] = [
  ['one of lower priority goes', asking('p', 'high', 'l'), cluster('a', 'a1 mid l'), 'a: a1'],
  [
    'nobody goes for a pod of the same priority',
    asking('p', 'mid', 'l'),
    cluster('a', 'a1 mid l'),
    'helpless: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  ],
  ['the lowest stays where it is too small to matter', asking('p', 'high', 'l'), cluster('a', 'a1 low s', 'a2 mid l'), 'a: a2'],
  [
    'what goes is the least that must, the most important of it told first',
    asking('p', 'high', 'l'),
    cluster('a', 'a1 mid s', 'a2 low s', 'a3 mid m', 'a4 high s'),
    'a: a3 a2',
  ],
  [
    'of the same priority the younger goes',
    asking('p', 'high', 'l'),
    cluster('a', 'a1 low s 5', 'a2 low s 4', 'a3 mid m 3', 'a4 high s 2'),
    'a: a3 a1',
  ],
  ['one that has not started is the youngest', asking('p', 'high', 's'), cluster('a', 'a1 low m 1', 'a2 low l'), 'a: a2'],
  [
    'where those of lower priority do not suffice nobody goes',
    asking('p', 'high', 'xl'),
    cluster('ab', 'a1 low s', 'a2 high m', 'b1 high l'),
    'helpless: 0/2 nodes are available: 1 Insufficient cpu, 1 No preemption victims found for incoming pod.',
  ],
  [
    'a node that lacks several things counts for each of them',
    pod('p', { priority: 9, containers: [{ name: 'c', resources: { requests: { cpu: '300m', memory: '3Gi' } } }] }),
    clusterOf(
      [node('a', { allocatable: { cpu: '500m' } }), node('b', { unschedulable: true })],
      [
        [pod('a1', { priority: 9, containers: [{ name: 'c', resources: { requests: { cpu: '300m', memory: '3Gi' } } }] }), 'a'],
        [asking('a2', 'neg', 's'), 'a'],
      ],
    ),
    'helpless: 0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Preemption is not helpful for scheduling.',
  ],
  [
    'nodes that would not do if they were empty are no help',
    pod('p', { priority: 9, containers: [{ name: 'c', resources: { requests: { cpu: '9' } } }] }),
    cluster('a', 'a1 low s'),
    'helpless: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  ],
  [
    'nor are those that the pod may not go to',
    asking('p', 'high', 'l', { nodeSelector: { disk: 'ssd' } }),
    cluster('a', 'a1 low l'),
    'helpless: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
  ],
  [
    'a pod whose policy says so waits',
    asking('p', 'high', 'l', { preemptionPolicy: 'Never' }),
    cluster('a', 'a1 low l'),
    'ineligible: not eligible due to preemptionPolicy=Never.',
  ],
  [
    'a host port is made free',
    asking('p', 'high', 's', { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] }] }),
    cluster(
      'a',
      [asking('a1', 'low', 's', { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] }] }), 'a'],
      'a2 low s',
    ),
    'a: a1',
  ],
];

// On which node, among pods of which all that are of lower priority must go.
const choices: readonly (readonly [what: string, preemptor: Pod, cluster: Cluster, on: string])[] = [
  [
    'the lowest highest priority counts first',
    asking('p', 'high', 'xl'),
    cluster('abc', 'a1 mid m', 'a2 mid l', 'b1 mid m', 'b2 low m', 'c1 low m', 'c2 low m'),
    'c',
  ],
  [
    'then the sum of priorities',
    asking('p', 'high', 'xl'),
    cluster('abc', 'a1 mid m', 'a2 mid l', 'b1 mid l', 'b2 low m', 'c1 mid m', 'c2 mid m'),
    'b',
  ],
  [
    'then their number',
    asking('p', 'high', 'xl'),
    cluster('abc', 'a1 mid s', 'a2 neg s', 'a3 mid s', 'a4 neg s', 'b1 mid l', 'b2 neg m', 'c1 mid m', 'c2 neg s', 'c3 low s'),
    'b',
  ],
  [
    'more of negative priority are no less',
    asking('p', 'high', 'xl'),
    cluster('abc', 'a1 mid s', 'a2 neg s', 'a3 neg s', 'b1 mid l', 'b2 neg m', 'c1 mid m', 'c2 neg s', 'c3 low s'),
    'b',
  ],
  [
    'each counts only where those before are alike',
    asking('p', 'top', 'xl'),
    cluster(
      'abcd',
      ...['a1 mid s', 'a2 low s', 'a3 low s', 'b1 high l', 'c1 mid m', 'c2 low s', 'c3 low s', 'c4 low m'],
      ...['d1 mid m', 'd2 mid s', 'd3 mid s', 'd4 neg s'],
    ),
    'a',
  ],
  [
    'then how late they started',
    asking('p', 'high', 'xl'),
    cluster('abc', 'a1 mid m 2', 'a2 mid m 2', 'b1 mid m 3', 'b2 mid m 3', 'c1 mid m 1', 'c2 mid m 1'),
    'b',
  ],
  [
    'which is when the first of a node did',
    asking('p', 'high', 'xl'),
    cluster('abc', 'a1 mid m 4', 'a2 mid m 2', 'b1 mid m 5', 'b2 mid m 1', 'c1 mid m 3', 'c2 mid m 6'),
    'c',
  ],
  [
    'of those of the highest priority',
    asking('p', 'high', 'xl'),
    cluster('abc', 'a1 low m 4', 'a2 mid m 2', 'b1 mid m 6', 'b2 low m 1', 'c1 low m 3', 'c2 mid m 5'),
    'b',
  ],
];

describe('preemption', () => {
  for (const [what, preemptor, on, result] of cases) test(what, () => assert.equal(shown(decide(preemptor, on)), result));
  for (const [what, preemptor, on, chosen] of choices)
    test(`of nodes: ${what}`, () => assert.equal(shown(decide(preemptor, on)).split(':')[0], chosen));

  test('where the nodes were not looked at nobody goes', () => {
    const p = asking('p', 'high', 's', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'none' } }] });
    const why = '0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
    assert.equal(shown(decide(p, cluster('ab', 'a1 low s'))), `helpless: ${why}`);
  });

  test('goes on from any node, as far as it takes', () => {
    const on = cluster('abcde', 'a1 low l', 'b1 low l', 'c1 low l', 'd1 low l', 'e1 low l');
    const preemption = { minCandidateNodesPercentage: 40, minCandidateNodesAbsolute: 1 };
    const first = [0, 0.2, 0.99].map((pick) => shown(decide(asking('p', 'high', 'l'), on, { preemption, pick })));
    assert.deepEqual(first, ['a: a1', 'b: b1', 'e: e1']);
  });
});

describe('preemption and anti-affinity', () => {
  const term = { labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' };
  const apart: Partial<PodSpec> = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
  const near: Partial<PodSpec> = { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
  const x = { app: 'x' };

  test('whoever keeps the pod away goes, and nobody else', () => {
    const on = cluster('a', [asking('a1', 'low', 's', apart, x), 'a'], 'a2 mid s', 'a3 high s');
    assert.equal(shown(decide(asking('p', 'high', 's', {}, x), on)), 'a: a1');
  });

  test('whom the pod wants to be away from goes, all of them', () => {
    const on = cluster('a', running('a1 low s', x), running('a2 mid s', x), 'a3 low s');
    assert.equal(shown(decide(asking('p', 'high', 's', apart, { app: 'y' }), on)), 'a: a2 a1');
  });

  test('one of them that is too important is in the way of all', () => {
    const on = cluster('a', running('a1 low s', x), running('a2 high s', x));
    const why = "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.";
    assert.equal(shown(decide(asking('p', 'high', 's', apart, { app: 'y' }), on)), `helpless: ${why}`);
  });

  test('whom the pod must be near stays', () => {
    const on = cluster('ab', running('a1 high m', x), 'a2 mid m', 'b1 low xl');
    assert.equal(shown(decide(asking('p', 'high', 'm', near, { app: 'y' }), on)), 'a: a2');
  });

  test('one that may go is none that a pod can be near, as with upstream', () => {
    const why = "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.";
    const on = cluster('a', running('a1 low s', x), 'a2 mid m', 'a3 low m');
    assert.equal(shown(decide(asking('p', 'high', 'm', near, { app: 'y' }), on)), `helpless: ${why}`);
  });

  test('no pod that goes brings one that is wanted', () => {
    const why = '0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
    assert.equal(shown(decide(asking('p', 'high', 's', near, { app: 'y' }), cluster('a', 'a1 low l'))), `helpless: ${why}`);
  });

  test('the first of a group may take the place of one that it would be near', () => {
    const on = cluster('a', running('a1 low xl', x));
    assert.equal(shown(decide(asking('p', 'high', 'm', near, x), on)), 'a: a1');
  });
});

describe('preemption and budgets', () => {
  const foo = { app: 'foo' };
  const budget = (disruptionsAllowed: number, more: object = {}, selector: object = { matchLabels: foo }): PodDisruptionBudget => ({
    ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'b', namespace: 'default' }, spec: { selector } },
    status: { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, disruptionsAllowed, ...more },
  });
  const two = (): Cluster => cluster('a', running('a1 mid m', foo), running('a2 mid m', foo));
  const large = asking('p', 'high', 'xl');
  const processed = (name: string): object => ({ disruptedPods: { [name]: '2026-01-01T00:00:00Z' } });

  test('are violated where nothing else helps', () => {
    assert.equal(shown(decide(large, two(), { budgets: [budget(1)] })), 'a: a1 a2, violating 1');
    assert.equal(shown(decide(large, two(), { budgets: [budget(2)] })), 'a: a1 a2');
    assert.equal(shown(decide(large, two(), { budgets: [budget(1, processed('other'))] })), 'a: a1 a2, violating 1');
  });

  test('do not count again what has been counted', () => {
    assert.equal(shown(decide(large, two(), { budgets: [budget(1, processed('a2'))] })), 'a: a1 a2');
  });

  test('are those of the namespace, and of pods that their selector names', () => {
    const elsewhere = { ...budget(0), metadata: { name: 'b', namespace: 'other' } };
    for (const none of [elsewhere, budget(0, {}, {}), budget(0, {}, { matchLabels: { app: 'bar' } })])
      assert.equal(shown(decide(large, two(), { budgets: [none] })), 'a: a1 a2');
  });

  test('keep those that they protect before those of higher priority that they do not', () => {
    const on = cluster('a', running('a1 low m', foo), 'a2 mid m');
    assert.equal(shown(decide(asking('p', 'high', 'm'), on, { budgets: [budget(0)] })), 'a: a2');
  });

  test('count before all else between nodes, and more nodes are looked at until one violates none', () => {
    const on = cluster('abc', running('a1 low l', foo), running('b1 low l', foo), 'c1 mid l');
    const preemption = { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 1 };
    assert.equal(shown(decide(asking('p', 'high', 'l'), on, { budgets: [budget(0)], preemption })), 'c: c1');
  });
});

describe('a pod that has made room already', () => {
  const p = asking('p', 'high', 'l');
  const leaving = (
    target: object = { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' },
  ): readonly [Pod, string] => {
    const [going, on] = running('a1 low l');
    const metadata = { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
    return [{ ...going, metadata, status: { conditions: [target as never] } }, on];
  };
  const nominated = (on: Cluster): Cluster => {
    on.nominations.set(objectKey(p), p, 'a');
    return on;
  };

  test('preempts nobody else as long as one of those goes', () => {
    const why = 'not eligible due to a terminating pod on the nominated node.';
    assert.equal(shown(decide(p, nominated(cluster('ab', leaving(), 'b1 low l')))), `ineligible: ${why}`);
  });

  test('preempts others where that one goes for another reason', () => {
    for (const target of [
      { type: 'Ready', status: 'False' },
      { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' },
    ])
      assert.equal(shown(decide(p, nominated(cluster('a', leaving(target))))), 'a: a1');
  });

  test('preempts others where it may not go any more', () => {
    const on = nominated(cluster('ab', leaving(), 'b1 low l'));
    on.setNode(node('a', { unschedulable: true }));
    assert.equal(shown(decide(p, on)), 'b: b1');
  });

  test('is left the room by those of lower priority, and leaves it to those of higher', () => {
    const on = nominated(cluster('a'));
    const chosen = (other: Pod): string => choose(other, on, defaultProfile, 0, 0).kind;
    assert.deepEqual([asking('q', 'mid', 'l'), asking('q', 'high', 'l'), asking('q', 'top', 'l'), asking('q', 'mid', 's')].map(chosen), [
      'none',
      'none',
      'node',
      'node',
    ]);
    assert.deepEqual(choose(p, on, defaultProfile, 0, 0), { kind: 'node', name: 'a' });
  });

  test('goes where it made it, also if others are liked better', () => {
    const on = nominated(cluster('ab', 'a1 high s'));
    assert.deepEqual(choose(p, on, defaultProfile, 1, 0), { kind: 'node', name: 'a' });
  });

  test('has its room counted when others look for victims', () => {
    const on = nominated(cluster('a', 'a1 low s', 'a2 neg s'));
    assert.equal(shown(decide(asking('q', 'high', 's'), on)), 'a: a2');
  });
});

test('of no candidates there is no best', () => {
  const none: readonly Candidate[] = [];
  assert.equal(bestOf(none, now), undefined);
});
