import assert from 'node:assert/strict';
import test from 'node:test';
import type { Container, Pod, PodSpec } from '../../api/schema/types.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { containerResources, podResources, quotaOf, sharesOf, sumOf } from './resources.ts';

test('sharesOf() is a thousandth of 1024 for each thousandth of a CPU, within what the kernel takes', () => {
  const cases = [
    [0, 2],
    [1, 2],
    [2, 2],
    [3, 3],
    [1000, 1024],
    [1500, 1536],
    [255_999, 262_142],
    [256_000, 262_144],
    [999_999, 262_144],
  ];
  for (const [milli, shares] of cases) assert.equal(sharesOf(milli ?? 0), shares, String(milli));
});

test('quotaOf() is µs of each 100 ms, and not less than a millisecond', () => {
  const cases = [
    [0, 0],
    [1, 1000],
    [10, 1000],
    [11, 1100],
    [1000, 100_000],
  ];
  for (const [milli, quota] of cases) assert.equal(quotaOf(milli ?? 0), quota, String(milli));
});

const container = (requests?: object, limits?: object, more: object = {}): Container =>
  ({ name: 'main', image: 'box:1', resources: { requests, limits }, ...more }) as Container;
const pod = (containers: readonly Container[], more: Partial<PodSpec> = {}): Pod => samplePod({ containers: [...containers], ...more });

const scores: readonly [name: string, container: Container, spec: Partial<PodSpec>, wanted: number][] = [
  ['BestEffort', container(), {}, 1000],
  ['Guaranteed', container(undefined, { cpu: '1', memory: '1Gi' }), {}, -997],
  ['critical', container(), { priority: 2_000_000_000 }, -997],
  ['almost critical', container(), { priority: 1_999_999_999 }, 1000],
  ['Burstable without a request of memory', container({ cpu: '1' }), {}, 999],
  ['Burstable with a tenth of the memory', container({ memory: '100' }), {}, 900],
  ['Burstable with almost none of it', container({ memory: '1' }), {}, 999],
  ['Burstable with all of it', container({ memory: '1000' }), {}, 3],
  ['Burstable with more than there is', container({ memory: '5000' }), {}, 3],
];
for (const [name, c, spec, wanted] of scores)
  test(`a container of a pod that is ${name} has the OOM score ${wanted}`, () =>
    assert.equal(containerResources(pod([c], spec), c, 1000).oomScoreAdj, wanted));

test('containerResources() has no limit of swap without one of memory', () => {
  const c = container({ cpu: '2' });
  const { memorySwapLimitInBytes, ...rest } = containerResources(pod([c]), c, 1000);
  assert.deepEqual([memorySwapLimitInBytes, rest.memoryLimitInBytes, rest.cpuShares, rest.cpuQuota], [undefined, 0, 2048, 0]);
});

test('podResources() lies in the cgroup of its class', () => {
  const of = (c: Container): string => podResources(pod([c])).cgroup;
  assert.equal(of(container()), '/kubepods/besteffort/podu1');
  assert.equal(of(container({ cpu: '1' })), '/kubepods/burstable/podu1');
  assert.equal(of(container(undefined, { cpu: '1', memory: '1Gi' })), '/kubepods/podu1');
});

test('podResources() has a limit when init containers have one too', () => {
  const limited = container(undefined, { cpu: '1' });
  assert.equal(podResources(pod([limited, limited])).cpuQuota, 200_000);
  assert.equal(podResources(pod([limited], { initContainers: [limited] })).cpuQuota, 100_000);
  assert.equal(podResources(pod([limited], { initContainers: [container()] })).cpuQuota, 0);
});

test('sumOf() counts init containers one at a time, beside the sidecars that have started before them', () => {
  const of = (n: number): Container => container({ n: String(n) });
  const sidecar = (n: number): Container => container({ n: String(n) }, undefined, { restartPolicy: 'Always' });
  const sum = (inits: Container[], mains: Container[]): number =>
    sumOf(pod(mains, { initContainers: inits }), (c) => Number(c.resources?.requests?.n ?? 0));
  assert.equal(sum([], [of(1), of(2)]), 3);
  assert.equal(sum([of(5), of(4)], [of(1), of(2)]), 5);
  assert.equal(sum([sidecar(3), of(5), sidecar(1)], [of(1)]), 8);
  assert.equal(sum([of(5), sidecar(3)], [of(1), of(2)]), 6);
  assert.equal(sum([], []), 0);
});
