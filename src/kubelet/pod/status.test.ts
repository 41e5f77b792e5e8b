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

const side0 = { initContainers: [{ name: 'side', image: 'box:1', restartPolicy: 'Always' }] };
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
  ['Pending while a sidecar has not started', p(side0), r([c({ name: 'side' })]), 'Pending', { isStarted: () => false }],
  ['Pending while main containers are awaited beside a sidecar', p(side0), r([c({ name: 'side' })]), 'Pending'],
  ['Running beside a sidecar that ended', p(side0), r([c({ name: 'side', ...failed }), c()]), 'Running'],
  ['Pending while an init container runs again that failed', p(init), r([c({ name: 'one', ...failed })]), 'Pending'],
  ['Running when a main container runs, whatever became of init containers', p(init), r([c()]), 'Running'],
  ['Failed at the end when a container was never started', p(two), r([c(done)]), 'Failed', { terminal: true }],
  [
    'Failed at the end when an init container was to run again',
    p(init),
    r([c({ name: 'one', ...failed }), c(done)]),
    'Failed',
    { terminal: true },
  ],
  ['Failed at the end of a pod of which nothing ran', p(), r([], []), 'Failed', { terminal: true }],
  ['Failed when one of two failed at the end', p(two), r([c(done), c({ name: 'b', ...failed })]), 'Failed', { terminal: true }],
  ['Running while one of two runs', p({ ...two, restartPolicy: 'Never' }), r([c(), c({ name: 'b', ...failed })]), 'Running'],
  ['what it was when that is final, and good', p(), r([c()]), 'Succeeded', { previous: { phase: 'Succeeded' } }],
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
  const [debug] = status.ephemeralContainerStatuses ?? [];
  assert.deepEqual([debug?.state?.running?.startedAt, debug?.ready, debug?.resources, debug?.started], [time, false, undefined, undefined]);
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

const time = '2026-01-01T00:00:00Z';
const whole = (type: string, status: string, more: object = {}): object => ({
  type,
  observedGeneration: 4,
  status,
  lastProbeTime: null,
  lastTransitionTime: time,
  ...more,
});

test('podStatus() as a whole, of a pod with every kind of container', () => {
  const pod = p(
    {
      initContainers: [
        { name: 'one', image: 'box:1' },
        { name: 'side', image: 'box:1', restartPolicy: 'Always' },
      ],
      containers: [{ name: 'main', image: 'box:1' }],
      ephemeralContainers: [{ name: 'debug', image: 'box:2' }],
    },
    { generation: 4 },
  );
  const runtime = r([c({ name: 'one', ...done }), c({ name: 'side' }), c({ restartCount: 1 }), c({ ...failed, message: 'oh' })]);
  const more = { image: 'box:1', imageID: 'sha256:1', resources: {} };
  const started = { running: { startedAt: time } };
  const end = { startedAt: time, finishedAt: '2026-01-01T00:00:05Z' };
  assert.deepEqual(statusOf(pod, runtime), {
    observedGeneration: 4,
    phase: 'Running',
    conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => whole(type, 'True')),
    startTime: time,
    qosClass: 'BestEffort',
    hostIP: '192.168.120.11',
    hostIPs: [{ ip: '192.168.120.11' }],
    podIP: '10.244.1.2',
    podIPs: [{ ip: '10.244.1.2' }],
    initContainerStatuses: [
      {
        name: 'one',
        state: { terminated: { exitCode: 0, reason: 'Completed', ...end, containerID: 'cri-o://one-0' } },
        lastState: {},
        ready: true,
        restartCount: 0,
        ...more,
        containerID: 'cri-o://one-0',
        started: false,
      },
      { name: 'side', state: started, lastState: {}, ready: true, restartCount: 0, ...more, containerID: 'cri-o://side-0', started: true },
    ],
    containerStatuses: [
      {
        name: 'main',
        state: started,
        lastState: { terminated: { exitCode: 1, reason: 'Error', message: 'oh', ...end, containerID: 'cri-o://main-0' } },
        ready: true,
        restartCount: 1,
        ...more,
        containerID: 'cri-o://main-1',
        started: true,
      },
    ],
    ephemeralContainerStatuses: [
      {
        name: 'debug',
        state: { waiting: { reason: 'ContainerCreating' } },
        ready: false,
        restartCount: 0,
        image: 'box:2',
        imageID: '',
      },
    ],
  });
});

