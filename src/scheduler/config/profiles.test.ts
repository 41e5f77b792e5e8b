import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { choose } from '../choose.ts';
import { defaultProfile, type Profile } from '../profile.ts';
import { asks, clusterOf, node, pod } from '../testing/samples.ts';
import { readSchedulerConfiguration } from './config.ts';
import { profilesOf } from './profiles.ts';

function read(profiles: string): Profile[] {
  return profilesOf(
    readSchedulerConfiguration(`{ apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration, ${profiles} }`),
  );
}

/** The one profile whose plugins are these. */
function withPlugins(plugins: string, pluginConfig: string = '[]'): Profile {
  return read(`profiles: [{ plugins: ${plugins}, pluginConfig: ${pluginConfig} }]`)[0]!;
}

/** Names of its plugins in order, with the weight of those that score. */
function shown({ plugins }: Profile): string[] {
  return plugins.map(({ name, scoring }) => (scoring ? `${name} ${scoring.weight}` : name));
}

const all = shown(defaultProfile);
const without = (...names: readonly string[]): string[] => all.filter((one) => !names.includes(one.split(' ')[0] ?? ''));

describe('profilesOf()', () => {
  test('gives what there is without a file when nothing is said', () => {
    assert.deepEqual(profilesOf({}).map(shown), [all]);
    assert.deepEqual(
      profilesOf({}).map(({ name, percentageOfNodesToScore }) => [name, percentageOfNodesToScore]),
      [['default-scheduler', 0]],
    );
  });

  test('gives each profile its name and its share of nodes, or that of all', () => {
    const profiles = read(
      'percentageOfNodesToScore: 30, profiles: [{ schedulerName: a, percentageOfNodesToScore: 0 }, { schedulerName: b }]',
    );
    assert.deepEqual(
      profiles.map(({ name, percentageOfNodesToScore }) => [name, percentageOfNodesToScore]),
      [
        ['a', 0],
        ['b', 30],
      ],
    );
  });

  const cases: readonly (readonly [sentence: string, plugins: string, names: readonly string[]])[] = [
    [
      'a weight at score takes the place of the preset',
      '{ score: { enabled: [{ name: ImageLocality, weight: 7 }] } }',
      [...without('NodeResourcesBalancedAllocation', 'ImageLocality'), 'ImageLocality 7', 'NodeResourcesBalancedAllocation 1'],
    ],
    [
      'one that is named without a weight weighs 1',
      '{ multiPoint: { enabled: [{ name: TaintToleration }] } }',
      all.map((one) => (one === 'TaintToleration 3' ? 'TaintToleration 1' : one)),
    ],
    [
      'the weight at score wins over that at all points',
      '{ multiPoint: { enabled: [{ name: NodeAffinity, weight: 5 }] }, score: { enabled: [{ name: NodeAffinity, weight: 9 }] } }',
      all.map((one) => (one === 'NodeAffinity 2' ? 'NodeAffinity 9' : one)),
    ],
    [
      'one that is off at all points is gone',
      '{ multiPoint: { disabled: [{ name: InterPodAffinity }, { name: ImageLocality }] } }',
      without('InterPodAffinity', 'ImageLocality'),
    ],
    [
      'without scores all nodes that do are as good as each other',
      "{ preScore: { disabled: [{ name: '*' }] }, score: { disabled: [{ name: '*' }] } }",
      without('NodeResourcesBalancedAllocation', 'ImageLocality').map((one) => one.split(' ')[0] ?? ''),
    ],
    [
      'only what is enabled is on when all are off',
      "{ multiPoint: { disabled: [{ name: '*' }], enabled: [{ name: NodeResourcesFit, weight: 4 }, { name: NodePorts }, { name: PrioritySort }, { name: SchedulingGates }, { name: DefaultBinder }] } }",
      ['NodeResourcesFit 4', 'NodePorts'],
    ],
    ['what is enabled at filter comes first', '{ filter: { enabled: [{ name: NodePorts }] } }', ['NodePorts', ...without('NodePorts')]],
    [
      'one that is off at filter may score',
      '{ filter: { disabled: [{ name: TaintToleration }] } }',
      [
        ...without('TaintToleration', 'NodeResourcesBalancedAllocation', 'ImageLocality'),
        'TaintToleration 3',
        'NodeResourcesBalancedAllocation 1',
        'ImageLocality 1',
      ],
    ],
    [
      'both off and on is on',
      '{ multiPoint: { disabled: [{ name: NodeName }], enabled: [{ name: NodeName }] } }',
      [
        ...without('NodeName', 'NodeResourcesBalancedAllocation', 'ImageLocality'),
        'NodeName',
        'NodeResourcesBalancedAllocation 1',
        'ImageLocality 1',
      ],
    ],
    ['what is only upstream may be off', '{ filter: { disabled: [{ name: VolumeZone }] } }', all],
  ];
  for (const [sentence, plugins, names] of cases)
    test(`of plugins: ${sentence}`, () => assert.deepEqual(shown(withPlugins(plugins)), names));

  test('takes each plugin at every point that upstream calls it at, and what only upstream has where it is off', () => {
    const called: Readonly<Record<string, string>> = {
      preEnqueue: 'SchedulingGates DynamicResources DefaultPreemption',
      queueSort: 'PrioritySort',
      preFilter: 'NodeAffinity NodePorts NodeResourcesFit VolumeBinding DynamicResources InterPodAffinity PodTopologySpread',
      postFilter: 'DynamicResources DefaultPreemption',
      preScore: 'TaintToleration NodeAffinity NodeResourcesFit InterPodAffinity NodeResourcesBalancedAllocation PodTopologySpread',
      reserve: 'VolumeBinding DynamicResources',
      preBind: 'VolumeBinding DynamicResources',
      bind: 'DefaultBinder',
    };
    const names = (list: string): string =>
      list
        .split(' ')
        .map((name) => `{ name: ${name} }`)
        .join(', ');
    const enabled = Object.entries(called).map(([point, list]) => `${point}: { enabled: [${names(list)}] }`);
    const absent =
      'VolumeRestrictions NodeVolumeLimits VolumeZone NodeDeclaredFeatures GangScheduling EBSLimits GCEPDLimits AzureDiskLimits CinderLimits';
    assert.deepEqual(shown(withPlugins(`{ ${enabled.join(', ')}, multiPoint: { disabled: [${names(absent)}] } }`)), all);
  });

  test('of preemption: there unless it is off, with its arguments', () => {
    const of = (plugins: string, config?: string): unknown => withPlugins(plugins, config).preemption;
    assert.deepEqual(of('{}'), { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 });
    const args = '{ kind: DefaultPreemptionArgs, minCandidateNodesPercentage: 0 }';
    const given = of('{}', `[{ name: DefaultPreemption, args: ${args} }]`);
    assert.deepEqual(given, { minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 100 });
    for (const off of ['DefaultPreemption', "'*'"])
      for (const point of ['postFilter', 'multiPoint']) {
        if (point === 'multiPoint' && off === "'*'") continue;
        assert.equal(of(`{ ${point}: { disabled: [{ name: ${off} }] } }`), undefined, `${point} ${off}`);
      }
  });

  test('takes the greatest weights that upstream takes', () => {
    const args = '{ scoringStrategy: { resources: [{ name: cpu, weight: 100 }, { name: memory, weight: 0 }] } }';
    withPlugins('{}', `[{ name: NodeResourcesFit, args: ${args} }, { name: InterPodAffinity, args: { hardPodAffinityWeight: 100 } }]`);
    withPlugins('{}', '[{ name: InterPodAffinity, args: { hardPodAffinityWeight: 0 } }]');
  });

  const wrong: readonly (readonly [what: string, profiles: string, message: RegExp])[] = [
    [
      'two profiles of one name',
      'profiles: [{}, { schedulerName: default-scheduler }]',
      /"profiles\[1\].schedulerName": another profile is "default-scheduler"/,
    ],
    [
      'a plugin that is only upstream',
      'profiles: [{ plugins: { filter: { enabled: [{ name: VolumeZone }] } } }]',
      /"profiles\[0\].plugins.filter.enabled\[0\]": there is no plugin "VolumeZone" here/,
    ],
    [
      'a plugin that nobody has',
      'profiles: [{ plugins: { score: { disabled: [{ name: Typo }] } } }]',
      /"profiles\[0\].plugins.score.disabled": there is no plugin "Typo"/,
    ],
    [
      'a plugin where it does nothing',
      'profiles: [{ plugins: { score: { enabled: [{ name: NodeName }] } } }]',
      /"NodeName" does nothing at score/,
    ],
    [
      'one that is named twice',
      'profiles: [{ plugins: { filter: { enabled: [{ name: NodeName }, { name: NodeName }] } } }]',
      /enabled\[1\]": "NodeName" is there already/,
    ],
    ['half a weight', 'profiles: [{ plugins: { score: { enabled: [{ name: ImageLocality, weight: 0.5 }] } } }]', /weight": it is 0.5/],
    [
      'a queue without an order',
      "profiles: [{ plugins: { queueSort: { disabled: [{ name: '*' }] } } }]",
      /queueSort": "PrioritySort" cannot be switched off/,
    ],
    [
      'a plugin that scores unprepared',
      "profiles: [{ plugins: { preScore: { disabled: [{ name: '*' }] } } }]",
      /preScore": "[A-Z]\w+" is off there and on at score/,
    ],
    [
      'a plugin that filters unprepared',
      'profiles: [{ plugins: { preFilter: { disabled: [{ name: NodePorts }] } } }]',
      /preFilter": "NodePorts" is off there and on at filter/,
    ],
    [
      'arguments of a plugin that takes none',
      'profiles: [{ pluginConfig: [{ name: NodeName, args: {} }] }]',
      /pluginConfig\[0\].args": "NodeName" takes no arguments here/,
    ],
    [
      'no candidates for preemption',
      'profiles: [{ pluginConfig: [{ name: DefaultPreemption, args: { minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0 } }] }]',
      /pluginConfig\[0\].args": no node would be a candidate/,
    ],
    [
      'more than all of them',
      'profiles: [{ pluginConfig: [{ name: DefaultPreemption, args: { minCandidateNodesPercentage: 101 } }] }]',
      /minCandidateNodesPercentage": it is 101/,
    ],
    [
      'arguments that stand twice',
      'profiles: [{ pluginConfig: [{ name: NodeAffinity }, { name: NodeAffinity }] }]',
      /pluginConfig\[1\]": "NodeAffinity" has arguments already/,
    ],
    [
      'arguments of another plugin',
      'profiles: [{ pluginConfig: [{ name: NodeAffinity, args: { kind: VolumeBindingArgs } }] }]',
      /they are a "VolumeBindingArgs"/,
    ],
    [
      'an argument that there is not',
      'profiles: [{ pluginConfig: [{ name: InterPodAffinity, args: { weight: 2 } }] }]',
      /args.weight": Fairlead has no such setting/,
    ],
    ['arguments that are none', 'profiles: [{ pluginConfig: [{ name: InterPodAffinity, args: 5 }] }]', /args": it is no object/],
    [
      'too great a weight of affinity',
      'profiles: [{ pluginConfig: [{ name: InterPodAffinity, args: { hardPodAffinityWeight: 101 } }] }]',
      /hardPodAffinityWeight": it is 101/,
    ],
    [
      'constraints of spreading',
      'profiles: [{ pluginConfig: [{ name: PodTopologySpread, args: { defaultingType: List, defaultConstraints: [{ maxSkew: 1 }] } }] }]',
      /defaultConstraints": constraints of spreading are not looked at/,
    ],
    [
      'an unknown way of spreading',
      'profiles: [{ pluginConfig: [{ name: PodTopologySpread, args: { defaultingType: Best } }] }]',
      /defaultingType": it is "Best"/,
    ],
    [
      'an unknown strategy',
      'profiles: [{ pluginConfig: [{ name: NodeResourcesFit, args: { scoringStrategy: { type: Best } } }] }]',
      /scoringStrategy.type": it is "Best"/,
    ],
    [
      'a strategy without its shape',
      'profiles: [{ pluginConfig: [{ name: NodeResourcesFit, args: { scoringStrategy: { type: RequestedToCapacityRatio } } }] }]',
      /shape": it has no point/,
    ],
    [
      'a shape that does not rise',
      'profiles: [{ pluginConfig: [{ name: NodeResourcesFit, args: { scoringStrategy: { type: RequestedToCapacityRatio, requestedToCapacityRatio: { shape: [{ utilization: 50, score: 1 }, { utilization: 50, score: 2 }] } } } }] }]',
      /shape\[1\].utilization": it is 50/,
    ],
    [
      'a score above 10',
      'profiles: [{ pluginConfig: [{ name: NodeResourcesFit, args: { scoringStrategy: { type: RequestedToCapacityRatio, requestedToCapacityRatio: { shape: [{ utilization: 0, score: 11 }] } } } }] }]',
      /shape\[0\].score": it is 11/,
    ],
    [
      'a weight of a resource above 100',
      'profiles: [{ pluginConfig: [{ name: NodeResourcesFit, args: { scoringStrategy: { resources: [{ name: cpu, weight: 101 }] } } }] }]',
      /resources.cpu.weight": it is 101/,
    ],
    [
      'weights for a balance',
      'profiles: [{ pluginConfig: [{ name: NodeResourcesBalancedAllocation, args: { resources: [{ name: cpu, weight: 2 }] } }] }]',
      /resources.cpu.weight": it is 2/,
    ],
  ];
  for (const [what, profiles, message] of wrong)
    test(`refuses ${what}, by name`, () => {
      assert.throws(
        () => read(profiles),
        (err: Error) => isKnownError(err, 'BAD_CONFIG') && message.test(err.message),
      );
    });
});

describe('a plugin that is off', () => {
  const tainted = clusterOf([node('a', { taints: [{ key: 'k', effect: 'NoSchedule' }] })]);
  const kind = (profile: Profile): string => choose(pod('p'), tainted, profile, 0, 0).kind;
  test('at filter is against no node', () => {
    assert.equal(kind(defaultProfile), 'none');
    assert.equal(kind(withPlugins('{ filter: { disabled: [{ name: TaintToleration }] } }')), 'node');
  });
});

describe('arguments', () => {
  const zone = (name: string, value: string, more: object = {}) => node(name, { labels: { zone: value }, ...more });
  /** Where the pod goes among nodes a and b. */
  function chosen(
    profile: Profile,
    p = pod('p', asks('1', '1Gi')),
    cluster = clusterOf([zone('a', '1'), zone('b', '2')], [[pod('x', asks('500m', '2Gi')), 'a']]),
  ): string {
    const choice = choose(p, cluster, profile, 0, 0);
    return choice.kind === 'node'
      ? choice.name
      : JSON.stringify(choice.kind === 'none' ? [...choice.refusals.values()].flatMap(({ reasons }) => reasons) : choice.reason);
  }
  /** Nothing but one plugin scores. */
  const alone = (name: string, args: string): Profile =>
    withPlugins(`{ score: { disabled: [{ name: '*' }], enabled: [{ name: ${name} }] } }`, `[{ name: ${name}, args: ${args} }]`);
  const ratio =
    'type: RequestedToCapacityRatio, requestedToCapacityRatio: { shape: [{ utilization: 0, score: 0 }, { utilization: 100, score: 10 }] }';

  for (const [sentence, args, name] of [
    ['emptier nodes are better by default', '{}', 'b'],
    ['fuller ones are with MostAllocated', '{ scoringStrategy: { type: MostAllocated } }', 'a'],
    ['a shape may like fuller ones, too', `{ scoringStrategy: { ${ratio} } }`, 'a'],
    [
      'a resource that the pod does not ask for says nothing',
      '{ scoringStrategy: { type: MostAllocated, resources: [{ name: example.com/gpu }] } }',
      'a',
    ],
  ] as const)
    test(`of NodeResourcesFit: ${sentence}`, () => assert.equal(chosen(alone('NodeResourcesFit', args)), name));

  test('of NodeResourcesFit: weights count', () => {
    const full = clusterOf(
      [node('a'), node('b')],
      [
        [pod('x', asks('1', '0')), 'a'],
        [pod('y', asks('0', '3Gi')), 'b'],
      ],
    );
    const by = (cpu: number, memory: number): string =>
      chosen(
        alone(
          'NodeResourcesFit',
          `{ scoringStrategy: { resources: [{ name: cpu, weight: ${cpu} }, { name: memory, weight: ${memory} }] } }`,
        ),
        pod('p'),
        full,
      );
    assert.deepEqual([by(10, 1), by(1, 10)], ['b', 'a']);
  });

  test('of NodeResourcesFit: what is ignored need not be there, alone or as a group', () => {
    const wants = pod('p', { containers: [{ name: 'c', resources: { requests: { 'example.com/gpu': '1' } } }] });
    assert.match(chosen(alone('NodeResourcesFit', '{}'), wants), /Insufficient example.com\/gpu/);
    assert.equal(chosen(alone('NodeResourcesFit', '{ ignoredResources: [example.com/gpu] }'), wants), 'b');
    assert.equal(chosen(alone('NodeResourcesFit', '{ ignoredResourceGroups: [example.com] }'), wants), 'b');
    assert.match(chosen(alone('NodeResourcesFit', '{ ignoredResourceGroups: [example] }'), wants), /Insufficient/);
  });

  test('of NodeResourcesBalancedAllocation: other resources may be balanced', () => {
    const gpus = { allocatable: { 'example.com/gpu': '4' } };
    const cluster = clusterOf(
      [node('a', gpus), node('b', gpus)],
      [[pod('x', { containers: [{ name: 'c', resources: { requests: { 'example.com/gpu': '3' } } }] }), 'b']],
    );
    const args = '{ resources: [{ name: cpu, weight: 1 }, { name: memory, weight: 1 }, { name: example.com/gpu, weight: 1 }] }';
    // It fills all of cpu and memory: better where little of the third is left.
    assert.equal(chosen(alone('NodeResourcesBalancedAllocation', args), pod('p', asks('2', '4Gi')), cluster), 'b');
  });

  const inZone = (value: string): string => `{ matchExpressions: [{ key: zone, operator: In, values: ['${value}'] }] }`;
  test('of NodeAffinity: what all pods must and should have', () => {
    const must = `{ addedAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [${inZone('1')}] } } }`;
    assert.equal(chosen(alone('NodeAffinity', must)), 'a');
    assert.match(chosen(alone('NodeAffinity', must.replace("'1'", "'3'"))), /didn't match scheduler-enforced node affinity/);
    assert.match(chosen(alone('NodeAffinity', must), pod('p', { nodeSelector: { zone: '2' } })), /didn't match Pod's node affinity/);
    const should = `{ addedAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: ${inZone('2')} }] } }`;
    assert.deepEqual([chosen(alone('NodeAffinity', should)), chosen(alone('NodeAffinity', should.replace("'2'", "'1'")))], ['b', 'a']);
  });

  const near = { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'web' } } };
  const web = { labels: { app: 'web' } };
  const together = clusterOf(
    [zone('a', '1'), zone('b', '2')],
    [
      [pod('x', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near] } } }, web), 'a'],
      [
        pod('y', {
          affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 50, podAffinityTerm: near }] } },
        }),
        'b',
      ],
    ],
  );
  test('of InterPodAffinity: how much those count that must have the pod near them, and whether wishes of others do', () => {
    const by = (args: string, p = pod('p', {}, web)): string => chosen(alone('InterPodAffinity', args), p, together);
    assert.equal(by('{}'), 'b');
    assert.equal(by('{ hardPodAffinityWeight: 60 }'), 'a');
    assert.equal(by('{ ignorePreferredTermsOfExistingPods: true }'), 'a', 'neither is better, so the first');
    const picky = pod(
      'p',
      { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: near }] } } },
      web,
    );
    assert.equal(by('{ ignorePreferredTermsOfExistingPods: true }', picky), 'b');
  });

  test('of PodTopologySpread: a list without constraints spreads nothing', () => {
    const owned = { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r', controller: true }] };
    const cluster = clusterOf([node('a'), node('b')], [[pod('x', {}, owned), 'a']]);
    assert.equal(chosen(alone('PodTopologySpread', '{ defaultingType: System }'), pod('p', {}, owned), cluster), 'b');
    assert.equal(chosen(alone('PodTopologySpread', '{ defaultingType: List }'), pod('p', {}, owned), cluster), 'a');
  });
});
