import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leases, nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { FakeClient, refusal } from '../../client/testing/fake-client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { RuntimeState } from '../runtime/runtime-state.ts';
import { FakeCri } from '../testing/fake-cri.ts';
import { readMachine } from './capacity.ts';
import { NodeManager } from './node-manager.ts';

/** Node n1, until it is disposed of. */
class TestNodeManager implements Disposable {
  readonly clock = new FakeClock();
  readonly api = new FakeClient(this.clock);
  readonly cri = new FakeCri(this.clock);
  readonly said: string[] = [];
  readonly #stop = new AbortController();

  async start(): Promise<NodeManager> {
    const { api: client, cri, clock } = this;
    const manager = new NodeManager({
      ...{ client, cri, clock },
      runtimeState: new RuntimeState(cri, clock),
      log: { ...silentLog, warn: (text) => void this.said.push(text) },
      recorder: new EventRecorder({ client, component: 'kubelet', clock, log: silentLog }),
      identity: { nodeName: 'n1', nodeIps: ['10.0.0.1'], labels: {}, taints: [], port: 10250, machine: await readMachine('/') },
      rootDir: '/',
      limits: { memoryBytes: 0, diskBytes: 0, inodesFraction: 0, pidsFraction: 0 },
      current: () => this.node,
      otherProblem: () => undefined,
    });
    await manager.start(this.#stop.signal);
    return manager;
  }

  get node(): Node | undefined {
    return this.api.find(nodes, 'n1');
  }

  get ready(): string | undefined {
    return this.node?.status?.conditions?.find((c) => c.type === 'Ready')?.status;
  }

  /** Lets time pass until it is so. Looking at the machine takes real time, which the clock does not see. */
  async until(what: string, done: () => boolean, stepMs: number = 100): Promise<void> {
    for (const end = performance.now() + 90_000; !done(); await sleep(1)) {
      assert.ok(performance.now() < end, `${what} did not happen`);
      await this.clock.advance(stepMs);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}

test('a runtime that is away for a moment leaves the node ready, and one that stays away does not', async () => {
  using bed = new TestNodeManager();
  await bed.start();
  assert.equal(bed.ready, 'True');
  bed.cri.up = false;
  for (let i = 0; i < 4; i++) await bed.clock.advance(5000);
  assert.equal(bed.ready, 'True');
  await bed.until('a node that is not ready', () => bed.ready === 'False');
  bed.cri.up = true;
  await bed.until('a ready node', () => bed.ready === 'True');
  // A node controller that was deaf for a while says that it has not heard of this node.
  const unknown = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' };
  await bed.api.patch(nodes, 'n1', { status: { conditions: [unknown] } }, { kind: 'strategic', subresource: 'status' });
  assert.equal(bed.ready, 'Unknown');
  await bed.until('a ready node', () => bed.ready === 'True');
  assert.equal(bed.node?.status?.nodeInfo?.containerRuntimeVersion, 'cri-o://1.35.0');
});

test('a node that was deleted registers again, also when the API server fails at that moment', async () => {
  using bed = new TestNodeManager();
  const manager = await bed.start();
  await bed.api.delete(nodes, 'n1');
  bed.api.refuse(/^create nodes/, refusal(500, 'InternalError'), 2);
  void manager.registerAgain();
  await bed.until('the node', () => bed.node !== undefined);
});

test('a Lease that could not be made is made soon after: a new cluster has no namespace for it yet', async () => {
  using bed = new TestNodeManager();
  bed.api.refuse(/^create leases/, refusal(404, 'NotFound', 'namespaces "kube-node-lease" not found'), 2);
  await bed.start();
  await bed.until('the Lease', () => bed.api.find(leases, 'kube-node-lease/n1') !== undefined, 50);
  assert.ok(bed.clock.monotonic() < 5000, `it took ${bed.clock.monotonic()} ms`);
  assert.deepEqual(bed.said, ['Cannot update node "n1": namespaces "kube-node-lease" not found']);
});
