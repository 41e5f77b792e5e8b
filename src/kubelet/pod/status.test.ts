import assert from 'node:assert/strict';
import test from 'node:test';
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import { sampleContainer as c, samplePod as p, sampleRuntime as r, sampleSandbox as s, testNow } from '../testing/pod-samples.ts';
import type { PodRuntime } from './pod-runtime.ts';
import { podStatus, type StatusInput } from './status.ts';

function statusOf(pod: Pod, runtime: PodRuntime, more: Partial<StatusInput> = {}): PodStatus {
  return podStatus({
    pod,
    runtime,
    previous: {},
    waitReason: () => undefined,
    isReady: () => true,
    isStarted: () => true,
    terminal: false,
    hostIps: ['192.168.120.11'],
    now: testNow,
    resize: undefined,
    ...more,
  });
}

const done = { state: 'exited', exitCode: 0 } as const;
const failed = { state: 'exited', exitCode: 1 } as const;
const two = {
  containers: [
    { name: 'main', image: 'box:1' },
    { name: 'b', image: 'box:1' },
  ],
};
const init = { initContainers: [{ name: 'one', image: 'box:1' }] };

const never = (more: object): Pod => p({ restartPolicy: 'Never', containers: [{ name: 'main', image: 'box:1', ...more }] });
const onOne = { action: 'Restart', exitCodes: { operator: 'In', values: [1] } };

const phases: readonly [name: string, pod: Pod, runtime: PodRuntime, wanted: string, more?: Partial<StatusInput>][] = [
  ['Pending before there is anything', p(), r([], []), 'Pending'],
  ['Running with a running container', p(), r([c()]), 'Running'],
  ['Pending while one of two containers waits for its first start', p(two), r([c()]), 'Pending'],
  [
    'Running while a container waits for its restart',
    p(),
    r([c(failed)]),
    'Running',
    { waitReason: () => ({ reason: 'CrashLoopBackOff', message: '' }) },
  ],
  ['Succeeded when all ended well by policy OnFailure', p({ restartPolicy: 'OnFailure' }), r([c(done)]), 'Succeeded'],
  ['Running when all ended well by policy Always', p(), r([c(done)]), 'Running'],
  ['Failed when one failed by policy Never', p({ ...two, restartPolicy: 'Never' }), r([c(done), c({ name: 'b', ...failed })]), 'Failed'],
  ['Running when one failed by policy OnFailure', p({ restartPolicy: 'OnFailure' }), r([c(failed)]), 'Running'],
  ['Pending while an init container runs', p(init), r([c({ name: 'one' })]), 'Pending'],
  ['Failed when an init container failed for good', p({ ...init, restartPolicy: 'Never' }), r([c({ name: 'one', ...failed })]), 'Failed'],
  ['Succeeded at the end of a deleted pod that ended well', p(), r([c(done)]), 'Succeeded', { terminal: true }],
  ['Failed at the end of a deleted pod that was killed', p(), r([c({ state: 'exited', exitCode: 137 })]), 'Failed', { terminal: true }],
  ['a container that goes on by its own policy', never({ restartPolicy: 'OnFailure' }), r([c(failed)]), 'Running'],
  ['a container that has succeeded by its own policy', never({ restartPolicy: 'OnFailure' }), r([c(done)]), 'Succeeded'],
  ['a container that ended as a rule says', never({ restartPolicy: 'Never', restartPolicyRules: [onOne] }), r([c(failed)]), 'Running'],
  [
    'a container that ended otherwise',
    never({ restartPolicy: 'Never', restartPolicyRules: [onOne] }),
    r([c({ ...failed, exitCode: 2 })]),
    'Failed',
  ],
  ['what it was when that is final', p(), r([c()]), 'Failed', { previous: { phase: 'Failed' } }],
];

for (const [name, pod, runtime, wanted, more] of phases)
  test(`podStatus() has the phase ${wanted}: ${name}`, () => assert.equal(statusOf(pod, runtime, more).phase, wanted));

function condition(status: PodStatus, type: string): string {
  const found = status.conditions?.find((x) => x.type === type);
  return [found?.status, found?.reason, found?.message].filter((x) => x !== undefined).join(' ');
}

