/** flannel on one node, our net-agent on the others: one pod network over VXLAN. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { Cluster } from '../e2e/testing/cluster.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { all, boxDaemonSet, quickReadiness, service } from '../e2e/testing/manifests.ts';
import { allAnswer } from '../e2e/testing/network.ts';
import { lacksFlannel, startFlannel } from './testing/flannel.ts';

const skip = cannotStartLabs || lacksFlannel();

describe('flannel beside net-agent', { skip }, () => {
  let lab: TestLab;
  let running: Cluster;
  /** By node. */
  let pods: ReadonlyMap<string, { readonly name: string; readonly ip: string }>;

  before(async () => {
    lab = new TestLab({ name: 'ifla', underlay: '192.168.148.0/24', without: 'worker-2/net-agent' });
    await lab.up();
    running = new Cluster(lab);
    await startFlannel(lab, running, 'worker-2');
    await eventually(
      'all nodes to be ready',
      async () => {
        const ready = (await running.nodes()).filter((n) => n.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'));
        assert.equal(ready.length, 3);
      },
      { timeoutMs: 60_000 },
    );
    const everywhere = { container: quickReadiness, spec: 'tolerations: [{ operator: Exists }]' };
    await running.apply(all(boxDaemonSet('web', everywhere), service('web', '80:8080')), 'default');
    const ready = await running.readyPods('default', 'app=web', 3);
    pods = new Map(ready.map((pod) => [pod.spec?.nodeName ?? '', { name: pod.metadata?.name ?? '', ip: pod.status?.podIP ?? '' }]));
  });

  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test('flannel takes its range from the Node, and tells the others where it is as net-agent does', async () => {
    const nodes = await running.nodes();
    for (const { metadata, spec, status } of nodes) {
      const said = metadata?.annotations ?? {};
      assert.equal(said['flannel.alpha.coreos.com/backend-type'], 'vxlan', metadata?.name);
      assert.equal(said['flannel.alpha.coreos.com/public-ip'], status?.addresses?.find((a) => a.type === 'InternalIP')?.address);
      assert.equal(status?.conditions?.find((c) => c.type === 'NetworkUnavailable')?.status, 'False', metadata?.name);
      const prefix = (spec?.podCIDR ?? '').replace(/0\/24$/, '');
      assert.ok(pods.get(metadata?.name ?? '')?.ip.startsWith(prefix), metadata?.name);
    }
  });

  for (const [from, to] of [
    ['worker-1', 'worker-2'],
    ['worker-2', 'worker-1'],
    ['control-plane', 'worker-2'],
    ['worker-2', 'control-plane'],
  ] as const) {
    test(`a pod on ${from} reaches a pod on ${to}, with small packets and with large ones`, async () => {
      const [client, server] = [pods.get(from), pods.get(to)];
      assert.ok(client && server);
      const ping = (bytes: number): Promise<string> => running.sh('default', client.name, `ping -c 1 -W 5 -s ${bytes} ${server.ip}`);
      assert.match(await ping(56), /1 (packets )?received/);
      assert.match(await ping(4000), /1 (packets )?received/);
      assert.match(await running.sh('default', client.name, `timeout 5 wget -q -O - http://${server.ip}:8080/`), new RegExp(server.name));
    });
  }

  test('a Service carries from either side to every pod', async () => {
    const ip = await running.clusterIp('default', 'web');
    const names = [...pods.values()].map((pod) => pod.name);
    for (const node of ['worker-1', 'worker-2'] as const) {
      const client = pods.get(node)?.name ?? '';
      await allAnswer(() => running.sh('default', client, `timeout 5 wget -q -O - http://${ip}/`), names, `from a pod on ${node}`);
      await allAnswer(() => lab.must(node, 'curl', '-sS', '-m', '5', `http://${ip}/`), names, `from ${node}`);
    }
  });
});
