import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  controllerRevisions,
  endpointSlices,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  services,
  statefulSets,
} from '../../src/api/resource-types.ts';
import type { Pod, StatefulSet, StatefulSetSpec } from '../../src/api/schema/types.ts';
import { Informer } from '../../src/client/informer.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { newImage, pauseContainer, service } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };

function statefulSet(name: string, spec: Partial<StatefulSetSpec> = {}): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace: 'default' },
    spec: {
      serviceName: name,
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [pauseContainer] } },
      ...spec,
    },
  };
}

const ready = (pod: Pod): boolean => pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

describe('stateful sets', () => {
  let cp: ControlPlane;
  const stop = new AbortController();
  let watching: Promise<void>;
  /** Every birth and end, in order; and births of a pod whose predecessor was not ready. */
  const history: string[] = [];
  const early: string[] = [];
  before(async () => {
    cp = await ControlPlane.start();
    const informer = new Informer(cp.client, pods);
    informer.on({
      add(pod) {
        const [, set, ordinal] = /^(.*)-(\d+)$/.exec(pod.metadata.name) ?? [];
        history.push(`+${pod.metadata.name}`);
        const before = informer.get(`default/${set}-${Number(ordinal) - 1}`);
        if (Number(ordinal) > 0 && set !== 'all' && !(before && ready(before))) early.push(pod.metadata.name);
      },
      delete: (pod) => void history.push(`-${pod.metadata.name}`),
    });
    watching = informer.start(stop.signal);
    await informer.synced;
  });
  after(async () => {
    stop.abort();
    await watching;
    await cp.stop();
  });
  const status = async (name: string): Promise<NonNullable<StatefulSet['status']>> =>
    (await cp.client.get(statefulSets, name, inDefault)).status ?? { replicas: 0 };
  const available = (name: string, n: number): Promise<void> =>
    eventually(async () => {
      const { metadata, status: s } = await cp.client.get(statefulSets, name, inDefault);
      assert.ok(s && s.observedGeneration === metadata.generation);
      assert.deepEqual([s.availableReplicas, s.replicas, s.currentRevision], [n, n, s.updateRevision]);
    });
  const of = (name: string): string[] => history.filter((h) => h.slice(1).startsWith(`${name}-`));
  const images = async (name: string): Promise<(string | undefined)[]> =>
    (await cp.podsOf('default', `app=${name}`))
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .map((p) => p.spec?.containers[0]?.image);

  test('pods come one after the other, through a restart of the controllers, with names that a headless Service knows', async () => {
    await cp.client.create(services, service('web', { clusterIP: 'None', selector: { app: 'web' } }));
    await cp.client.create(statefulSets, statefulSet('web'));
    await eventually(() => assert.ok(of('web').length >= 1));
    await cp.stopManagers();
    cp.startManagers();
    await available('web', 3);
    assert.deepEqual(of('web'), ['+web-0', '+web-1', '+web-2']);
    assert.deepEqual(early, []);
    await eventually(async () => {
      const { items } = await cp.client.list(endpointSlices, { ...inDefault, labelSelector: 'kubernetes.io/service-name=web' });
      assert.deepEqual(
        items
          .flatMap((s) => s.endpoints ?? [])
          .map((e) => e.hostname)
          .toSorted(),
        ['web-0', 'web-1', 'web-2'],
      );
    });
  });

  test('an update goes from the last to the first, and back again with the revision of before', async () => {
    const seen = history.length;
    await cp.client.patch(statefulSets, 'web', newImage('2'), inDefault);
    await available('web', 3);
    assert.deepEqual(history.slice(seen), ['-web-2', '+web-2', '-web-1', '+web-1', '-web-0', '+web-0']);
    assert.deepEqual(await images('web'), Array(3).fill('example.com/web:2'));
    await cp.client.patch(statefulSets, 'web', newImage('1'), inDefault);
    await eventually(async () => assert.deepEqual(await images('web'), Array(3).fill('example.com/web:1')));
    await available('web', 3);
    const { items } = await cp.client.list(controllerRevisions, { ...inDefault, labelSelector: 'app=web' });
    assert.deepEqual(items.map((r) => r.revision).toSorted(), [2, 3], 'the first revision became the third');
  });

  test('a partition holds the update back', async () => {
    const spec = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } };
    await cp.client.patch(statefulSets, 'web', { spec: { ...spec, ...(newImage('3') as { spec: object }).spec } }, inDefault);
    await eventually(async () => {
      const s = await status('web');
      assert.deepEqual([s.updatedReplicas, s.currentReplicas, s.readyReplicas], [1, 2, 3]);
    });
    await cp.client.delete(pods, 'web-0', inDefault);
    await eventually(async () => assert.ok(of('web').at(-1) === '+web-0' && (await status('web')).readyReplicas === 3));
    assert.deepEqual(await images('web'), ['example.com/web:1', 'example.com/web:1', 'example.com/web:3']);
    await cp.client.patch(statefulSets, 'web', { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } }, inDefault);
    await available('web', 3);
    assert.deepEqual(await images('web'), Array(3).fill('example.com/web:3'));
  });

  test('an update takes as many at a time as maxUnavailable says, and makes them again in order', async () => {
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '50%' } };
    await cp.client.create(statefulSets, statefulSet('pairs', { replicas: 4, updateStrategy }));
    await available('pairs', 4);
    const before = of('pairs').length;
    await cp.client.patch(statefulSets, 'pairs', newImage('2'), inDefault);
    await available('pairs', 4);
    const changes = of('pairs').slice(before);
    const births = changes.filter((change) => change.startsWith('+'));
    assert.deepEqual(births, ['+pairs-2', '+pairs-3', '+pairs-0', '+pairs-1'], changes.join(' '));
  });

  test('a set shrinks from the end and keeps the claims, which its next pods find again', async () => {
    const volumeClaimTemplates = [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    ];
    await cp.client.create(statefulSets, statefulSet('db', { volumeClaimTemplates }));
    // Each pod waits for its claim, and the next pod for it: what a volume controller does is done here.
    for (const name of ['data-db-0', 'data-db-1', 'data-db-2']) {
      const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/disk' } };
      await cp.client.create(persistentVolumes, { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec });
      const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
      const bound = { metadata: { annotations }, spec: { volumeName: name } };
      await eventually(() => cp.client.patch(persistentVolumeClaims, name, bound, inDefault));
    }
    await available('db', 3);
    const claims = async (): Promise<string[]> =>
      (await cp.client.list(persistentVolumeClaims, inDefault)).items.map((c) => `${c.metadata.name} ${c.metadata.uid}`).toSorted();
    const held = await claims();
    assert.deepEqual(
      held.map((c) => c.split(' ')[0]),
      ['data-db-0', 'data-db-1', 'data-db-2'],
    );
    await cp.client.patch(statefulSets, 'db', { spec: { replicas: 1 } }, inDefault);
    await available('db', 1);
    assert.deepEqual(of('db').slice(-2), ['-db-2', '-db-1']);
    await cp.client.patch(statefulSets, 'db', { spec: { replicas: 2 } }, inDefault);
    await available('db', 2);
    assert.deepEqual(await claims(), held);
    await cp.client.patch(statefulSets, 'db', { spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Delete' } } }, inDefault);
    await eventually(async () => {
      const { items } = await cp.client.list(persistentVolumeClaims, inDefault);
      assert.equal(items.filter((c) => c.metadata.ownerReferences?.[0]?.name === 'db').length, 2);
    });
    await cp.client.delete(statefulSets, 'db', inDefault);
    await eventually(async () => assert.deepEqual(await claims(), held.slice(2)));
  });

  test('a Parallel set makes and deletes its pods at once', async () => {
    cp.kubelet.isReady = (p) => p.metadata.labels?.app !== 'all';
    await cp.client.create(statefulSets, statefulSet('all', { podManagementPolicy: 'Parallel', replicas: 4 }));
    await eventually(async () => assert.equal((await status('all')).replicas, 4));
    await cp.client.patch(statefulSets, 'all', { spec: { replicas: 0 } }, inDefault);
    await eventually(async () => assert.equal((await status('all')).replicas, 0));
    cp.kubelet.isReady = () => true;
  });

  test('a pod that failed is replaced, and so is one whose creation was lost on the way', async () => {
    cp.failNext('POST', /namespaces\/default\/pods$/, 2);
    await cp.client.create(statefulSets, statefulSet('again', { replicas: 1 }));
    await available('again', 1);
    cp.complaints.length = 0;
    await cp.client.patch(pods, 'again-0', { status: { phase: 'Failed' } }, { ...inDefault, subresource: 'status' });
    await eventually(() => assert.deepEqual(of('again'), ['+again-0', '-again-0', '+again-0']));
    await available('again', 1);
  });

  test('complained of nothing', () => assert.deepEqual(cp.complaints, []));
});
