import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { events, leases, nodes, persistentVolumeClaims, persistentVolumes, pods, priorityClasses } from '../../src/api/resource-types.ts';
import type { Pod, PodSpec } from '../../src/api/schema/types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { pauseContainer } from './testing/manifests.ts';

const noHelp = 'preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.';
const inDefault = { namespace: 'default' };

function pod(name: string, cpu: string, spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Pod {
  const containers = [{ ...pauseContainer, ports: [], resources: { requests: { cpu } } }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels }, spec: { containers, ...spec } };
}

/** Two profiles that like nodes for the opposite, and for nothing else. */
function profiles(kubeconfig: string): string {
  const fit = "plugins: { score: { disabled: [{ name: '*' }], enabled: [{ name: NodeResourcesFit }] } }";
  return `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: { kubeconfig: ${kubeconfig} }
leaderElection: { leaseDuration: 30s, resourceName: second-scheduler }
profiles:
- schedulerName: spreads
  ${fit}
- schedulerName: packs
  ${fit}
  pluginConfig: [{ name: NodeResourcesFit, args: { scoringStrategy: { type: MostAllocated } } }]
`;
}

describe('scheduling', () => {
  let cp: ControlPlane;
  before(async () => {
    cp = await ControlPlane.start({ controllers: ['serviceaccount-controller'], nodes: 3 });
    const classes = { middle: { value: 10 }, urgent: { value: 100 }, gentle: { value: 50, preemptionPolicy: 'Never' } };
    for (const [name, spec] of Object.entries(classes))
      await cp.client.create(priorityClasses, { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, ...spec });
    await eventually(async () => {
      await cp.client.create(pods, pod('first', '1m'));
      await cp.client.delete(pods, 'first', { ...inDefault, gracePeriodSeconds: 0 });
    });
  });
  after(() => cp.stop());

  const nodeOf = async (name: string): Promise<string | undefined> => (await cp.client.get(pods, name, inDefault)).spec?.nodeName;
  const lands = (name: string, on?: string): Promise<void> =>
    eventually(async () => {
      const at = await nodeOf(name);
      if (on === undefined) assert.ok(at);
      else assert.equal(at, on);
    });
  const saysOf = (name: string): Promise<string> =>
    eventually(async () => {
      const { status } = await cp.client.get(pods, name, inDefault);
      const condition = status?.conditions?.find((c) => c.type === 'PodScheduled');
      assert.deepEqual([condition?.status, condition?.reason, condition?.observedGeneration], ['False', 'Unschedulable', 1]);
      return condition?.message ?? '';
    });
  const clear = async (): Promise<void> => {
    await cp.client.deleteCollection(pods, { ...inDefault, gracePeriodSeconds: 0 });
    await eventually(async () => assert.equal((await cp.podsOf('default')).length, 0));
  };

  test('keeps a pod Pending until its claim is bound, then places it where the volume is', async () => {
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    await cp.client.create(pods, pod('keeper', '1m', { volumes }));
    assert.equal(await saysOf('keeper'), `0/3 nodes are available: persistentvolumeclaim "data" not found. ${noHelp}`);
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'default' }, spec };
    await cp.client.create(persistentVolumeClaims, claim);
    await eventually(async () =>
      assert.equal(await saysOf('keeper'), `0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. ${noHelp}`),
    );
    const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n2'] }];
    const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions }] } };
    await cp.client.create(persistentVolumes, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'disk' },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], local: { path: '/disk' }, nodeAffinity },
    });
    const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
    await cp.client.patch(persistentVolumeClaims, 'data', { metadata: { annotations }, spec: { volumeName: 'disk' } }, inDefault);
    await lands('keeper', 'n2');
    await clear();
  });

  test('says why a pod fits nowhere, in the condition and in an event, and places it when a node comes that has room', async () => {
    await cp.client.patch(nodes, 'n3', { spec: { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] } });
    await eventually(async () => {
      await cp.client.create(pods, pod('big', '6'));
    });
    const why = '0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 2 Insufficient cpu.';
    assert.ok((await saysOf('big')).startsWith(why), await saysOf('big'));
    await eventually(async () => {
      const told = (await cp.client.list(events, inDefault)).items.find((e) => e.reason === 'FailedScheduling');
      assert.ok(told?.message?.startsWith(why));
      assert.equal(told?.source?.component, 'default-scheduler');
    });
    await cp.addNode('large', { cpu: '8' });
    await lands('big', 'large');
    await cp.client.delete(nodes, 'large');
    await cp.client.patch(nodes, 'n3', { spec: { taints: null } });
    await clear();
  });

  test('places a pod when a node is uncordoned, a label appears, or another pod goes', async () => {
    for (const n of ['n1', 'n2']) await cp.client.patch(nodes, n, { spec: { unschedulable: true } });
    await cp.client.create(pods, pod('full', '4'));
    await lands('full', 'n3');
    await cp.client.create(pods, pod('next', '3'));
    assert.match(await saysOf('next'), /1 Insufficient cpu, 2 node\(s\) were unschedulable/);
    await cp.client.patch(nodes, 'n1', { spec: { unschedulable: null } });
    await lands('next', 'n1');
    await cp.client.create(pods, pod('third', '3'));
    await saysOf('third');
    await cp.client.delete(pods, 'full', { ...inDefault, gracePeriodSeconds: 0 });
    await lands('third', 'n3');
    await cp.client.create(pods, pod('picky', '100m', { nodeSelector: { disk: 'ssd' } }));
    assert.match(await saysOf('picky'), /didn't match Pod's node affinity\/selector/);
    await cp.client.patch(nodes, 'n3', { metadata: { labels: { disk: 'ssd' } } });
    await lands('picky', 'n3');
    await cp.client.patch(nodes, 'n2', { spec: { unschedulable: null } });
    await clear();
  });

  test('places a pod when another has given back what a resize took from it', async () => {
    for (const n of ['n1', 'n2']) await cp.client.patch(nodes, n, { spec: { unschedulable: true } });
    await cp.client.create(pods, pod('wide', '4'));
    await lands('wide', 'n3');
    await cp.client.create(pods, pod('waits', '2'));
    await saysOf('waits');
    const has = async (cpu: string): Promise<void> => {
      const { name, image = '' } = pauseContainer;
      const container = { ...{ name, image, imageID: '', ready: true, restartCount: 0 }, resources: { requests: { cpu } } };
      const status = { containerStatuses: [{ ...container, allocatedResources: { cpu: '1' } }] };
      await cp.client.patch(pods, 'wide', { status }, { ...inDefault, subresource: 'status' });
    };
    await has('4');
    const containers = [{ name: pauseContainer.name, resources: { requests: { cpu: '1' } } }];
    await cp.client.patch(pods, 'wide', { spec: { containers } }, { ...inDefault, subresource: 'resize', kind: 'strategic' });
    assert.equal(await nodeOf('waits'), undefined);
    await has('1');
    await lands('waits', 'n3');
    for (const n of ['n1', 'n2']) await cp.client.patch(nodes, n, { spec: { unschedulable: null } });
    await clear();
  });

  test('keeps pods together and apart', async () => {
    const term = (app: string) => ({ labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' });
    const apart = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('db')] } };
    for (const i of [1, 2, 3, 4]) await cp.client.create(pods, pod(`db-${i}`, '100m', { affinity: apart }, { app: 'db' }));
    const placed = await eventually(async () => {
      const at = (await cp.podsOf('default', 'app=db')).flatMap((p) => p.spec?.nodeName ?? []);
      assert.equal(at.length, 3);
      return at;
    });
    assert.equal(new Set(placed).size, 3);
    const left = (await cp.podsOf('default', 'app=db')).find((p) => !p.spec?.nodeName);
    assert.match(await saysOf(left?.metadata.name ?? ''), /3 node\(s\) didn't match pod anti-affinity rules/);
    const near = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('cache')] } };
    await cp.client.create(pods, pod('near', '100m', { affinity: near }));
    assert.match(await saysOf('near'), /3 node\(s\) didn't match pod affinity rules/);
    await cp.client.create(pods, pod('cache', '100m', { nodeName: 'n2' }, { app: 'cache' }));
    await lands('near', 'n2');
    await clear();
  });

  test('books no node twice when many pods come at once', async () => {
    // Room for 4 on each of three nodes.
    await Promise.all(Array.from({ length: 40 }, (_, i) => cp.client.create(pods, pod(`many-${i}`, '1'))));
    await eventually(async () => {
      const all = await cp.podsOf('default');
      const waiting = all.filter((p) => p.status?.conditions?.some((c) => c.reason === 'Unschedulable'));
      assert.equal(all.filter((p) => p.spec?.nodeName).length + waiting.length, 40);
    });
    const perNode = Map.groupBy(
      (await cp.podsOf('default')).filter((p) => p.spec?.nodeName),
      (p) => p.spec?.nodeName,
    );
    assert.deepEqual(
      [...perNode.values()].map((p) => p.length),
      [4, 4, 4],
    );
    await clear();
  });

  test('takes the more important pod first', async () => {
    for (const n of ['n2', 'n3']) await cp.client.patch(nodes, n, { spec: { unschedulable: true } });
    await cp.stopManagers();
    await cp.client.create(pods, pod('humble', '4'));
    await cp.client.create(pods, pod('urgent', '4', { priorityClassName: 'system-node-critical' }));
    cp.startManagers();
    await lands('urgent', 'n1');
    await saysOf('humble');
    for (const n of ['n2', 'n3']) await cp.client.patch(nodes, n, { spec: { unschedulable: null } });
    await lands('humble');
    await clear();
  });

  test('makes room for the more important pod by evicting a less important one, and keeps it for that', async () => {
    cp.kubelet.holds = true;
    for (const [i, n] of ['n1', 'n2', 'n3'].entries()) {
      await cp.client.create(pods, pod(`low-${n}`, '3', { nodeName: n, ...(i === 1 ? {} : { priorityClassName: 'middle' }) }));
      await lands(`low-${n}`, n);
    }
    await cp.client.create(pods, pod('waits', '3', { priorityClassName: 'gentle' }));
    assert.match(await saysOf('waits'), /preemption: not eligible due to preemptionPolicy=Never\.$/);
    await cp.client.create(pods, pod('urgent', '3', { priorityClassName: 'urgent' }));
    const leaving = await eventually(async () => {
      const victim = await cp.client.get(pods, 'low-n2', inDefault);
      assert.ok(victim.metadata.deletionTimestamp);
      return victim;
    });
    const target = leaving.status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
    assert.deepEqual(
      [target?.status, target?.reason, target?.message],
      ['True', 'PreemptionByScheduler', 'default-scheduler: preempting to accommodate a higher priority pod'],
    );
    await eventually(async () => assert.equal((await cp.client.get(pods, 'urgent', inDefault)).status?.nominatedNodeName, 'n2'));
    // One of less importance comes while the victim has its grace, and when it has gone.
    await cp.client.create(pods, pod('quick', '3', { priorityClassName: 'gentle' }));
    await saysOf('quick');
    await cp.client.delete(pods, 'low-n2', { ...inDefault, gracePeriodSeconds: 0 });
    await lands('urgent', 'n2');
    const { status, metadata } = await cp.client.get(pods, 'urgent', inDefault);
    assert.equal(status?.nominatedNodeName, undefined);
    for (const name of ['waits', 'quick', 'low-n1', 'low-n3'])
      assert.equal((await cp.client.get(pods, name, inDefault)).metadata.deletionTimestamp, undefined, name);
    await eventually(async () => {
      const { items } = await cp.client.list(events, { ...inDefault, fieldSelector: 'reason=Preempted' });
      assert.deepEqual(
        items.map(({ involvedObject, message }) => [involvedObject.name, message]),
        [['low-n2', `Preempted by pod ${metadata.uid} on node n2`]],
      );
    });
    cp.kubelet.holds = false;
    await clear();
  });

  test('leaves gated pods and those of other schedulers alone', async () => {
    await cp.client.create(pods, pod('gated', '100m', { schedulingGates: [{ name: 'example.com/wait' }] }));
    await cp.client.create(pods, pod('foreign', '100m', { schedulerName: 'another' }));
    await cp.client.create(pods, pod('plain', '100m'));
    await lands('plain');
    assert.deepEqual([await nodeOf('gated'), await nodeOf('foreign')], [undefined, undefined]);
    await cp.client.patch(pods, 'gated', { spec: { schedulingGates: null } }, inDefault);
    await lands('gated');
    await clear();
  });

  test('is done by profiles of a KubeSchedulerConfiguration, in a process of its own', async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'fairlead-profiles-'));
    await writeFile(join(dir, 'kubeconfig'), cp.adminKubeconfig(), { mode: 0o600 });
    await writeFile(join(dir, 'config.yaml'), profiles(join(dir, 'kubeconfig')));
    const args = [join(import.meta.dirname, '../../src/main/fairlead.ts'), 'scheduler', `--config=${dir}/config.yaml`, '--secure-port=0'];
    const second = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const ended = once(second, 'exit');
    t.after(async () => {
      second.kill();
      await ended;
      await rm(dir, { recursive: true });
    });
    const on = async (schedulerName: string): Promise<number> => {
      const names = Array.from({ length: 3 }, (_, i) => `${schedulerName}-${i}`);
      for (const name of names) {
        await cp.client.create(pods, pod(name, '500m', { schedulerName }));
        await lands(name);
      }
      return new Set(await Promise.all(names.map(nodeOf))).size;
    };
    assert.deepEqual([await on('spreads'), await on('packs')], [3, 1]);
    const lease = await cp.client.get(leases, 'second-scheduler', { namespace: 'kube-system' });
    assert.equal(lease.spec?.leaseDurationSeconds, 30);
    const told = await cp.client.list(events, { ...inDefault, fieldSelector: 'involvedObject.name=packs-0,reason=Scheduled' });
    assert.deepEqual(
      told.items.map(({ source }) => source?.component),
      ['packs'],
    );
    await clear();
  });

  test('tries again after a binding that failed', async () => {
    cp.failNext('POST', /\/binding$/, 2);
    await cp.client.create(pods, pod('unlucky', '1'));
    await lands('unlucky');
    assert.equal(cp.failuresLeft, 0);
    // What the failed attempts had counted is free again: three nodes have room for 12.
    await Promise.all(Array.from({ length: 11 }, (_, i) => cp.client.create(pods, pod(`fill-${i}`, '1'))));
    await eventually(async () => assert.equal((await cp.podsOf('default')).filter((p) => p.spec?.nodeName).length, 12));
    cp.complaints.length = 0;
    await clear();
  });

  test('places a pod made anew under the name of one that was just placed', async () => {
    for (let i = 0; i < 10; i++) {
      await cp.client.create(pods, pod('same', '100m'));
      await cp.client.delete(pods, 'same', { ...inDefault, gracePeriodSeconds: 0 });
    }
    await cp.client.create(pods, pod('same', '100m'));
    await lands('same');
    await clear();
  });

  test('complained of nothing', () => assert.deepEqual(cp.complaints, []));
});
