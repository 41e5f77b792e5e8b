import assert from 'node:assert/strict';
import test from 'node:test';
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { FakeClock, systemClock } from '../../clock/clock.ts';
import { silentLog } from '../../observability/log.ts';
import { type Cri, CriError } from '../cri/cri.ts';
import { RuntimeState } from '../runtime/runtime-state.ts';
import { FakeApi } from '../testing/fake-api.ts';
import { waitFor } from '../testing/test-node.ts';
import { defaultLimits, readMachine } from './capacity.ts';
import { NodeManager } from './node-manager.ts';

test('a runtime that is away for a moment leaves the node ready, and one that stays away does not', async () => {
  const api = await FakeApi.start();
  const clock = new FakeClock();
  const stop = new AbortController();
  let up = true;
  const answer = async (value: object): Promise<object> => {
    if (!up) throw new CriError(14, 'no');
    return value;
  };
  const conditions = ['RuntimeReady', 'NetworkReady'].map((type) => ({ type, status: true, reason: '', message: '' }));
  const cri = {
    status: () => answer({ status: { conditions } }),
    version: () => answer({ runtimeName: 'containerd', runtimeVersion: '1' }),
    listImages: () => answer([]),
  } as unknown as Cri;
  const client = api.client();
  const manager = new NodeManager({
    client,
    cri,
    runtimeState: new RuntimeState(cri, clock),
    clock,
    log: silentLog,
    recorder: new EventRecorder({ client, component: 'kubelet', clock }),
    identity: { nodeName: 'n1', nodeIps: ['10.0.0.1'], labels: {}, taints: [], port: 10250, machine: await readMachine('/') },
    rootDir: '/',
    limits: { ...defaultLimits, memoryBytes: 0, diskBytes: 0 },
    registerNode: true,
    current: () => api.get<Node>('nodes', 'n1'),
    otherProblem: () => undefined,
  });
  const ready = (): string => api.get<Node>('nodes', 'n1')?.status?.conditions?.find((c) => c.type === 'Ready')?.status ?? '';
  // Requests take real time, which the fake clock does not see.
  const after = (ms: number, wanted: string): Promise<void> =>
    waitFor(`Ready=${wanted}`, async () => {
      await clock.advance(ms / 100);
      return ready() === wanted;
    });
  try {
    await manager.start(stop.signal);
    assert.equal(ready(), 'True');
    up = false;
    for (let i = 0; i < 4; i++) await clock.advance(5000);
    assert.equal(ready(), 'True');
    await after(60_000, 'False');
    up = true;
    await after(20_000, 'True');
    // A node controller that was deaf for a while says that it has not heard of this node.
    const unknown = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' };
    await client.patch<Node>(nodes, 'n1', { status: { conditions: [unknown] } }, { kind: 'strategic', subresource: 'status' });
    assert.equal(ready(), 'Unknown');
    await after(20_000, 'True');
    assert.match(api.get<Node>('nodes', 'n1')?.status?.nodeInfo?.containerRuntimeVersion ?? '', /^containerd:\/\/1$/);
  } finally {
    stop.abort();
    client.close();
    api.close();
  }
});

test('a node that was deleted registers again, also when the API server fails at that moment', async () => {
  const api = await FakeApi.start();
  const stop = new AbortController();
  const conditions = ['RuntimeReady', 'NetworkReady'].map((type) => ({ type, status: true, reason: '', message: '' }));
  const cri = {
    status: async () => ({ status: { conditions } }),
    version: async () => ({ runtimeName: 'containerd', runtimeVersion: '1' }),
    listImages: async () => [],
  } as unknown as Cri;
  const real = api.client();
  let failures = 0;
  const client = {
    create: async (...args: Parameters<Client['create']>) => {
      if (args[0] === nodes && failures-- > 0) throw new Error('the server is not there');
      return real.create(...args);
    },
    get: real.get.bind(real),
    update: real.update.bind(real),
    patch: real.patch.bind(real),
    delete: real.delete.bind(real),
  } as unknown as Client;
  const manager = new NodeManager({
    client,
    cri,
    runtimeState: new RuntimeState(cri, systemClock),
    clock: systemClock,
    log: silentLog,
    recorder: new EventRecorder({ client: real, component: 'kubelet', clock: systemClock }),
    identity: { nodeName: 'n1', nodeIps: ['10.0.0.1'], labels: {}, taints: [], port: 10250, machine: await readMachine('/') },
    rootDir: '/',
    limits: { ...defaultLimits, memoryBytes: 0, diskBytes: 0 },
    registerNode: true,
    current: () => api.get<Node>('nodes', 'n1'),
    otherProblem: () => undefined,
  });
  try {
    await manager.start(stop.signal);
    await real.delete(nodes, 'n1');
    failures = 2;
    void manager.registerAgain();
    await waitFor('the node', () => api.get<Node>('nodes', 'n1') !== undefined);
  } finally {
    stop.abort();
    api.close();
  }
});

test('a Lease that could not be made is made soon after: a new cluster has no namespace for it yet', async () => {
  const api = await FakeApi.start();
  const clock = new FakeClock();
  const stop = new AbortController();
  const conditions = ['RuntimeReady', 'NetworkReady'].map((type) => ({ type, status: true, reason: '', message: '' }));
  const cri = {
    status: async () => ({ status: { conditions } }),
    version: async () => ({ runtimeName: 'containerd', runtimeVersion: '1' }),
    listImages: async () => [],
  } as unknown as Cri;
  const client = api.client();
  const create = client.create.bind(client);
  let attempts = 0;
  client.create = async (type, object, options) => {
    if (object.kind === 'Lease' && ++attempts < 3) throw new Error('namespaces "kube-node-lease" not found');
    return await create(type, object, options);
  };
  const said: string[] = [];
  const manager = new NodeManager({
    client,
    cri,
    runtimeState: new RuntimeState(cri, clock),
    clock,
    log: { ...silentLog, warn: (text) => void said.push(text) },
    recorder: new EventRecorder({ client, component: 'kubelet', clock }),
    identity: { nodeName: 'n1', nodeIps: ['10.0.0.1'], labels: {}, taints: [], port: 10250, machine: await readMachine('/') },
    rootDir: '/',
    limits: { ...defaultLimits, memoryBytes: 0, diskBytes: 0 },
    registerNode: true,
    current: () => api.get<Node>('nodes', 'n1'),
    otherProblem: () => undefined,
  });
  try {
    await manager.start(stop.signal);
    let passed = 0;
    await waitFor('the Lease', async () => {
      await clock.advance(50);
      passed += 50;
      return api.list('leases').length > 0;
    });
    assert.equal(attempts, 3);
    assert.ok(passed < 5000, `it took ${passed} ms`);
    assert.deepEqual(said, ['Cannot update node "n1": namespaces "kube-node-lease" not found']);
  } finally {
    stop.abort();
    client.close();
    api.close();
  }
});
