import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { idleFields, readSchedulerConfiguration } from './config.ts';

const head = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';

describe('readSchedulerConfiguration()', () => {
  test('reads fields, and takes null for absent', () => {
    assert.deepEqual(
      readSchedulerConfiguration(`${head}parallelism: 4\npodMaxBackoffSeconds: null\nprofiles: [{ schedulerName: a, plugins: null }]`),
      {
        parallelism: 4,
        profiles: [{ schedulerName: 'a' }],
      },
    );
    assert.deepEqual(readSchedulerConfiguration(head), {});
  });

  test('takes every field that upstream has but for extenders, and each extension point', () => {
    const points = 'preEnqueue queueSort preFilter filter postFilter preScore score reserve permit preBind bind postBind multiPoint'.split(
      ' ',
    );
    const set = '{ enabled: [{ name: a, weight: 1 }], disabled: [{ name: b }] }';
    const whole = `${head}parallelism: 16
leaderElection: { leaderElect: true, leaseDuration: 15s, renewDeadline: 10s, retryPeriod: 2s, resourceLock: leases, resourceName: a, resourceNamespace: b }
clientConnection: { kubeconfig: /k, acceptContentTypes: '', contentType: application/json, qps: 50, burst: 100 }
enableProfiling: true
enableContentionProfiling: true
percentageOfNodesToScore: 100
podInitialBackoffSeconds: 10
podMaxBackoffSeconds: 10
delayCacheUntilActive: true
profiles: [{ schedulerName: a, percentageOfNodesToScore: 0, plugins: { ${points.map((point) => `${point}: ${set}`).join(', ')} }, pluginConfig: [{ name: a, args: {} }] }]`;
    assert.deepEqual(Object.keys(readSchedulerConfiguration(whole).profiles?.[0]?.plugins ?? {}), points);
  });

  const wrong: readonly (readonly [what: string, text: string, message: RegExp])[] = [
    ['another kind', 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: Pod', /kind is "Pod"/],
    ['an older version', head.replace('io/v1', 'io/v1beta3'), /apiVersion is "kubescheduler.config.k8s.io\/v1beta3"/],
    ['a list', '[1]', /it has no fields/],
    ['no YAML', 'a: [', /it is no YAML/],
    ['extenders', `${head}extenders: []`, /"KubeSchedulerConfiguration.extenders": Fairlead has no such setting/],
    [
      'a point that there is not',
      `${head}profiles: [{ plugins: { predicates: {} } }]`,
      /"KubeSchedulerConfiguration.profiles\[0\].plugins.predicates"/,
    ],
    ['a text for a number', `${head}parallelism: "4"`, /"KubeSchedulerConfiguration.parallelism": it is no number/],
    ['no parallelism', `${head}parallelism: 0`, /"parallelism": it is 0/],
    ['more than all nodes', `${head}percentageOfNodesToScore: 101`, /"percentageOfNodesToScore": it is 101/],
    ['less than none', `${head}profiles: [{}, { percentageOfNodesToScore: -1 }]`, /"profiles\[1\].percentageOfNodesToScore": it is -1/],
    ['half a second', `${head}podInitialBackoffSeconds: 0.5`, /"podInitialBackoffSeconds": it is 0.5/],
    ['a greatest delay below the first', `${head}podInitialBackoffSeconds: 20`, /"podMaxBackoffSeconds": it is 10/],
    ['another lock', `${head}leaderElection: { resourceLock: endpoints }`, /"leaderElection.resourceLock": it is "endpoints"/],
  ];
  for (const [what, text, message] of wrong)
    test(`refuses ${what}, by name`, () => {
      assert.throws(
        () => readSchedulerConfiguration(text),
        (err: Error) => isKnownError(err, 'BAD_CONFIG') && message.test(err.message),
      );
    });
});

test('idleFields() names what changes nothing, unless it says nothing either', () => {
  const said = (text: string): string[] => idleFields(readSchedulerConfiguration(head + text));
  assert.deepEqual(said('parallelism: 4\nclientConnection: { qps: 50, burst: 0, contentType: "" }\nenableProfiling: false'), [
    'parallelism has no effect: one thread looks at the nodes',
    'clientConnection.qps has no effect: work is paced by the API server, by priority and fairness',
  ]);
});
