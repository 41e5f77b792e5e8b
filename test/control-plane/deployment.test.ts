import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { deployments, pods, replicaSets } from '../../src/api/resource-types.ts';
import type { Deployment, Pod, ReplicaSet } from '../../src/api/schema/types.ts';
import { Informer } from '../../src/client/informer.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { templateHash } from '../../src/controllers/ownership/template-hash.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { deployment, newImage } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };
const revision = 'deployment.kubernetes.io/revision';

describe('deployment', () => {
  let cp: ControlPlane;
  before(async () => {
    cp = await ControlPlane.start();
  });
  after(() => cp.stop());
  beforeEach(() => {
    cp.kubelet.isReady = () => true;
    cp.kubelet.holds = false;
  });

  const setsOf = async (name: string): Promise<ReplicaSet[]> =>
    (await cp.client.list(replicaSets, { ...inDefault, labelSelector: `app=${name}` })).items;
  const statusOf = async (name: string): Promise<NonNullable<Deployment['status']>> =>
    (await cp.client.get(deployments, name, inDefault)).status ?? {};
  const reasonOf = async (name: string): Promise<string | undefined> =>
    (await statusOf(name)).conditions?.find((c) => c.type === 'Progressing')?.reason;
  async function complete(name: string, replicas: number): Promise<void> {
    await eventually(async () => {
      const d = await cp.client.get(deployments, name, inDefault);
      assert.deepEqual(
        [d.status?.observedGeneration, d.status?.replicas, d.status?.updatedReplicas, d.status?.availableReplicas],
        [d.metadata.generation, replicas, replicas, replicas],
      );
      assert.equal(d.status?.conditions?.find((c) => c.type === 'Progressing')?.reason, 'NewReplicaSetAvailable');
    });
  }

  test('makes pods, and makes one again that was deleted', async () => {
    await cp.client.create(deployments, deployment('simple', 3));
    await complete('simple', 3);
    const [first] = await cp.podsOf('default', 'app=simple');
    await cp.client.delete(pods, first?.metadata.name ?? '', inDefault);
    await eventually(async () => {
      const now = await cp.podsOf('default', 'app=simple');
      assert.equal(now.length, 3);
      assert.ok(now.every((p) => p.metadata.uid !== first?.metadata.uid));
    });
    await complete('simple', 3);
  });

  test('keeps maxSurge and maxUnavailable at every moment of a rolling update', async () => {
    const rollingUpdate = { maxSurge: 2, maxUnavailable: 1 };
    await cp.client.create(deployments, deployment('roll', 6, { strategy: { type: 'RollingUpdate', rollingUpdate } }));
    await complete('roll', 6);
    const stop = new AbortController();
    const seen: string[] = [];
    const informer = new Informer(cp.client, pods, { ...inDefault, labelSelector: 'app=roll' });
    const look = (): void => {
      const alive = informer.list().filter((p) => !p.metadata.deletionTimestamp);
      const ready = alive.filter((p) => p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'));
      seen.push(`${alive.length}/${ready.length}`);
      if (alive.length > 8 || ready.length < 5) seen.push('out of bounds');
    };
    informer.on({ synced: () => informer.on({ add: look, update: look, delete: look }) });
    const watching = informer.start(stop.signal);
    await informer.synced;
    await cp.client.patch(deployments, 'roll', newImage('2'), inDefault);
    await complete('roll', 6);
    stop.abort();
    await watching;
    assert.ok(!seen.includes('out of bounds'), seen.join(' '));
    const [old, fresh] = (await setsOf('roll')).toSorted((a, b) => (a.spec?.replicas ?? 0) - (b.spec?.replicas ?? 0));
    assert.deepEqual([old?.spec?.replicas, fresh?.spec?.replicas], [0, 6]);
  });

  test('stops at the bounds when the new pods never become ready, says so at the deadline, and rolls back', async () => {
    const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 };
    await cp.client.create(
      deployments,
      deployment('stuck', 3, { progressDeadlineSeconds: 2, minReadySeconds: 0, strategy: { type: 'RollingUpdate', rollingUpdate } }),
    );
    await complete('stuck', 3);
    cp.kubelet.isReady = (p: Pod) => p.spec?.containers[0]?.image !== 'example.com/web:bad';
    await cp.client.patch(deployments, 'stuck', newImage('bad'), inDefault);
    await eventually(async () => assert.equal(await reasonOf('stuck'), 'ProgressDeadlineExceeded'));
    const status = await statusOf('stuck');
    assert.deepEqual([status.replicas, status.updatedReplicas, status.availableReplicas], [4, 1, 3]);
    await cp.client.patch(deployments, 'stuck', newImage('1'), inDefault);
    await complete('stuck', 3);
    const sets = await setsOf('stuck');
    assert.equal(sets.length, 2);
    const back = sets.find((rs) => rs.spec?.replicas === 3);
    assert.equal(back?.metadata.annotations?.[revision], '3');
    assert.equal(back?.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
    assert.equal((await cp.client.get(deployments, 'stuck', inDefault)).metadata.annotations?.[revision], '3');
  });

  test('does nothing with a new template while paused, but scales', async () => {
    await cp.client.create(deployments, deployment('paused', 2));
    await complete('paused', 2);
    await cp.client.patch(deployments, 'paused', { spec: { paused: true } }, inDefault);
    await cp.client.patch(deployments, 'paused', newImage('2'), inDefault);
    await cp.client.patch(deployments, 'paused', { spec: { replicas: 4 } }, inDefault);
    await eventually(async () => {
      assert.equal((await statusOf('paused')).availableReplicas, 4);
      assert.equal(await reasonOf('paused'), 'DeploymentPaused');
    });
    assert.equal((await setsOf('paused')).length, 1);
    await cp.client.patch(deployments, 'paused', { spec: { paused: null } }, inDefault);
    await complete('paused', 4);
    assert.equal((await setsOf('paused')).length, 2);
  });

  test('recreates only when the last old pod is gone', async () => {
    await cp.client.create(deployments, deployment('anew', 2, { strategy: { type: 'Recreate' } }));
    await complete('anew', 2);
    cp.kubelet.holds = true;
    await cp.client.patch(deployments, 'anew', newImage('2'), inDefault);
    await eventually(async () => {
      const there = await cp.podsOf('default', 'app=anew');
      assert.equal(there.length, 2);
      assert.ok(there.every((p) => p.metadata.deletionTimestamp));
    });
    cp.kubelet.holds = false;
    cp.kubelet.lookAgain();
    await complete('anew', 2);
    for (const p of await cp.podsOf('default', 'app=anew')) assert.equal(p.spec?.containers[0]?.image, 'example.com/web:2');
  });

  test('takes another name when the hash is taken', async () => {
    const wanted = deployment('clash', 1);
    // The server fills the template in before anybody hashes it.
    const { spec } = await cp.client.create(deployments, wanted, { dryRun: true });
    const taken = `clash-${templateHash(spec?.template)}`;
    await cp.client.create(replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: taken, namespace: 'default' },
      spec: {
        replicas: 0,
        selector: { matchLabels: { other: 'one' } },
        template: { ...wanted.spec?.template, metadata: { labels: { other: 'one' } } },
      },
    });
    await cp.client.create(deployments, wanted);
    await complete('clash', 1);
    assert.equal((await statusOf('clash')).collisionCount, 1);
    const [rs] = await setsOf('clash');
    assert.notEqual(rs?.metadata.name, taken);
  });

  test('keeps as many old ReplicaSets as revisionHistoryLimit says', async () => {
    await cp.client.create(deployments, deployment('history', 1, { revisionHistoryLimit: 2 }));
    await complete('history', 1);
    for (const tag of ['2', '3', '4', '5']) {
      await cp.client.patch(deployments, 'history', newImage(tag), inDefault);
      await complete('history', 1);
    }
    await eventually(async () => {
      const revisions = (await setsOf('history')).map((rs) => rs.metadata.annotations?.[revision]).toSorted();
      assert.deepEqual(revisions, ['3', '4', '5']);
    });
  });

  test('lets a pod go whose label was changed, and takes it back', async () => {
    await cp.client.create(deployments, deployment('labels', 2));
    await complete('labels', 2);
    const [one] = await cp.podsOf('default', 'app=labels');
    const name = one?.metadata.name ?? '';
    await cp.client.patch(pods, name, { metadata: { labels: { app: 'debug' } } }, inDefault);
    await eventually(async () => {
      assert.equal((await cp.podsOf('default', 'app=labels')).length, 2);
      assert.equal((await cp.client.get(pods, name, inDefault)).metadata.ownerReferences, undefined);
    });
    await cp.client.patch(pods, name, { metadata: { labels: { app: 'labels' } } }, inDefault);
    await eventually(async () => {
      const now = await cp.podsOf('default', 'app=labels');
      assert.equal(now.length, 2);
      assert.ok(now.every((p) => p.metadata.ownerReferences?.[0]?.controller));
    });
  });

  test('complained of nothing', () => assert.deepEqual(cp.complaints, []));
});