test('podStatus() is ready when every container is', () => {
  const status = statusOf(p(two), r([c(), c({ name: 'b' })]));
  for (const type of ['Initialized', 'ContainersReady', 'Ready', 'PodScheduled', 'PodReadyToStartContainers'])
    assert.equal(condition(status, type), 'True');
});

test('podStatus() names the containers that are not ready', () => {
  const status = statusOf(p(two), r([c(), c({ name: 'b' })]), { isReady: (id) => id !== 'b-0' });
  assert.equal(condition(status, 'Ready'), 'False ContainersNotReady containers with unready status: [b]');
});

test('podStatus() names the init containers that are not done', () => {
  const status = statusOf(p(init), r([c({ name: 'one' })]));
  assert.equal(condition(status, 'Initialized'), 'False ContainersNotInitialized containers with incomplete status: [one]');
  assert.equal(status.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing');
});

test('podStatus() waits for readiness gates', () => {
  const pod = p({ readinessGates: [{ conditionType: 'x/y' }] });
  assert.match(
    condition(statusOf(pod, r([c()])), 'Ready'),
    /^False ReadinessGatesNotReady corresponding condition of pod readiness gate "x\/y"/,
  );
  const previous = { conditions: [{ type: 'x/y', status: 'True' }] };
  const status = statusOf(pod, r([c()]), { previous });
  assert.equal(condition(status, 'Ready'), 'True');
  assert.equal(condition(status, 'x/y'), 'True');
});

test('podStatus() keeps the time of a condition that did not change', () => {
  const before = statusOf(p(), r([c()]));
  const after = statusOf(p(), r([c()]), { previous: before, now: testNow + 60_000 });
  assert.deepEqual(after.conditions, before.conditions);
});

test('podStatus() shows why a container waits, and how it ended last', () => {
  const wait = { reason: 'CrashLoopBackOff', message: 'back-off 10s' };
  const status = statusOf(p(), r([c({ ...failed, restartCount: 1 }), c(failed)]), { waitReason: () => wait }).containerStatuses?.[0];
  assert.deepEqual(status?.state, { waiting: wait });
  assert.equal(status?.lastState?.terminated?.containerID, 'cri-o://main-1');
  assert.equal(status?.restartCount, 1);
});

test('podStatus() shows the container before as last state of a running one', () => {
  const status = statusOf(p(), r([c({ restartCount: 1 }), c(failed)])).containerStatuses?.[0];
  assert.equal(status?.lastState?.terminated?.exitCode, 1);
  assert.equal(status?.ready, true);
});

test('podStatus() tells what was granted, what a running container has, and why that is not what the pod asks for', () => {
  const resources = { requests: { cpu: '20m' }, limits: { cpu: '30m' } };
  const pod = p({ containers: [{ name: 'main', image: 'box:1', resources }], ephemeralContainers: [{ name: 'debug', image: 'box:1' }] });
  const has = { requests: { cpu: '10m' } };
  const resize = { type: 'PodResizeInProgress', reason: 'Error', message: 'no' } as const;
  const status = statusOf(pod, r([c({ resources: has }), c({ name: 'debug', resources: {} })]), { resize });
  const [main] = status.containerStatuses ?? [];
  assert.deepEqual([main?.allocatedResources, main?.resources], [resources.requests, has]);
  assert.equal(status.ephemeralContainerStatuses?.[0]?.resources, undefined);
  assert.equal(condition(status, 'PodResizeInProgress'), 'True Error no');
  const after = statusOf(pod, r([c({ ...failed, resources: has })]), { previous: status });
  assert.deepEqual(after.containerStatuses?.[0]?.resources, resources);
  assert.equal(condition(after, 'PodResizeInProgress'), '');
});

test('podStatus() gives the addresses of the node to a pod with its network', () => {
  const status = statusOf(p({ hostNetwork: true }), r([c()], [s({ hostNetwork: true, ips: [] })]));
  assert.equal(status.podIP, '192.168.120.11');
  assert.deepEqual(status.hostIPs, [{ ip: '192.168.120.11' }]);
});
