import assert from 'node:assert/strict';
import test from 'node:test';
import type { ContainerStatus, PodSandboxStatus } from '../cri/messages.ts';
import { containerRecord, newestFirst, sandboxRecord } from './pod-runtime.ts';

/** 1 s and 5.9 ms after the epoch. */
const ns = 1_005_900_000;

const sandbox = (more: object = {}): PodSandboxStatus => ({
  id: 's1',
  metadata: { name: 'web', uid: 'u', namespace: 'default', attempt: 2 },
  state: 0,
  createdAt: ns,
  network: { ip: '10.0.0.1', additionalIps: [{ ip: 'fd00::1' }] },
  linux: { namespaces: { options: { network: 0, pid: 1, ipc: 0, targetId: '' } } },
  labels: {},
  annotations: {},
  runtimeHandler: '',
  ...more,
});

test('sandboxRecord() has what the runtime says, times in ms', () => {
  const ips = ['10.0.0.1', 'fd00::1'];
  assert.deepEqual(sandboxRecord(sandbox()), { id: 's1', attempt: 2, ready: true, createdAt: 1005, hostNetwork: false, ips });
});

test("sandboxRecord() puts the addresses of the node's first family first, as the kubelet of upstream does", () => {
  const network = { ip: '10.244.0.2', additionalIps: [{ ip: 'fd00::2' }] };
  assert.deepEqual(sandboxRecord(sandbox({ network }), 4).ips, ['10.244.0.2', 'fd00::2']);
  assert.deepEqual(sandboxRecord(sandbox({ network }), 6).ips, ['fd00::2', '10.244.0.2']);
});

test('sandboxRecord() of a sandbox on the network of the node, which has no address of its own', () => {
  const options = { network: 2, pid: 1, ipc: 0, targetId: '' };
  const record = sandboxRecord(sandbox({ state: 1, linux: { namespaces: { options } }, network: undefined, metadata: undefined }));
  assert.deepEqual(record, { id: 's1', attempt: 0, ready: false, createdAt: 1005, hostNetwork: true, ips: [] });
});

const container = (more: object = {}): ContainerStatus => ({
  id: 'c1',
  metadata: { name: 'in-metadata', attempt: 4 },
  state: 2,
  createdAt: ns,
  startedAt: ns + 1e9,
  finishedAt: ns + 2e9,
  exitCode: 3,
  image: { image: 'sha256:1', annotations: {}, userSpecifiedImage: 'box:1', runtimeHandler: '', imageRef: '' },
  imageRef: 'box@sha256:1',
  reason: 'Error',
  message: 'said by the runtime',
  labels: { 'io.kubernetes.container.name': 'main' },
  annotations: {
    'io.kubernetes.container.restartCount': '7',
    'io.kubernetes.container.hash': 'abc',
    'fairlead.dev/resources': '{"limits":{"cpu":"1"}}',
  },
  mounts: [],
  logPath: '/l/0.log',
  imageId: '',
  stopSignal: 0,
  ...more,
});

test('containerRecord() has what the runtime says, and what was noted at the container', () => {
  assert.deepEqual(containerRecord(container(), 's1', 'last words'), {
    id: 'c1',
    name: 'main',
    sandboxId: 's1',
    state: 'exited',
    createdAt: 1005,
    startedAt: 2005,
    finishedAt: 3005,
    exitCode: 3,
    reason: 'Error',
    message: 'last words',
    image: 'box:1',
    imageRef: 'box@sha256:1',
    restartCount: 7,
    hash: 'abc',
    resources: { limits: { cpu: '1' } },
    logPath: '/l/0.log',
  });
});

test('containerRecord() of a container on which nothing was noted', () => {
  const image = { image: 'sha256:1', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' };
  const of = (more: object): unknown[] => {
    const {
      name,
      restartCount,
      hash,
      resources,
      image: shown,
      message,
    } = containerRecord(container({ labels: {}, annotations: {}, ...more }), 's1');
    return [name, restartCount, hash, resources, shown, message];
  };
  assert.deepEqual(of({ image }), ['in-metadata', 4, '', undefined, 'sha256:1', 'said by the runtime']);
  assert.deepEqual(of({ image: undefined, metadata: undefined }), ['', 0, '', undefined, '', 'said by the runtime']);
});

for (const [state, wanted] of ['created', 'running', 'exited', 'unknown', 'unknown'].entries())
  test(`a container in state ${state} is ${wanted}`, () => assert.equal(containerRecord(container({ state }), 's1').state, wanted));

test('newestFirst() sorts by creation', () => {
  const at = (createdAt: number): { createdAt: number } => ({ createdAt });
  assert.deepEqual(newestFirst([at(1), at(3), at(2)]), [at(3), at(2), at(1)]);
});
