import assert from 'node:assert/strict';
import test from 'node:test';
import type { Container, Pod, PodSpec } from '../../api/schema/types.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { type ContainerInput, containerConfig, namespaceOptions } from './container-config.ts';
import { containerHash } from './spec.ts';

const input = (container: Container, spec: Partial<PodSpec> = {}, more: Partial<ContainerInput> = {}): ContainerInput => ({
  pod: samplePod({ containers: [container], ...spec }),
  container,
  imageRef: 'sha256:1',
  env: new Map(),
  mounts: [],
  restartCount: 0,
  terminationLog: '/t',
  memoryCapacity: 1000,
  seccompRoot: '/srv/kubelet/seccomp',
  ...more,
});
const plain: Container = { name: 'main', image: 'box:1' };
const maskedPaths = [
  ...['asound', 'acpi', 'interrupts', 'kcore', 'keys', 'latency_stats', 'timer_list', 'timer_stats', 'sched_debug', 'scsi'].map(
    (f) => `/proc/${f}`,
  ),
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((f) => `/proc/${f}`);

test('containerConfig() of a container that says nothing', () => {
  assert.deepEqual(containerConfig(input(plain)), {
    metadata: { name: 'main', attempt: 0 },
    image: { image: 'sha256:1', userSpecifiedImage: 'box:1' },
    command: [],
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    labels: {
      'io.kubernetes.pod.name': 'web',
      'io.kubernetes.pod.namespace': 'default',
      'io.kubernetes.pod.uid': 'u1',
      'io.kubernetes.container.name': 'main',
    },
    annotations: {
      'io.kubernetes.container.hash': containerHash(plain),
      'io.kubernetes.container.restartCount': '0',
      'io.kubernetes.container.terminationMessagePath': '/dev/termination-log',
      'io.kubernetes.container.terminationMessagePolicy': 'File',
      'fairlead.dev/termination-log': '/t',
      'fairlead.dev/resources': '{}',
      'io.kubernetes.pod.terminationGracePeriod': '30',
    },
    logPath: 'main/0.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    linux: {
      resources: { cpuPeriod: 100_000, cpuQuota: 0, cpuShares: 2, memoryLimitInBytes: 0, oomScoreAdj: 1000 },
      securityContext: {
        privileged: false,
        capabilities: { addCapabilities: [], dropCapabilities: [] },
        namespaceOptions: { network: 0, pid: 1, ipc: 0 },
        readonlyRootfs: false,
        supplementalGroups: [],
        noNewPrivs: false,
        maskedPaths,
        readonlyPaths,
        seccomp: { profileType: 1 },
      },
    },
  });
});

test('containerConfig() of a container that says all', () => {
  const ports = [{ containerPort: 80 }];
  const preStop = { exec: { command: ['stop'] } };
  const container: Container = {
    ...plain,
    workingDir: '/w',
    stdin: true,
    stdinOnce: true,
    tty: true,
    terminationMessagePath: '/m',
    terminationMessagePolicy: 'FallbackToLogsOnError',
    ports,
    lifecycle: { preStop },
    resources: { limits: { memory: '10' } },
  };
  const mount = { containerPath: '/c', hostPath: '/h', readOnly: true };
  const mounts = [mount, { ...mount, readOnly: false, propagation: 'HostToContainer' }, { ...mount, propagation: 'Bidirectional' }];
  const config = containerConfig(
    input(container, { terminationGracePeriodSeconds: 7 }, { mounts, restartCount: 3, env: new Map([['A', 'b']]) }),
  );
  const { workingDir, stdin, stdinOnce, tty, envs, logPath, metadata, annotations } = config;
  assert.deepEqual([workingDir, stdin, stdinOnce, tty, logPath, metadata?.attempt], ['/w', true, true, true, 'main/3.log', 3]);
  assert.deepEqual(envs, [{ key: 'A', value: 'b' }]);
  const made = { containerPath: '/c', hostPath: '/h' };
  assert.deepEqual(config.mounts, [
    { ...made, readonly: true, propagation: 0 },
    { ...made, readonly: false, propagation: 1 },
    { ...made, readonly: true, propagation: 2 },
  ]);
  assert.deepEqual(annotations, {
    'io.kubernetes.container.hash': containerHash(container),
    'io.kubernetes.container.restartCount': '3',
    'io.kubernetes.container.terminationMessagePath': '/m',
    'io.kubernetes.container.terminationMessagePolicy': 'FallbackToLogsOnError',
    'fairlead.dev/termination-log': '/t',
    'fairlead.dev/resources': '{"limits":{"memory":"10"}}',
    'io.kubernetes.pod.terminationGracePeriod': '7',
    'io.kubernetes.container.ports': JSON.stringify(ports),
    'io.kubernetes.container.preStopHandler': JSON.stringify(preStop),
  });
});

