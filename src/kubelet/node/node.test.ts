/** The Node object, admission, cgroup mounts, static pods: what is pure about a node. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { Client } from '../../client/client.ts';
import { silentLog } from '../../observability/log.ts';
import { CriError } from '../cri/cri.ts';
import type { Image, RuntimeConfigResponse } from '../cri/messages.ts';
import { samplePod as p, testNow } from '../testing/pod-samples.ts';
import { Admission, admitPod, resizeProblem } from './admission.ts';
import { type Machine, parseMeminfo } from './capacity.ts';
import { CgroupManager, hierarchiesOf, valuesOfV1, valuesOfV2, warnOfCgroupDriver } from './cgroup-manager.ts';
import { removableImages } from './image-gc.ts';
import { allocatableOf, differs, type NodeFindings, type NodeIdentity, newNode, nodeStatus } from './node-object.ts';

const info = {
  machineID: '',
  systemUUID: '',
  bootID: '',
  kernelVersion: '6',
  osImage: '',
  kubeletVersion: 'v1',
  kubeProxyVersion: '',
  operatingSystem: 'linux',
  architecture: 'amd64',
};
const machine: Machine = { capacity: { cpu: '2', memory: '1024000Ki', pods: '110' }, memoryBytes: 1024000 * 1024, info };
const identity: NodeIdentity = { nodeName: 'n1', nodeIps: ['10.0.0.1'], labels: {}, taints: [], port: 10250, machine };
const fine: NodeFindings = {
  runtimeVersion: 'containerd://1',
  images: [],
  pressure: { memory: false, disk: false, pids: false },
  problems: [],
};

test('nodeStatus() is ready without problems, and keeps the time of the change', () => {
  const first = nodeStatus(identity, fine, [], testNow);
  const second = nodeStatus(identity, fine, first.conditions ?? [], testNow + 60_000);
  const ready = second.conditions?.find((c) => c.type === 'Ready');
  assert.equal(ready?.reason, 'KubeletReady');
  assert.equal(ready?.lastTransitionTime, '2026-01-01T00:00:00Z');
  assert.equal(ready?.lastHeartbeatTime, '2026-01-01T00:01:00Z');
  assert.equal(differs(first, second), false);
});

test('nodeStatus() names its problems', () => {
  const status = nodeStatus(identity, { ...fine, problems: ['one', 'two'] }, [], testNow);
  const ready = status.conditions?.find((c) => c.type === 'Ready');
  assert.deepEqual([ready?.status, ready?.reason, ready?.message], ['False', 'KubeletNotReady', '[one, two]']);
  assert.equal(differs(status, nodeStatus(identity, fine, [], testNow)), true);
});

const few = { memory: false, disk: false, pids: false };
for (const [what, pressure, wanted] of [
  [
    'fine',
    {},
    [
      'MemoryPressure False KubeletHasSufficientMemory: kubelet has sufficient memory available',
      'DiskPressure False KubeletHasNoDiskPressure: kubelet has no disk pressure',
      'PIDPressure False KubeletHasSufficientPID: kubelet has sufficient PID available',
    ],
  ],
  ['short of memory', { memory: true }, ['MemoryPressure True KubeletHasInsufficientMemory: kubelet has insufficient memory available']],
  ['short of disk', { disk: true }, ['DiskPressure True KubeletHasDiskPressure: kubelet has disk pressure']],
  ['short of process ids', { pids: true }, ['PIDPressure True KubeletHasInsufficientPID: kubelet has insufficient PID available']],
] as const)
  test(`nodeStatus() of a node that is ${what}`, () => {
    const { conditions = [] } = nodeStatus(identity, { ...fine, pressure: { ...few, ...pressure } }, [], testNow);
    const said = conditions.map((c) => `${c.type} ${c.status} ${c.reason}: ${c.message}`);
    for (const text of wanted) assert.ok(said.includes(text), said.join(', '));
    assert.equal(said.at(-1), 'Ready True KubeletReady: kubelet is posting ready status');
    assert.equal(conditions.filter((c) => c.status === 'True').length, 1 + Object.keys(pressure).length);
  });

test('nodeStatus() names one problem as it is', () => {
  const ready = nodeStatus(identity, { ...fine, problems: ['one'] }, [], testNow).conditions?.at(-1);
  assert.equal(ready?.message, 'one');
});

test('nodeStatus() gives the addresses of the node, and a condition that changed the time of the change', () => {
  const status = nodeStatus({ ...identity, nodeIps: ['10.0.0.1', 'fd00::1'] }, fine, [], testNow);
  assert.deepEqual(status.addresses, [
    { type: 'InternalIP', address: '10.0.0.1' },
    { type: 'InternalIP', address: 'fd00::1' },
    { type: 'Hostname', address: 'n1' },
  ]);
  assert.equal(status.daemonEndpoints?.kubeletEndpoint?.Port, 10250);
  assert.equal(status.nodeInfo?.containerRuntimeVersion, 'containerd://1');
  const later = nodeStatus(identity, { ...fine, problems: ['one'] }, status.conditions ?? [], testNow + 60_000);
  assert.equal(later.conditions?.at(-1)?.lastTransitionTime, '2026-01-01T00:01:00Z');
});

test('nodeStatus() keeps memory back from pods', () => {
  assert.equal(nodeStatus(identity, fine, [], testNow).allocatable?.memory, '921600Ki');
  assert.equal(allocatableOf({ ...machine, memoryBytes: 1024 }).memory, '0Ki');
});

test('newNode() has its labels and taints; labels that were asked for win', () => {
  const taints = [{ key: 'a', effect: 'NoSchedule' }];
  const labels = { disk: 'ssd', 'kubernetes.io/hostname': 'other' };
  const node = newNode({ ...identity, labels, taints }, {});
  assert.deepEqual(node.metadata.labels, {
    'beta.kubernetes.io/arch': 'amd64',
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
    'kubernetes.io/hostname': 'other',
    'kubernetes.io/os': 'linux',
    disk: 'ssd',
  });
  assert.deepEqual([node.metadata.name, node.spec], ['n1', { taints }]);
  assert.deepEqual(newNode(identity, {}).spec, {});
});

test('parseMeminfo() reads bytes', () => assert.equal(parseMeminfo('MemTotal:  2 kB\nHugePages_Total: 0\n').get('MemTotal'), 2048));

const asking = (requests: Record<string, string>) => p({ containers: [{ name: 'main', image: 'x', resources: { requests } }] });
const offer = { allocatable: { cpu: '2', memory: '1Gi', pods: '2' }, labels: { disk: 'ssd' } };
for (const [cpu, wanted] of [
  ['1500m', "Deferred: Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"],
  ['2500m', "Infeasible: Node didn't have enough capacity: cpu, requested: 2500, used: 0, capacity: 2000"],
  ['1', undefined],
] as const)
  test(`resizeProblem() of a pod that wants ${cpu} of 2, of which another has 1, is ${wanted}`, () => {
    const problem = resizeProblem(asking({ cpu }), [asking({ cpu: '1' })], offer);
    assert.equal(problem && `${problem.reason}: ${problem.message}`, wanted);
  });

const withSysctl = (name: string, more: object = {}) => p({ securityContext: { sysctls: [{ name, value: '1' }] }, ...more });
const onPort = (port: { containerPort: number; hostPort: number; hostIP?: string }, more: object = {}) =>
  p({ containers: [{ name: 'main', image: 'x', ports: [port], ...more }] });
const admissions: readonly [name: string, pod: ReturnType<typeof p>, others: number, wanted: string | undefined][] = [
  ['takes a pod that fits', asking({ cpu: '500m' }), 1, undefined],
  ['refuses more cpu than there is', asking({ cpu: '1500m' }), 1, 'OutOfcpu'],
  ['counts what its RuntimeClass costs', p({ ...asking({ cpu: '500m' }).spec, overhead: { cpu: '600m' } }), 1, 'OutOfcpu'],
  ['refuses more memory than there is', asking({ memory: '2Gi' }), 0, 'OutOfmemory'],
  ['refuses more pods than there may be', asking({}), 2, 'OutOfpods'],
  ['refuses a pod meant for other nodes', p({ nodeSelector: { disk: 'hdd' } }), 0, 'NodeAffinity'],
  ['takes a sysctl of the pod alone', withSysctl('net/ipv4/tcp_syncookies'), 0, undefined],
  ['refuses a sysctl that nobody allowed', withSysctl('kernel.msgmax'), 0, 'SysctlForbidden'],
  ['refuses a sysctl of what it shares with the node', withSysctl('net.ipv4.tcp_syncookies', { hostNetwork: true }), 0, 'SysctlForbidden'],
  ['takes a sysctl of the semaphores of the pod', withSysctl('kernel.shm_rmid_forced', { hostNetwork: true }), 0, undefined],
  ['refuses one of semaphores that it shares with the node', withSysctl('kernel.shm_rmid_forced', { hostIPC: true }), 0, 'SysctlForbidden'],
  ['takes a sysctl of its network beside the semaphores of the node', withSysctl('net.ipv4.tcp_rmem', { hostIPC: true }), 0, undefined],
  ['takes what fits to the last unit', asking({ cpu: '1', memory: '1Gi' }), 1, undefined],
  ['takes a pod that asks for nothing', asking({}), 1, undefined],
  ['takes a port of the node that is free', onPort({ containerPort: 80, hostPort: 81 }), 1, undefined],
  ['refuses a port of the node that is taken', onPort({ containerPort: 80, hostPort: 80, hostIP: '192.0.2.1' }), 1, 'NodePorts'],
  ['takes a pod meant for such nodes', p({ nodeSelector: { disk: 'ssd' } }), 0, undefined],
];
for (const [name, pod, others, wanted] of admissions)
  test(`admitPod() ${name}`, () =>
    assert.equal(
      admitPod(
        pod,
        Array.from({ length: others }, () => onPort({ containerPort: 8080, hostPort: 80 }, { resources: { requests: { cpu: '1' } } })),
        offer,
      )?.reason,
      wanted,
    ));

for (const name of [
  'kernel.shm_rmid_forced',
  ...['local_port_range', 'unprivileged_port_start', 'local_reserved_ports'].map((name) => `net.ipv4.ip_${name}`),
  'net.ipv4.ping_group_range',
  ...['syncookies', 'keepalive_time', 'fin_timeout', 'keepalive_intvl', 'keepalive_probes', 'rmem', 'wmem'].map(
    (name) => `net.ipv4.tcp_${name}`,
  ),
])
  test(`admitPod() takes the safe sysctl ${name}`, () => assert.equal(admitPod(withSysctl(name), [], offer), undefined));

for (const [what, pod, message] of [
  [
    'labels',
    p({ nodeSelector: { disk: 'hdd' } }),
    "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
  ],
  ['a sysctl', withSysctl('kernel/msgmax'), 'forbidden sysctl: "kernel.msgmax" not allowlisted'],
  [
    'a sysctl with a dot in a name',
    withSysctl('net/ipv4/conf/eth0.1/forwarding'),
    'forbidden sysctl: "net.ipv4.conf.eth0/1.forwarding" not allowlisted',
  ],
  [
    'a sysctl of the network',
    withSysctl('net.ipv4.tcp_rmem', { hostNetwork: true }),
    'forbidden sysctl: "net.ipv4.tcp_rmem" not allowed with host Net enabled',
  ],
  [
    'a sysctl of semaphores',
    withSysctl('kernel.shm_rmid_forced', { hostIPC: true }),
    'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host IPC enabled',
  ],
  ['cpu', asking({ cpu: '3' }), "Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 500, capacity: 2000"],
  [
    'a port',
    onPort({ containerPort: 1, hostPort: 80 }),
    "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  ],
] as const)
  test(`admitPod() says what is wrong with ${what}`, () =>
    assert.equal(
      admitPod(pod, [onPort({ containerPort: 8080, hostPort: 80 }, { resources: { requests: { cpu: '500m' } } })], offer)?.message,
      message,
    ));

test('admitPod() says how many pods there are', () =>
  assert.equal(
    admitPod(asking({}), [asking({}), asking({})], offer)?.message,
    "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2",
  ));

test('a pod that was placed by a label that the watch has not brought yet is admitted', async () => {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { disk: 'hdd' } } };
  let asked = 0;
  const get = async (): Promise<object> => {
    asked++;
    return node;
  };
  const admission = new Admission({
    client: { get } as unknown as Client,
    nodeName: 'n1',
    allocatable: offer.allocatable,
    node: () => undefined,
  });
  assert.equal(await admission.admit(p({ nodeSelector: { disk: 'hdd' } }), () => []), undefined);
  assert.equal((await admission.admit(p({ nodeSelector: { disk: 'ssd' } }), () => []))?.reason, 'NodeAffinity');
  assert.equal(asked, 2);
  assert.equal((await admission.admit(asking({ cpu: '3' }), () => []))?.reason, 'OutOfcpu');
  assert.equal(asked, 2, 'no label would help');
});

test('hierarchiesOf() finds the controllers of version 1, beside an unused version 2', () => {
  const mountinfo = [
    '30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
    '31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
  ].join('\n');
  assert.deepEqual(hierarchiesOf(mountinfo), [
    { path: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
    { path: '/sys/fs/cgroup/memory', controllers: ['memory'] },
    { path: '/sys/fs/cgroup/unified', controllers: [], idle: true },
  ]);
});

test('removePod() also removes what the runtime left in a version 2 that is not used', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'cgroups-'));
  t.after(() => rm(root, { recursive: true }));
  const hierarchies = [
    { path: join(root, 'pids'), controllers: ['pids'] },
    { path: join(root, 'unified'), controllers: [], idle: true as const },
  ];
  const cgroups = new CgroupManager(hierarchies);
  await cgroups.createPod({ cgroup: '/kubepods/pod1', cpuShares: 2, cpuQuota: 0, memoryLimit: 0 });
  assert.equal(existsSync(join(root, 'unified/kubepods')), false);
  await mkdir(join(root, 'unified/kubepods/pod1/container'), { recursive: true });
  assert.deepEqual([...(await cgroups.pods()).keys()], ['1']);
  await cgroups.removePod('/kubepods/pod1');
  assert.equal(existsSync(join(root, 'unified/kubepods/pod1')), false);
  assert.equal((await cgroups.pods()).size, 0);
});

test('hierarchiesOf() finds version 2', () => {
  assert.deepEqual(hierarchiesOf('30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw'), [{ path: '/sys/fs/cgroup', controllers: [] }]);
});

const image = (id: string, more: object): Image => ({
  id,
  repoTags: [],
  repoDigests: ['x@sha256:1'],
  size: 1,
  username: '',
  pinned: false,
  ...more,
});
test('removableImages() leaves what is used, pinned, or in no registry', () => {
  const images = [
    image('used', {}),
    image('pinned', { pinned: true }),
    image('loaded', { repoDigests: [] }),
    image('small', {}),
    image('big', { size: 9 }),
  ];
  assert.deepEqual(
    removableImages(images, new Set(['used'])).map((i) => i.id),
    ['big', 'small'],
  );
});

const limited = { cgroup: '/kubepods/pod1', cpuShares: 1024, cpuQuota: 50_000, memoryLimit: 4096 };
const unlimited = { ...limited, cpuShares: 2, cpuQuota: 0, memoryLimit: 0 };

test('the cgroup of a pod has values for the controllers of its hierarchy, and limits only where there are any', () => {
  assert.deepEqual(valuesOfV1(limited, ['cpu', 'cpuacct']), [
    ['cpu.shares', 1024],
    ['cpu.cfs_quota_us', 50_000],
  ]);
  assert.deepEqual(valuesOfV1(limited, ['memory']), [['memory.limit_in_bytes', 4096]]);
  assert.deepEqual(valuesOfV1(limited, ['cpuset']), []);
  assert.deepEqual(valuesOfV1(unlimited, ['cpu', 'memory']), [['cpu.shares', 2]]);
});

test('shares of version 1 are weights of version 2', () => {
  assert.deepEqual(valuesOfV2(limited), [
    ['cpu.weight', 39],
    ['cpu.max', '50000 100000'],
    ['memory.max', 4096],
  ]);
  assert.deepEqual(valuesOfV2(unlimited), [['cpu.weight', 1]]);
  assert.deepEqual(valuesOfV2({ ...unlimited, cpuShares: 262_144 }), [['cpu.weight', 10_000]]);
});

test('a runtime with the cgroup driver systemd is warned of, any other, and one that does not say, is not', async () => {
  const warnings = async (answer: () => Promise<RuntimeConfigResponse>): Promise<number> => {
    let count = 0;
    await warnOfCgroupDriver({ runtimeConfig: answer }, { ...silentLog, warn: () => void count++ });
    return count;
  };
  assert.equal(await warnings(async () => ({ linux: { cgroupDriver: 0 } })), 1);
  assert.equal(await warnings(async () => ({ linux: { cgroupDriver: 1 } })), 0);
  assert.equal(await warnings(async () => ({})), 0);
  assert.equal(await warnings(async () => Promise.reject(new CriError(12, 'unknown method'))), 0);
});