test('podStatus() as a whole, of a pod of which nothing is there', () => {
  assert.deepEqual(statusOf(p(), r([], []), { hostIps: [], previous: { reason: 'R', message: 'M' } }), {
    phase: 'Pending',
    conditions: [
      { type: 'PodReadyToStartContainers', status: 'False' },
      { type: 'Initialized', status: 'True' },
      ...['Ready', 'ContainersReady'].map((type) => ({
        type,
        status: 'False',
        reason: 'ContainersNotReady',
        message: 'containers with unready status: [main]',
      })),
      { type: 'PodScheduled', status: 'True' },
    ].map(({ type, status, ...said }) => ({ type, status, lastProbeTime: null, lastTransitionTime: time, ...said })),
    startTime: time,
    qosClass: 'BestEffort',
    reason: 'R',
    message: 'M',
    containerStatuses: [
      {
        name: 'main',
        state: { waiting: { reason: 'ContainerCreating' } },
        ready: false,
        restartCount: 0,
        image: 'box:1',
        imageID: '',
        resources: {},
        started: false,
      },
    ],
  });
});

const ends: readonly [name: string, pod: Pod, wanted: readonly string[]][] = [
  ['succeeded', p({ ...init, restartPolicy: 'OnFailure' }), ['True PodCompleted', 'False PodCompleted', 'False PodCompleted']],
  ['failed', p({ restartPolicy: 'Never' }), ['True', 'False PodFailed', 'False PodFailed']],
];
for (const [name, pod, wanted] of ends)
  test(`podStatus() says by its conditions that the pod has ${name}`, () => {
    const status = statusOf(
      pod,
      r([c(name === 'failed' ? failed : done), ...(pod.spec?.initContainers ? [c({ name: 'one', ...done })] : [])]),
    );
    assert.deepEqual(
      ['Initialized', 'Ready', 'ContainersReady'].map((type) => condition(status, type)),
      wanted,
    );
  });

test('podStatus() is initialized when main containers have begun, or when none is left to wait for', () => {
  const initialized = (...containers: readonly ReturnType<typeof c>[]): string =>
    condition(statusOf(p(init), r(containers)), 'Initialized');
  for (const main of [c(), c(done)]) assert.equal(initialized(main), 'True');
  assert.equal(initialized(c({ name: 'one', ...done })), 'True');
  assert.match(initialized(c({ name: 'one', ...failed })), /^False/);
  assert.match(initialized(), /^False/);
});

const side = {
  initContainers: [
    { name: 'side', image: 'box:1', restartPolicy: 'Always' },
    { name: 'one', image: 'box:1' },
  ],
};
test('podStatus() waits for sidecars to start, and counts them among what must be ready', () => {
  const containers = [c({ name: 'side' }), c({ name: 'one', ...done }), c()];
  const notStarted = statusOf(p(side), r([c({ name: 'side' })]), { isStarted: () => false });
  assert.equal(condition(notStarted, 'Initialized'), 'False ContainersNotInitialized containers with incomplete status: [side one]');
  const notReady = statusOf(p(side), r(containers), { isReady: (id) => !id.startsWith('side') });
  assert.equal(condition(notReady, 'ContainersReady'), 'False ContainersNotReady containers with unready status: [side]');
  const neither = statusOf(p(side), r(containers), { isReady: () => false });
  assert.equal(condition(neither, 'Ready'), 'False ContainersNotReady containers with unready status: [side main]');
});

test('podStatus() names every readiness gate that is not open', () => {
  const pod = p({ readinessGates: [{ conditionType: 'a' }, { conditionType: 'b' }, { conditionType: 'open' }] });
  const previous = {
    conditions: [
      { type: 'b', status: 'False' },
      { type: 'open', status: 'True' },
    ],
  };
  const gate = (name: string): string => `corresponding condition of pod readiness gate "${name}" does not exist or is not True.`;
  assert.equal(condition(statusOf(pod, r([c()]), { previous }), 'Ready'), `False ReadinessGatesNotReady ${gate('a')}, ${gate('b')}`);
});