const security = (
  of: object,
  whole: object = {},
  more: Partial<ContainerInput> = {},
): NonNullable<NonNullable<ReturnType<typeof containerConfig>['linux']>['securityContext']> =>
  containerConfig(input({ ...plain, securityContext: of } as Container, { securityContext: whole }, more)).linux!.securityContext!;

test('a privileged container, and one that asks for it, sees all of /proc', () => {
  for (const own of [{ privileged: true }, { procMount: 'Unmasked' }]) {
    const { maskedPaths: masked, readonlyPaths: readonly, privileged } = security(own);
    assert.deepEqual([masked, readonly, privileged], [[], [], 'privileged' in own]);
  }
  assert.deepEqual(security({ procMount: 'Default' }).maskedPaths, maskedPaths);
});

test('what a container says of its user wins over what its pod says', () => {
  const whole = { runAsUser: 1, runAsGroup: 2, supplementalGroups: [3], fsGroup: 4 };
  const { runAsUser, runAsGroup, supplementalGroups } = security({ runAsUser: 0 }, whole);
  assert.deepEqual([runAsUser, runAsGroup, supplementalGroups], [{ value: 0 }, { value: 2 }, [3, 4]]);
  assert.deepEqual(security({ runAsGroup: 0 }, whole).runAsGroup, { value: 0 });
});

test('a profile of seccomp is the one of the container, else that of the pod, else none', () => {
  assert.deepEqual(security({ seccompProfile: { type: 'RuntimeDefault' } }, { seccompProfile: { type: 'Unconfined' } }).seccomp, {
    profileType: 0,
  });
  assert.deepEqual(security({}, { seccompProfile: { type: 'RuntimeDefault' } }).seccomp, { profileType: 0 });
  assert.deepEqual(security({ seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' } }).seccomp, {
    profileType: 2,
    localhostRef: '/srv/kubelet/seccomp/a/b.json',
  });
  assert.deepEqual(security({ seccompProfile: { type: 'Unconfined' } }).seccomp, { profileType: 1 });
});

test('an ephemeral container joins the processes of its target', () => {
  const ephemeralContainers = [{ name: 'debug', image: 'box:1' }];
  const of = (name: string, targetId?: string): unknown =>
    containerConfig(input({ ...plain, name }, { containers: [plain], ephemeralContainers }, { targetId })).linux?.securityContext
      ?.namespaceOptions;
  assert.deepEqual(of('debug', 'c1'), { network: 0, pid: 3, ipc: 0, targetId: 'c1' });
  assert.deepEqual(of('debug'), { network: 0, pid: 1, ipc: 0 });
  assert.deepEqual(of('main', 'c1'), { network: 0, pid: 1, ipc: 0 });
});

test('namespaceOptions() are the ones of the node where the pod asks for them', () => {
  const of = (spec: Partial<PodSpec>): unknown => Object.values(namespaceOptions(samplePod(spec) as Pod));
  assert.deepEqual(of({}), [0, 1, 0]);
  assert.deepEqual(of({ hostNetwork: true }), [2, 1, 0]);
  assert.deepEqual(of({ hostPID: true, shareProcessNamespace: true }), [0, 2, 0]);
  assert.deepEqual(of({ hostIPC: true }), [0, 1, 2]);
  assert.deepEqual(of({ shareProcessNamespace: true }), [0, 0, 0]);
});

test('a root file system is read-only, and privileges are kept, where the container says so', () => {
  const of = (own: object): unknown => {
    const { readonlyRootfs, noNewPrivs, capabilities } = security(own);
    return [readonlyRootfs, noNewPrivs, capabilities];
  };
  const none = { addCapabilities: [], dropCapabilities: [] };
  assert.deepEqual(of({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: true }), [true, false, none]);
  assert.deepEqual(of({ readOnlyRootFilesystem: false, allowPrivilegeEscalation: false }), [false, true, none]);
  assert.deepEqual(of({ capabilities: { add: ['A'], drop: ['B'] } }), [false, false, { addCapabilities: ['A'], dropCapabilities: ['B'] }]);
});
