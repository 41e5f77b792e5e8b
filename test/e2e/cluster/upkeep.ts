/** Taking a node out of service. These tests move pods of others, so they run when nobody else does. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { V1Node } from '@kubernetes/client-node';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { systemExec } from '../../../src/linux/exec.ts';
import { type Cluster, isStatus } from '../testing/cluster.ts';
import { boxDaemonSet, boxDeployment, boxPod } from '../testing/manifests.ts';

const space = 'upkeep';

export function upkeepSuite(cluster: () => Cluster): void {
  describe('upkeep', () => {
    const edit = (spec: object): Promise<unknown> =>
      cluster().merge({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'worker-2' }, spec } as V1Node);
    /** Cordons worker-2. Its taint shows that the scheduler knows: it hears of nodes where the node controller does. */
    const cordon = async (): Promise<void> => {
      await edit({ unschedulable: true });
      await eventually('the taint of a cordoned node', async () => {
        const { spec } = await cluster().core.readNode({ name: 'worker-2' });
        assert.ok(spec?.taints?.some((t) => t.key === 'node.kubernetes.io/unschedulable'));
      });
    };
    const placed = async (app: string): Promise<(string | undefined)[]> =>
      (await cluster().pods(space, `app=${app}`))
        .filter((p) => !p.metadata?.deletionTimestamp)
        .map((p) => p.spec?.nodeName)
        .toSorted();

    before(async () => {
      await cluster().namespace(space);
    });
    after(() => edit({ unschedulable: null, taints: null }));

    test('a cordoned node gets no new pods and keeps its old ones', async () => {
      await cluster().apply(boxDaemonSet('stays'), space);
      await cluster().readyPods(space, 'app=stays', 2);
      await cordon();
      await cluster().apply(boxDeployment('elsewhere', 4), space);
      await cluster().readyPods(space, 'app=elsewhere', 4);
      assert.deepEqual(new Set(await placed('elsewhere')), new Set(['worker-1']));
      assert.deepEqual(await placed('stays'), ['worker-1', 'worker-2']);
      await cluster().apply(boxPod('nowhere', { spec: 'nodeSelector: { kubernetes.io/hostname: worker-2 }' }), space);
      await eventually('an event that says so', async () =>
        assert.ok((await cluster().events(space, 'nowhere')).some((e) => /1 node\(s\) were unschedulable/.test(e.message ?? ''))),
      );
      await edit({ unschedulable: null });
      await cluster().readyPod(space, 'nowhere');
    });

    test('evicting every pod of a node, as drain does, moves them', async () => {
      await cluster().apply(boxDeployment('moved', 4), space);
      await cluster().readyPods(space, 'app=moved', 4);
      await cordon();
      const victims = (await cluster().pods(space, 'app=moved')).filter((p) => p.spec?.nodeName === 'worker-2');
      assert.ok(victims.length > 0);
      for (const { metadata } of victims) {
        const name = metadata?.name ?? '';
        const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: space } };
        await cluster().core.createNamespacedPodEviction({ name, namespace: space, body });
      }
      await cluster().readyPods(space, 'app=moved', 4);
      assert.deepEqual(new Set(await placed('moved')), new Set(['worker-1']));
      await edit({ unschedulable: null });
    });

    test('kubectl drain empties a node, uncordon gives it back', async (t) => {
      const env = { KUBECONFIG: cluster().lab.plan.kubeconfig };
      const kubectl = (...args: string[]): ReturnType<typeof systemExec.run> =>
        systemExec.run('kubectl', args, { env, timeoutMs: 150_000 });
      if (!(await kubectl('version', '--client').catch(() => undefined))) return t.skip('kubectl is not installed');
      const drained = await kubectl('drain', 'worker-2', '--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=120s');
      assert.equal(drained.code, 0, drained.stderr);
      assert.match(drained.stdout, /node\/worker-2 drained/);
      const left = (await cluster().core.listPodForAllNamespaces({ fieldSelector: 'spec.nodeName=worker-2' })).items;
      assert.ok(left.every((p) => p.metadata?.ownerReferences?.some((r) => r.kind === 'DaemonSet')));
      assert.equal((await kubectl('uncordon', 'worker-2')).code, 0);
    });

    test('NoSchedule keeps pods away, NoExecute sends them away, tolerations count', async () => {
      // The label comes with the taint, so that the pod cannot be scheduled by who has not heard of it yet.
      const taints = [{ key: 'e2e', value: 'x', effect: 'NoSchedule' }];
      const metadata = { name: 'worker-2', labels: { 'e2e/tainted': 'yes' } };
      await cluster().merge({ apiVersion: 'v1', kind: 'Node', metadata, spec: { taints } } as V1Node);
      await cluster().apply(boxPod('refused', { spec: 'nodeSelector: { e2e/tainted: "yes" }' }), space);
      await eventually('an event that names the taint', async () =>
        assert.ok((await cluster().events(space, 'refused')).some((e) => /untolerated taint\(?s?\)? ?\{e2e: x\}/.test(e.message ?? ''))),
      );
      const spec = 'nodeName: worker-2\ntolerations: [{ key: e2e, operator: Exists }]';
      await cluster().apply(boxPod('tolerant', { spec }), space);
      await cluster().apply(
        boxPod('brief', { spec: `${spec.replace('Exists', 'Exists, effect: NoExecute, tolerationSeconds: 2')}` }),
        space,
      );
      await cluster().apply(boxPod('intolerant', { spec: 'nodeName: worker-2' }), space);
      for (const name of ['tolerant', 'brief', 'intolerant']) await cluster().readyPod(space, name);
      await edit({ taints: [{ key: 'e2e', value: 'x', effect: 'NoExecute' }] });
      for (const name of ['intolerant', 'brief'])
        await eventually(`"${name}" to be evicted`, () =>
          assert.rejects(cluster().core.readNamespacedPod({ name, namespace: space }), (err) => isStatus(err, 404)),
        );
      await cluster().readyPod(space, 'tolerant');
      await edit({ taints: null });
      await cluster().readyPod(space, 'refused');
    });
  });
}