test('podStatus() gives a condition that changed its time, and leaves that of the others', () => {
  const before = statusOf(p(), r([c()]));
  const after = statusOf(p(), r([c()]), { previous: before, now: testNow + 60_000, isReady: () => false });
  const at = (type: string): string | undefined => after.conditions?.find((x) => x.type === type)?.lastTransitionTime ?? undefined;
  assert.deepEqual([at('Ready'), at('PodScheduled'), at('Initialized')], ['2026-01-01T00:01:00Z', time, time]);
});

const sandboxes: readonly [name: string, spec: object, runtime: PodRuntime, wanted: string][] = [
  ['has an address', {}, r(), 'True'],
  ['has no address yet', {}, r([], [s({ ips: [] })]), 'False'],
  ['has the network of the node', { hostNetwork: true }, r([], [s({ ips: [], hostNetwork: true })]), 'True'],
  ['does not run', {}, r([], [s({ ready: false })]), 'False'],
];
for (const [name, spec, runtime, wanted] of sandboxes)
  test(`PodReadyToStartContainers is ${wanted} of a pod whose sandbox ${name}`, () =>
    assert.equal(condition(statusOf(p(spec), runtime), 'PodReadyToStartContainers'), wanted));

test('podStatus() keeps the addresses while the sandbox is replaced, not when the pod has ended', () => {
  const previous = { podIPs: [{ ip: '10.244.1.9' }] };
  assert.equal(statusOf(p(), r([], []), { previous }).podIP, '10.244.1.9');
  assert.equal(statusOf(p({ restartPolicy: 'Never' }), r([c(failed)], []), { previous }).podIP, undefined);
});

test('podStatus() takes a running container that is gone at the end of the pod for lost', () => {
  const containerStatuses = [
    { name: 'b', image: '', imageID: '', ready: true, restartCount: 1, state: { terminated: { exitCode: 0 } } },
    {
      name: 'main',
      image: '',
      imageID: '',
      ready: true,
      restartCount: 3,
      state: { running: {} },
      lastState: { terminated: { exitCode: 2 } },
    },
  ];
  const of = (terminal: boolean): unknown => {
    const [main] = statusOf(p(), r([], []), { previous: { containerStatuses }, terminal }).containerStatuses ?? [];
    return [main?.state, main?.lastState, main?.restartCount];
  };
  const message = 'The container could not be located when the pod was terminated';
  const last = { terminated: { exitCode: 2 } };
  assert.deepEqual(of(true), [{ terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message } }, last, 3]);
  assert.deepEqual(of(false), [{ waiting: { reason: 'ContainerCreating' } }, last, 3]);
  const previous = { initContainerStatuses: [{ ...containerStatuses[1]!, name: 'one' }] };
  assert.equal(statusOf(p(init), r([], []), { previous }).initContainerStatuses?.[0]?.restartCount, 3);
});

test('podStatus() shows how a container ended while nothing says why it waits, and the image of the pod when the runtime has none', () => {
  const [main] = statusOf(p(), r([c({ ...failed, reason: '', image: '' })])).containerStatuses ?? [];
  assert.deepEqual([main?.state?.terminated?.reason, main?.image], ['Error', 'box:1']);
  const [created] = statusOf(p(), r([c({ state: 'created' })])).containerStatuses ?? [];
  assert.deepEqual(created?.state, { waiting: { reason: 'ContainerCreating' } });
  const waitReason = (): object => ({ reason: 'CreateContainerError', message: 'm' });
  const [wait] =
    statusOf(p(), r([c({ state: 'created' })]), { waitReason: waitReason as StatusInput['waitReason'] }).containerStatuses ?? [];
  assert.deepEqual([wait?.state, wait?.lastState], [{ waiting: waitReason() }, {}]);
  const [ended] =
    statusOf(p({ restartPolicy: 'Never' }), r([c({ ...done, reason: '' })]), { waitReason: waitReason as StatusInput['waitReason'] })
      .containerStatuses ?? [];
  assert.equal(ended?.state?.terminated?.reason, 'Completed', 'it waits for nothing any more');
});
