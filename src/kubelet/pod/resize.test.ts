import assert from 'node:assert/strict';
import test from 'node:test';
import type { Container, ContainerStatus, Pod } from '../../api/schema/types.ts';
import { sampleContainer, samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { isResized, needsRestart, resourcesInStatus, withActualResources, withResources } from './resize.ts';

const asks = (requests: object, limits?: object, more: object = {}): Container =>
  ({ name: 'main', image: 'box:1', resources: { requests, limits }, ...more }) as Container;

const changes: readonly [name: string, container: Container, has: object | undefined, wanted: boolean][] = [
  ['what nobody noted', asks({ cpu: '1' }), undefined, false],
  ['the same', asks({ cpu: '1' }, { memory: '1' }), { requests: { cpu: '1' }, limits: { memory: '1' } }, false],
  ['another request', asks({ cpu: '2' }), { requests: { cpu: '1' } }, true],
  ['another limit', asks({}, { memory: '2' }), { requests: {}, limits: { memory: '1' } }, true],
  ['none where it asks for one', asks({ memory: '1' }), {}, true],
  ['another amount of what cannot be resized', asks({ 'ephemeral-storage': '2' }), { requests: { 'ephemeral-storage': '1' } }, false],
  ['more than a container that asks for nothing', { name: 'main', image: 'box:1' }, { requests: { cpu: '1' } }, true],
];
for (const [name, container, has, wanted] of changes)
  test(`isResized() is ${wanted} of a container that has ${name}`, () => assert.equal(isResized(container, has), wanted));

test('needsRestart() is for the policy of what changed', () => {
  const resizePolicy = [
    { resourceName: 'memory', restartPolicy: 'RestartContainer' },
    { resourceName: 'cpu', restartPolicy: 'NotRequired' },
  ];
  const container = asks({ cpu: '2', memory: '2' }, undefined, { resizePolicy });
  assert.equal(needsRestart(container, { requests: { cpu: '2', memory: '1' } }), true);
  assert.equal(needsRestart(container, { requests: { cpu: '1', memory: '2' } }), false);
  assert.equal(needsRestart(container, undefined), false);
  assert.equal(needsRestart(asks({ cpu: '2' }), { requests: { cpu: '1' } }), false);
});

const had = { requests: { cpu: '1' } };
const pod = samplePod({ containers: [asks({ cpu: '2' })], initContainers: [{ ...asks({ cpu: '2' }), name: 'one' }] });

test('withActualResources() is the pod itself when containers have what they ask for, or are not there', () => {
  assert.equal(withActualResources(pod, sampleRuntime([sampleContainer({ resources: { requests: { cpu: '2' } } })])), pod);
  assert.equal(withActualResources(pod, sampleRuntime([])), pod);
  const { spec: _, ...none } = pod;
  assert.equal(withActualResources(none as Pod, sampleRuntime([])), none);
});

test('withActualResources() has what each container has', () => {
  const both = withActualResources(
    pod,
    sampleRuntime([sampleContainer({ resources: had }), sampleContainer({ name: 'one', resources: had })]),
  );
  assert.deepEqual([both.spec?.containers[0]?.resources, both.spec?.initContainers?.[0]?.resources], [had, had]);
  const { initContainers: _, ...spec } = pod.spec!;
  const one = withActualResources({ ...pod, spec }, sampleRuntime([sampleContainer({ resources: had })]));
  assert.deepEqual([one.spec?.containers[0]?.resources, 'initContainers' in one.spec!], [had, false]);
});

test('resourcesInStatus() is by the id of the runtime, of all containers that have one', () => {
  const of = (containerID: string | undefined, resources: object | undefined = had): ContainerStatus =>
    ({ containerID, resources }) as ContainerStatus;
  const status = {
    containerStatuses: [of('cri-o://a'), of(undefined), of('cri-o://x', undefined)],
    initContainerStatuses: [of('cri-o://b')],
  };
  status.containerStatuses[2] = { containerID: 'cri-o://x' } as ContainerStatus;
  assert.deepEqual(
    [...resourcesInStatus({ ...pod, status })],
    [
      ['b', had],
      ['a', had],
    ],
  );
  assert.equal(resourcesInStatus({ ...pod, status: {} }).size, 0);
});

test('withResources() changes the containers that it is told of, and nothing when there are none', () => {
  const runtime = sampleRuntime([sampleContainer(), sampleContainer({ name: 'b' })]);
  assert.equal(withResources(runtime, new Map()), runtime);
  const changed = withResources(runtime, new Map([['b-0', had]]));
  assert.deepEqual(
    changed.containers.map((c) => [c.name, c.resources]),
    runtime.containers.map((c) => [c.name, c.name === 'b' ? had : undefined]),
  );
});
