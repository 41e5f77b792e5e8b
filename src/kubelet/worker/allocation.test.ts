import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, ResourceRequirements } from '../../api/schema/types.ts';
import type { PodRuntime } from '../pod/pod-runtime.ts';
import type { ResizeProblem } from '../pod/resize.ts';
import { sampleContainer, samplePod, sampleRuntime } from '../testing/pod-samples.ts';
import { Allocation } from './allocation.ts';

const cpu = (amount: string): ResourceRequirements => ({ requests: { cpu: amount } });
const asking = (amount: string, status: Pod['status'] = { phase: 'Running' }): Pod => ({
  ...samplePod({ containers: [{ name: 'main', image: 'box:1', resources: cpu(amount) }] }),
  status,
});
const having = (amount: string): PodRuntime => sampleRuntime([sampleContainer({ resources: cpu(amount) })]);
const pending: ResizeProblem = { type: 'PodResizePending', reason: 'Deferred', message: 'later' };
const broken: ResizeProblem = { type: 'PodResizeInProgress', reason: 'Error', message: 'no' };
const refuse = (): ResizeProblem => pending;
const allow = (): undefined => undefined;
const never = (): never => assert.fail('nothing was to be asked');
const allocatedOf = (a: Allocation): unknown => a.allocated.spec?.containers[0]?.resources;

test('a pod that has what it asks for is allocated that, and the node is not asked', () => {
  const allocation = new Allocation(asking('1'));
  allocation.update(asking('1'), having('1'), never);
  assert.deepEqual([allocatedOf(allocation), allocation.problem], [cpu('1'), undefined]);
});

test('a pod that asks for more keeps what it has while the node has no room, and gets it when it has', () => {
  const allocation = new Allocation(asking('1'));
  allocation.update(asking('2'), having('1'), refuse);
  assert.deepEqual([allocatedOf(allocation), allocation.problem], [cpu('1'), pending]);
  allocation.update(asking('2'), having('1'), allow);
  assert.deepEqual([allocatedOf(allocation), allocation.problem], [cpu('2'), undefined]);
});

test('what the runtime refused stands until the container has it', () => {
  const allocation = new Allocation(asking('1'));
  allocation.update(asking('2'), having('1'), allow);
  assert.equal(allocation.resized(new Map(), broken), true, 'the status has to tell');
  allocation.update(asking('2'), having('1'), allow);
  assert.equal(allocation.problem, broken);
  assert.equal(allocation.resized(new Map([['main-0', cpu('2')]]), undefined), true);
  assert.equal(allocation.problem, broken, 'until it has been seen');
  const runtime = allocation.update(asking('2'), having('1'), never);
  assert.deepEqual([runtime.containers[0]?.resources, allocation.problem], [cpu('2'), undefined]);
  assert.equal(allocation.resized(new Map(), undefined), false);
});

test('what was given to a container is known from the status after a restart of the kubelet, and forgotten with the container', () => {
  const containerStatuses = [
    { name: 'main', containerID: 'cri-o://main-0', resources: cpu('2'), image: '', imageID: '', ready: true, restartCount: 0 },
  ];
  const pod = asking('2', { phase: 'Running', containerStatuses });
  const allocation = new Allocation(pod);
  assert.deepEqual(allocation.allocated, pod);
  assert.deepEqual(allocation.update(pod, having('1'), never).containers[0]?.resources, cpu('2'));
  allocation.update(pod, sampleRuntime([]), never);
  assert.deepEqual(allocation.update(pod, having('1'), allow).containers[0]?.resources, cpu('1'));
});
