/** Parts die one after the other in an order that a seed decides (FAIRLEAD_SEED tries another), hang, or are cut off. A lab of its own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { Cluster } from './testing/cluster.ts';
import { cannotStartLabs, TestLab } from './testing/lab.ts';
import { all, boxDeployment, boxPod, service } from './testing/manifests.ts';
import { httpText } from './testing/network.ts';

const seed = Number(process.env.FAIRLEAD_SEED ?? 1);
const deaths = 15;
const restarts = (pod: V1Pod): number => pod.status?.containerStatuses?.[0]?.restartCount ?? -1;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('storms', { skip: cannotStartLabs }, () => {
  let lab: TestLab;
  let cluster: Cluster;
  let ip = '';
  let nodes: string[] = [];

  before(async () => {
    lab = new TestLab({ name: 'e2es', underlay: '192.168.147.0/24' });
    await lab.up();
    cluster = new Cluster(lab);
    nodes = lab.plan.nodes.map((n) => n.name);
    await cluster.apply(all(boxDeployment('steady', 3), service('steady', '80:8080')), 'default');
    await cluster.readyPods('default', 'app=steady', 3);
    ip = await cluster.clusterIp('default', 'steady');
    await eventually('the first answer', () => httpText(ip));
  });
  after(() => lab[Symbol.asyncDispose]());

  /** Sends a signal to one of a node's services; whether it runs. */
  function signal(node: string, command: RegExp, name: NodeJS.Signals): boolean {
    try {
      return process.kill(lab.pidOf(node, command), name);
    } catch {
      return false;
    }
  }

  /** Every node is Ready, runs a new pod, and the Service answers. */
  async function converged(after: string): Promise<void> {
    for (const name of nodes)
      await eventually(`${name} to be Ready`, async () => {
        const { status } = await cluster.core.readNode({ name });
        assert.equal(status?.conditions?.find((c) => c.type === 'Ready')?.status, 'True');
      });
    for (const name of nodes) {
      const spec = `nodeName: ${name}\ntolerations: [{ operator: Exists }]`;
      await cluster.apply(boxPod(`after-${after}-${name}`, { spec }), 'default');
      await cluster.readyPod('default', `after-${after}-${name}`);
    }
    await cluster.readyPods('default', 'app=steady', 3);
    await eventually('twenty answers in a row', async () => {
      for (let i = 0; i < 20; i++) await httpText(ip);
    });
  }

  test('everything comes back from a process killed every half second, and no acknowledged write is lost', async (t) => {
    t.diagnostic(`FAIRLEAD_SEED=${seed}`);
    const random = seededRandom(seed);
    const server = ['control-plane', /fairlead\.mjs server/] as const;
    const victims = [server, ...nodes.flatMap((n) => [[n, /fairlead\.mjs agent/] as const, [n, /^containerd /] as const])];
    const acknowledged = new Map<string, number>();
    let isOver = false;
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        const metadata = { name: `storm-${writer}-${n % 50}`, labels: { e2e: 'storm' } };
        try {
          const body = { metadata, data: { n: String(n) } };
          if (n < 50) await cluster.core.createNamespacedConfigMap({ namespace: 'default', body });
          else await cluster.core.replaceNamespacedConfigMap({ name: metadata.name, namespace: 'default', body });
          acknowledged.set(metadata.name, n);
        } catch {
          // Nobody said that it was written; it may be all the same.
          await sleep(20);
        }
      }
    };
    const writers = [write(1), write(2)];
    let killed = 0;
    try {
      // On a busy machine one that was killed is not back yet when its turn comes again.
      for (let n = 0; n < deaths || killed <= deaths / 3; n++) {
        const [node, command] = victims[random(victims.length)]!;
        if (signal(node, command, 'SIGKILL')) killed++;
        await sleep(500);
      }
      await eventually('writes', () => acknowledged.size > 10);
    } finally {
      isOver = true;
      await Promise.all(writers);
    }
    await eventually('the server', () => cluster.core.listNode());
    const kept = await cluster.core.listNamespacedConfigMap({ namespace: 'default', labelSelector: 'e2e=storm' });
    const values = new Map(kept.items.map((c) => [c.metadata?.name ?? '', Number(c.data?.n)]));
    for (const [name, n] of acknowledged) assert.ok((values.get(name) ?? -1) >= n, `${name}: ${values.get(name)} instead of ${n}`);
    await converged('storm');
  });

  test('a containerd that hangs for a while costs no container, and no node its other work', async () => {
    const before = await cluster.pods('default', 'app=steady');
    const containerd = lab.pidOf('worker-1', /^containerd /);
    process.kill(containerd, 'SIGSTOP');
    try {
      for (let i = 0; i < 10; i++) {
        await httpText(ip);
        await sleep(500);
      }
    } finally {
      process.kill(containerd, 'SIGCONT');
    }
    await converged('hang');
    const now = await cluster.pods('default', 'app=steady');
    assert.deepEqual(now.map((p) => p.metadata?.uid).toSorted(), before.map((p) => p.metadata?.uid).toSorted());
    assert.deepEqual(now.map(restarts), before.map(restarts));
  });

  test('a node cut off from the server for a while keeps its pods, serves them, and hears what it missed', async () => {
    const before = await cluster.pods('default', 'app=steady');
    const server = lab.plan.nodes.find((n) => n.name === 'control-plane')?.address ?? '';
    const chain = (hook: string, match: string): string =>
      `chain ${hook} { type filter hook ${hook} priority -300; ip ${match} ${server} drop; };`;
    const rules = `table ip cut { ${chain('input', 'saddr')} ${chain('output', 'daddr')} }`;
    await lab.must('worker-1', 'nft', rules);
    try {
      await cluster.apply(
        all(boxDeployment('meanwhile', 1, { spec: 'nodeSelector: { kubernetes.io/hostname: worker-2 }' }), service('meanwhile', '80:8080')),
        'default',
      );
      await cluster.readyPods('default', 'app=meanwhile', 1);
    } finally {
      await lab.must('worker-1', 'nft', 'delete table ip cut');
    }
    await converged('cut');
    const address = await cluster.clusterIp('default', 'meanwhile');
    await eventually('the Service made meanwhile, from the node that was away', () =>
      lab.must('worker-1', 'curl', '-sf', '-m', '2', `http://${address}/`),
    );
    const now = await cluster.pods('default', 'app=steady');
    assert.deepEqual(now.map((p) => p.metadata?.uid).toSorted(), before.map((p) => p.metadata?.uid).toSorted());
    assert.deepEqual(now.map(restarts), before.map(restarts));
  });
});
