/** Controllers and scheduler at work: what is declared becomes so, and stays so. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { type Cluster, isStatus } from '../testing/cluster.ts';
import { all, boxDaemonSet, boxDeployment, boxPod, quickReadiness, service } from '../testing/manifests.ts';
import { httpText } from '../testing/network.ts';

const workloadsSpace = 'workloads';
const revisionAnnotation = 'deployment.kubernetes.io/revision';

const names = (pods: readonly V1Pod[]): string[] => pods.map((p) => p.metadata?.name ?? '').toSorted();

/** Asks a Service over and over until stopped; every failed request is kept. */
class Stream {
  readonly failures: string[] = [];
  count = 0;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(address: string) {
    this.#done = this.#run(address);
  }

  async #run(address: string): Promise<void> {
    while (!this.#stopped) {
      try {
        await httpText(address);
      } catch (err) {
        this.failures.push(String(err));
      }
      this.count++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

export function workloadsSuite(cluster: () => Cluster): void {
  describe('workloads', { concurrency: 3 }, () => {
    before(() => cluster().namespace(workloadsSpace));

    async function scale(name: string, replicas: number): Promise<void> {
      const body = [{ op: 'replace', path: '/spec/replicas', value: replicas }];
      await cluster().apps.patchNamespacedDeploymentScale({ name, namespace: workloadsSpace, body });
    }

    async function gone(kind: () => Promise<readonly unknown[]>, what: string): Promise<void> {
      await eventually(`${what} to be gone`, async () => assert.equal((await kind()).length, 0));
    }

    test('a Deployment scales up and down', async () => {
      await cluster().apply(boxDeployment('sized', 3), workloadsSpace);
      await cluster().readyPods(workloadsSpace, 'app=sized', 3);
      await scale('sized', 5);
      await cluster().readyPods(workloadsSpace, 'app=sized', 5);
      await scale('sized', 0);
      await gone(() => cluster().pods(workloadsSpace, 'app=sized'), 'all pods');
      const status = (await cluster().apps.readNamespacedDeployment({ name: 'sized', namespace: workloadsSpace })).status;
      assert.equal(status?.replicas ?? 0, 0);
    });

    test('a deleted pod is replaced, and its address leaves the Service', async () => {
      await cluster().apply(all(boxDeployment('kept', 2), service('kept', '80:8080')), workloadsSpace);
      const [victim] = await cluster().readyPods(workloadsSpace, 'app=kept', 2);
      await cluster().core.deleteNamespacedPod({ name: victim?.metadata?.name ?? '', namespace: workloadsSpace });
      const after = await eventually('another pod', async () => {
        const pods = await cluster().readyPods(workloadsSpace, 'app=kept', 2);
        assert.ok(!pods.some((p) => p.metadata?.uid === victim?.metadata?.uid));
        return pods;
      });
      await eventually('the slice to follow', async () => {
        const labelSelector = 'kubernetes.io/service-name=kept';
        const { items } = await cluster().discovery.listNamespacedEndpointSlice({ namespace: workloadsSpace, labelSelector });
        const listed = items.flatMap((s) => (s.endpoints ?? []).flatMap((e) => e.addresses));
        assert.deepEqual(listed.toSorted(), after.map((p) => p.status?.podIP ?? '').toSorted());
      });
    });

    test('a rolling update loses no request, and a rollback brings the old template back', async () => {
      const options = { spec: 'terminationGracePeriodSeconds: 10' };
      const graceful = (version: string): string =>
        boxDeployment('rolling', 3, {
          container: `${quickReadiness}
command: [sh, -c, 'mkdir -p /www; echo "pod=$(hostname) version=$VERSION" >/www/index.html; trap "sleep 5; exit 0" TERM; httpd -f -p 8080 -h /www & wait']`,
        })
          .replace('env: [', `env: [{ name: VERSION, value: ${version} }, `)
          .replace('terminationGracePeriodSeconds: 2', options.spec);
      await cluster().apply(all(graceful('one'), service('rolling', '80:8080')), workloadsSpace);
      await cluster().readyPods(workloadsSpace, 'app=rolling', 3);
      const ip = await cluster().clusterIp(workloadsSpace, 'rolling');
      await eventually('the first answer', () => httpText(ip));

      const stream = new Stream(ip);
      await cluster().apply(graceful('two'), workloadsSpace);
      await deployed('rolling', '2');
      assert.match(await httpText(ip), /version=two/);
      const sets = await cluster().apps.listNamespacedReplicaSet({ namespace: workloadsSpace, labelSelector: 'app=rolling' });
      assert.deepEqual(sets.items.map((s) => [s.metadata?.annotations?.[revisionAnnotation], s.spec?.replicas]).toSorted(), [
        ['1', 0],
        ['2', 3],
      ]);
      const first = sets.items.find((s) => s.metadata?.annotations?.[revisionAnnotation] === '1');
      const template = structuredClone(first?.spec?.template);
      delete template?.metadata?.labels?.['pod-template-hash'];
      // What `kubectl rollout undo` sends.
      const body = [{ op: 'replace', path: '/spec/template', value: template }];
      await cluster().apps.patchNamespacedDeployment({ name: 'rolling', namespace: workloadsSpace, body });
      await deployed('rolling', '3');
      await stream.stop();
      assert.match(await httpText(ip), /version=one/);
      assert.deepEqual(stream.failures, [], `${stream.failures.length} of ${stream.count} requests failed`);
      assert.ok(stream.count > 10);
    });

    /** Waits until a revision is everywhere and nothing else is left. */
    async function deployed(name: string, revision: string): Promise<void> {
      await eventually(`revision ${revision} of ${name}`, async () => {
        const { metadata, spec, status } = await cluster().apps.readNamespacedDeployment({ name, namespace: workloadsSpace });
        assert.equal(metadata?.annotations?.[revisionAnnotation], revision);
        assert.equal(status?.observedGeneration, metadata?.generation);
        assert.deepEqual([status?.updatedReplicas, status?.readyReplicas, status?.replicas], Array(3).fill(spec?.replicas));
        assert.equal((await cluster().pods(workloadsSpace, `app=${name}`)).length, spec?.replicas);
      });
    }

    test('a DaemonSet runs on every node that its tolerations allow', async () => {
      const everywhere = boxDaemonSet('everywhere', { spec: 'tolerations: [{ operator: Exists }]' });
      await cluster().apply(all(everywhere, boxDaemonSet('workers')), workloadsSpace);
      const nodesOf = (pods: V1Pod[]): (string | undefined)[] => pods.map((p) => p.spec?.nodeName).toSorted();
      assert.deepEqual(nodesOf(await cluster().readyPods(workloadsSpace, 'app=everywhere', 3)), ['control-plane', 'worker-1', 'worker-2']);
      assert.deepEqual(nodesOf(await cluster().readyPods(workloadsSpace, 'app=workers', 2)), ['worker-1', 'worker-2']);
    });

    test('a ReplicationController keeps its pods', async () => {
      const yaml = boxDeployment('old', 2).replace('apps/v1', 'v1').replace('Deployment', 'ReplicationController');
      await cluster().apply(yaml.replace('selector: { matchLabels: { app: old } }', 'selector: { app: old }'), workloadsSpace);
      await cluster().readyPods(workloadsSpace, 'app=old', 2);
      await cluster().core.deleteNamespacedReplicationController({
        name: 'old',
        namespace: workloadsSpace,
        propagationPolicy: 'Background',
      });
      await gone(() => cluster().pods(workloadsSpace, 'app=old'), 'its pods');
    });

    test('an unschedulable pod waits, with an event that says why for each node', async () => {
      await cluster().apply(boxPod('huge', { container: 'resources: { requests: { cpu: "1000" } }' }), workloadsSpace);
      await eventually('a FailedScheduling event', async () => {
        const event = (await cluster().events(workloadsSpace, 'huge')).find((e) => e.reason === 'FailedScheduling');
        assert.match(
          event?.message ?? '',
          // kube-scheduler names the taint up to 1.34.
          /^0\/3 nodes are available: 1 node\(s\) had untolerated taint\(?s?\)?(?: ?\{node-role\.kubernetes\.io\/control-plane: ?\})?, 2 Insufficient cpu\./,
        );
      });
      const pod = await cluster().podWhen(workloadsSpace, 'huge', 'to have a condition', (p) => assert.ok(p.status?.conditions?.length));
      const condition = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
      assert.deepEqual([pod.status?.phase, condition?.status, condition?.reason], ['Pending', 'False', 'Unschedulable']);
    });

    test('a pod goes where its nodeSelector, its affinity and the absence of its peers send it', async () => {
      const selected = boxPod('selected', { spec: 'nodeSelector: { kubernetes.io/hostname: worker-2 }' });
      const near = `affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - { topologyKey: kubernetes.io/hostname, labelSelector: { matchLabels: { app: selected } } }`;
      const far = near.replace('podAffinity', 'podAntiAffinity');
      await cluster().apply(all(selected, boxPod('near', { spec: near }), boxPod('far', { spec: far })), workloadsSpace);
      assert.equal((await cluster().readyPod(workloadsSpace, 'selected')).spec?.nodeName, 'worker-2');
      assert.equal((await cluster().readyPod(workloadsSpace, 'near')).spec?.nodeName, 'worker-2');
      assert.equal((await cluster().readyPod(workloadsSpace, 'far')).spec?.nodeName, 'worker-1');
    });

    test('a pod that waits is scheduled as soon as the cluster allows it', async () => {
      await cluster().apply(boxPod('waiting', { spec: 'nodeSelector: { e2e/wanted: "yes" }' }), workloadsSpace);
      await cluster().podWhen(workloadsSpace, 'waiting', 'to be unschedulable', (p) =>
        assert.ok(p.status?.conditions?.some((c) => c.reason === 'Unschedulable')),
      );
      const label = (value: string | null): Promise<unknown> =>
        cluster().merge({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'worker-1', labels: { 'e2e/wanted': value as string } } });
      await label('yes');
      try {
        assert.equal((await cluster().readyPod(workloadsSpace, 'waiting')).spec?.nodeName, 'worker-1');
      } finally {
        await label(null);
      }
    });

    test('deleting a Deployment takes its ReplicaSets and pods along, unless they are to be orphaned', async () => {
      await cluster().apply(all(boxDeployment('cascade', 2), boxDeployment('orphans', 1)), workloadsSpace);
      await cluster().readyPods(workloadsSpace, 'app=cascade', 2);
      await cluster().readyPods(workloadsSpace, 'app=orphans', 1);
      await cluster().apps.deleteNamespacedDeployment({ name: 'cascade', namespace: workloadsSpace, propagationPolicy: 'Foreground' });
      await cluster().apps.deleteNamespacedDeployment({ name: 'orphans', namespace: workloadsSpace, propagationPolicy: 'Orphan' });
      await eventually('the Deployments to be gone', async () => {
        const { items } = await cluster().apps.listNamespacedDeployment({ namespace: workloadsSpace });
        assert.ok(!items.some((d) => ['cascade', 'orphans'].includes(d.metadata?.name ?? '')));
      });
      assert.equal((await cluster().pods(workloadsSpace, 'app=cascade')).length, 0);
      const { items } = await cluster().apps.listNamespacedReplicaSet({ namespace: workloadsSpace, labelSelector: 'app=orphans' });
      assert.deepEqual([items.length, items[0]?.metadata?.ownerReferences ?? []], [1, []]);
      assert.equal(names(await cluster().pods(workloadsSpace, 'app=orphans')).length, 1);
    });

    test('deleting a namespace takes everything in it along', async () => {
      const space = await cluster().namespace('doomed');
      await cluster().apply(all(boxDeployment('inside', 2), service('inside', '80:8080')), space);
      await cluster().readyPods(space, 'app=inside', 2);
      await cluster().core.deleteNamespace({ name: space });
      await eventually('the namespace to be gone', () =>
        assert.rejects(cluster().core.readNamespace({ name: space }), (err) => isStatus(err, 404)),
      );
      assert.deepEqual(await cluster().pods(space), []);
    });
  });
}
