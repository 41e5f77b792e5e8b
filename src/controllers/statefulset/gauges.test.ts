import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, StatefulSet } from '../../api/schema/types.ts';
import type { Sample } from '../../observability/gauge.ts';
import { podOf, template, webSelector } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { StatefulSetController } from './controller.ts';
import { statefulSetGauges } from './gauges.ts';

type Strategy = NonNullable<StatefulSet['spec']>['updateStrategy'];

function setOf(name: string, replicas: number, updateStrategy: Strategy, podManagementPolicy = 'OrderedReady'): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: { replicas, selector: webSelector, template, podManagementPolicy, updateStrategy },
  };
}

const upTo = (maxUnavailable?: number | string): Strategy => ({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable } });

/** What is read of one set of which so many pods are there and ready. */
function read(set: StatefulSet, ready: number): (readonly [name: string, samples: Sample[]])[] {
  const name = set.metadata.name;
  const pods: Pod[] = Array.from({ length: ready }, (_, i) => podOf(set, `${name}-${i}`, { readyAt: -60 }));
  const strangers = [podOf(undefined, `${name}-9`, { readyAt: -60 })];
  const gauges = statefulSetGauges({ sets: () => [set], pods: () => [...pods, ...strangers], now: () => Date.now() });
  return gauges.map((gauge) => [gauge.name, [...gauge.read()]]);
}

for (const [what, set, ready, most, unavailable] of [
  ['a number', setOf('db', 3, upTo(2)), 2, 2, 1],
  ['a share, with more missing than it allows', setOf('db', 10, upTo('20%'), 'Parallel'), 7, 2, 3],
  ['nothing', setOf('db', 5, upTo()), 5, 1, 0],
  ['no rolling update at all', setOf('db', 4, { type: 'OnDelete' }), 2, 1, 2],
] as const)
  test(`of a set that says ${what} it is told how many may be missing, and how many are`, () => {
    const labels = {
      statefulset_namespace: 'default',
      statefulset_name: 'db',
      pod_management_policy: set.spec?.podManagementPolicy ?? '',
    };
    assert.deepEqual(read(set, ready), [
      ['statefulset_controller_statefulset_max_unavailable', [{ labels, value: most }]],
      ['statefulset_controller_statefulset_unavailable_replicas', [{ labels, value: unavailable }]],
    ]);
  });

test('a controller that is started again counts in the place of the first', async () => {
  await using bed = new TestBed();
  const gauges = new Map();
  for (let i = 0; i < 2; i++) bed.listen(new StatefulSetController({ ...bed.context, gauges }));
  assert.equal(gauges.size, 2);
});
