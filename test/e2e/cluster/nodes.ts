/** What the lab is when it says that it is ready, and the pods and Services of the tour. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import type { Cluster } from '../testing/cluster.ts';

export const tourManifest: string = readFileSync(join(import.meta.dirname, '../../../rules/scenarios/web/objects.yaml'), 'utf8');

export function nodesSuite(cluster: () => Cluster): void {
  describe('nodes', { concurrency: true }, () => {
    test('three nodes are Ready, each with an address, a version, a runtime and a pod range of its own', async () => {
      const nodes = await cluster().nodes();
      assert.deepEqual(nodes.map((n) => n.metadata?.name).toSorted(), ['control-plane', 'worker-1', 'worker-2']);
      for (const node of nodes) {
        const conditions = Object.fromEntries((node.status?.conditions ?? []).map((c) => [c.type, c.status]));
        assert.equal(conditions.Ready, 'True');
        assert.equal(conditions.NetworkUnavailable, 'False');
        assert.equal(conditions.MemoryPressure, 'False');
        assert.match(node.status?.nodeInfo?.kubeletVersion ?? '', /^v1\.\d+/);
        assert.match(node.status?.nodeInfo?.containerRuntimeVersion ?? '', /^containerd:\/\//);
        assert.match(node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address ?? '', /^192\.168\./);
      }
      assert.equal(new Set(nodes.map((n) => n.spec?.podCIDR)).size, 3);
    });

    test('only the control plane has the role and refuses ordinary pods', async () => {
      // That a new node is not ready yet is a taint too, until the node controller takes it away.
      await eventually('the taints', async () => {
        const marked = (await cluster().nodes()).filter((n) => n.metadata?.labels?.['node-role.kubernetes.io/control-plane'] !== undefined);
        assert.deepEqual(
          marked.map((n) => [n.metadata?.name, n.spec?.taints?.map((t) => `${t.key}:${t.effect}`)]),
          [['control-plane', ['node-role.kubernetes.io/control-plane:NoSchedule']]],
        );
      });
    });

    test('each node renews its Lease', async () => {
      const names = (await cluster().nodes()).map((n) => n.metadata?.name ?? '');
      const before = await Promise.all(names.map((name) => leaseTime(cluster(), name)));
      const renewed = async (): Promise<void> => {
        const now = await Promise.all(names.map((name) => leaseTime(cluster(), name)));
        assert.ok(now.every((time, i) => time !== before[i]));
      };
      await eventually('every Lease to be renewed', renewed, { pauseMs: 500 });
    });

    test('nodes carry flannel annotations, so that they could share a cluster with flannel', async () => {
      for (const node of await cluster().nodes()) {
        const annotations = node.metadata?.annotations ?? {};
        assert.equal(annotations['flannel.alpha.coreos.com/backend-type'], 'vxlan');
        const address = node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
        assert.equal(annotations['flannel.alpha.coreos.com/public-ip'], address);
        const link = await cluster().lab.must(node.metadata?.name ?? '', 'ip', '-d', 'link', 'show', 'flannel.1');
        assert.match(link, /vxlan id 1 .*dstport 8472/);
      }
    });
  });
}

async function leaseTime(cluster: Cluster, node: string): Promise<string> {
  const lease = await cluster.objects.read({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: node, namespace: 'kube-node-lease' },
  });
  return String((lease as { spec?: { renewTime?: unknown } }).spec?.renewTime);
}
