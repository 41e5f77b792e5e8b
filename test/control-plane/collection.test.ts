import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  clusterRoles,
  configMaps,
  deployments,
  type KubeObject,
  namespaces,
  pods,
  replicaSets,
  secrets,
  serviceAccounts,
} from '../../src/api/resource-types.ts';
import type { ConfigMap, OwnerReference } from '../../src/api/schema/types.ts';
import { isNotFound } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { deployment, pauseContainer } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };

function refTo(owner: KubeObject, more: Partial<OwnerReference> = {}): OwnerReference {
  return { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name, uid: owner.metadata.uid ?? '', ...more };
}

function configMap(name: string, ownerReferences: OwnerReference[] = [], metadata: Partial<ConfigMap['metadata']> = {}): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', ...(ownerReferences.length > 0 ? { ownerReferences } : {}), ...metadata },
  };
}

describe('collection', () => {
  let cp: ControlPlane;
  before(async () => {
    cp = await ControlPlane.start();
  });
  after(() => cp.stop());

  const make = (name: string, owners: OwnerReference[] = [], metadata: Partial<ConfigMap['metadata']> = {}): Promise<ConfigMap> =>
    cp.client.create(configMaps, configMap(name, owners, metadata));
  const isThere = (name: string, namespace: string = 'default'): Promise<boolean> =>
    cp.client.get(configMaps, name, { namespace }).then(
      () => true,
      (err: unknown) => {
        if (isNotFound(err)) return false;
        throw err;
      },
    );
  const goes = (name: string): Promise<void> => eventually(async () => assert.equal(await isThere(name), false, `${name} is there`));

  test('in the background: the owner goes at once, the rest after it, down to the last', async () => {
    await cp.client.create(deployments, deployment('bg', 2));
    await eventually(async () => assert.equal((await cp.podsOf('default', 'app=bg')).length, 2));
    await cp.client.delete(deployments, 'bg', { ...inDefault, propagationPolicy: 'Background' });
    await eventually(async () => {
      assert.equal((await cp.client.list(replicaSets, { ...inDefault, labelSelector: 'app=bg' })).items.length, 0);
      assert.equal((await cp.podsOf('default', 'app=bg')).length, 0);
    });
  });

  test('in the foreground: the owner waits for the last pod', async () => {
    await cp.client.create(deployments, deployment('fg', 2));
    await eventually(async () => {
      const there = await cp.podsOf('default', 'app=fg');
      assert.equal(there.filter((p) => p.spec?.nodeName).length, 2);
    });
    cp.kubelet.holds = true;
    await cp.client.delete(deployments, 'fg', { ...inDefault, propagationPolicy: 'Foreground' });
    await eventually(async () => assert.ok((await cp.podsOf('default', 'app=fg')).every((p) => p.metadata.deletionTimestamp)));
    assert.ok((await cp.client.get(deployments, 'fg', inDefault)).metadata.finalizers?.includes('foregroundDeletion'));
    cp.kubelet.holds = false;
    cp.kubelet.lookAgain();
    await eventually(() => assert.rejects(cp.client.get(deployments, 'fg', inDefault), isNotFound));
  });

  test('orphans: the ReplicaSet goes, its pods stay, belong to nobody and are adopted by the next', async () => {
    await cp.client.create(deployments, deployment('orphan', 2));
    await eventually(async () => assert.equal((await cp.podsOf('default', 'app=orphan')).length, 2));
    const uids = (await cp.podsOf('default', 'app=orphan')).map((p) => p.metadata.uid).toSorted();
    await cp.client.delete(deployments, 'orphan', { ...inDefault, propagationPolicy: 'Orphan' });
    await eventually(() => assert.rejects(cp.client.get(deployments, 'orphan', inDefault), isNotFound));
    const [rs] = (await cp.client.list(replicaSets, { ...inDefault, labelSelector: 'app=orphan' })).items;
    assert.equal(rs?.metadata.ownerReferences, undefined);
    await cp.client.delete(replicaSets, rs?.metadata.name ?? '', { ...inDefault, propagationPolicy: 'Orphan' });
    await eventually(async () => {
      await assert.rejects(cp.client.get(replicaSets, rs?.metadata.name ?? '', inDefault), isNotFound);
      const there = await cp.podsOf('default', 'app=orphan');
      assert.deepEqual(
        there.map((p) => [p.metadata.uid, p.metadata.ownerReferences]).toSorted(),
        uids.map((u) => [u, undefined]),
      );
    });
    const { resourceVersion: _1, uid: _2, creationTimestamp: _3, ...metadata } = rs?.metadata ?? { name: '' };
    await cp.client.create(replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { ...metadata, name: 'orphan-again' },
      spec: rs?.spec,
    } as never);
    await eventually(async () => {
      const there = await cp.podsOf('default', 'app=orphan');
      assert.deepEqual(there.map((p) => p.metadata.uid).toSorted(), uids);
      assert.ok(there.every((p) => p.metadata.ownerReferences?.[0]?.name === 'orphan-again'));
    });
  });

  test('an object whose owner never was is collected, one of whose owners is there loses the dangling reference only', async () => {
    const owner = await make('owner');
    await make('never', [refTo(owner, { name: 'nobody', uid: 'e4d909c2-0000-4000-8000-000000000000' })]);
    await goes('never');
    await make('half', [refTo(owner), refTo(owner, { name: 'nobody', uid: 'e4d909c2-0000-4000-8000-000000000001' })]);
    await eventually(async () => {
      const { metadata } = await cp.client.get(configMaps, 'half', inDefault);
      assert.deepEqual(
        metadata.ownerReferences?.map((r) => r.name),
        ['owner'],
      );
    });
    await make('kind-nobody-knows', [{ apiVersion: 'example.com/v1', kind: 'Thing', name: 'x', uid: 'x' }]);
    await cp.client.delete(configMaps, 'owner', inDefault);
    await goes('half');
    assert.ok(await isThere('kind-nobody-knows'));
  });

  test('a cluster-scoped owner has dependants in namespaces, an owner in another namespace is absent', async () => {
    const role = await cp.client.create(clusterRoles, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'big-owner' },
      rules: [],
    });
    await make('of-role', [refTo(role)]);
    await cp.client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'elsewhere' } });
    const far = await cp.client.create(configMaps, { ...configMap('far'), metadata: { name: 'far', namespace: 'elsewhere' } });
    await make('of-far', [refTo(far)]);
    await goes('of-far');
    assert.ok(await isThere('of-role'));
    assert.ok(await isThere('far', 'elsewhere'));
    await cp.client.delete(clusterRoles, 'big-owner');
    await goes('of-role');
  });

  test('a foreground deletion goes on when what blocked it changes its owner', async () => {
    const owner = await make('fg-owner');
    await make('blocks', [refTo(owner, { blockOwnerDeletion: true })], { finalizers: ['example.com/hold'] });
    await eventually(async () => {
      await cp.client.delete(configMaps, 'fg-owner', { ...inDefault, propagationPolicy: 'Foreground' });
      assert.ok((await cp.client.get(configMaps, 'blocks', inDefault)).metadata.deletionTimestamp);
    });
    assert.ok(await isThere('fg-owner'));
    await cp.client.patch(configMaps, 'blocks', { metadata: { ownerReferences: null } }, inDefault);
    await goes('fg-owner');
    await cp.client.patch(configMaps, 'blocks', { metadata: { finalizers: null } }, inDefault);
    await goes('blocks');
  });

  test('a foreground deletion takes along owners that own each other', async () => {
    const [one, two, three] = [await make('ring-1'), await make('ring-2'), await make('ring-3')];
    const own = (name: string, owner: ConfigMap): Promise<unknown> =>
      cp.client.patch(configMaps, name, { metadata: { ownerReferences: [refTo(owner, { blockOwnerDeletion: true })] } }, inDefault);
    await own('ring-1', three);
    await own('ring-2', one);
    await own('ring-3', two);
    await cp.client.delete(configMaps, 'ring-1', { ...inDefault, propagationPolicy: 'Foreground' });
    for (const name of ['ring-1', 'ring-2', 'ring-3']) await goes(name);
  });

  test('a new namespace gets its ServiceAccount and the root certificate, and gets them again', async () => {
    await cp.client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'fresh' } });
    const inFresh = { namespace: 'fresh' };
    const both = (): Promise<void> =>
      eventually(async () => {
        await cp.client.get(serviceAccounts, 'default', inFresh);
        assert.equal((await cp.client.get(configMaps, 'kube-root-ca.crt', inFresh)).data?.['ca.crt'], 'the root');
      });
    await both();
    await cp.client.delete(serviceAccounts, 'default', inFresh);
    await cp.client.delete(configMaps, 'kube-root-ca.crt', inFresh);
    await both();
    await cp.client.patch(configMaps, 'kube-root-ca.crt', { data: { 'ca.crt': 'another' } }, inFresh);
    await both();
  });

  test('a deleted namespace is emptied, says what holds it up, and goes', async () => {
    const doomed = { namespace: 'doomed' };
    await cp.client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'doomed' } });
    await eventually(async () => {
      const wanted = deployment('web', 2);
      await cp.client.create(deployments, { ...wanted, metadata: { ...wanted.metadata, ...doomed } });
    });
    await cp.client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'doomed' } });
    await cp.client.create(configMaps, {
      ...configMap('held'),
      metadata: { name: 'held', namespace: 'doomed', finalizers: ['example.com/hold'] },
    });
    await cp.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'bare', namespace: 'doomed' },
      spec: { containers: [pauseContainer] },
    });
    await cp.client.delete(namespaces, 'doomed');
    await eventually(async () => {
      const { status } = await cp.client.get(namespaces, 'doomed');
      const message = (type: string): string | undefined => status?.conditions?.find((c) => c.type === type)?.message;
      assert.equal(message('NamespaceContentRemaining'), 'Some resources are remaining: configmaps. has 1 resource instances');
      assert.match(message('NamespaceFinalizersRemaining') ?? '', /example\.com\/hold in 1 resource instances/);
    });
    assert.equal((await cp.podsOf('doomed')).length, 0);
    await cp.client.patch(configMaps, 'held', { metadata: { finalizers: null } }, doomed);
    await eventually(() => assert.rejects(cp.client.get(namespaces, 'doomed'), isNotFound));
  });

  test('a deleted namespace keeps all else while one of its pods is there', async () => {
    const ordered = { namespace: 'ordered' };
    await cp.client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ordered' } });
    await cp.client.create(configMaps, { ...configMap('used'), metadata: { name: 'used', namespace: 'ordered' } });
    await eventually(async () => {
      const metadata = { name: 'slow', namespace: 'ordered', finalizers: ['example.com/hold'] };
      await cp.client.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [pauseContainer] } });
    });
    await cp.client.delete(namespaces, 'ordered');
    await eventually(async () => {
      const { status } = await cp.client.get(namespaces, 'ordered');
      const remaining = status?.conditions?.find((c) => c.type === 'NamespaceContentRemaining')?.message;
      assert.equal(remaining, 'Some resources are remaining: pods. has 1 resource instances');
    });
    assert.ok(await isThere('used', 'ordered'));
    await cp.client.patch(pods, 'slow', { metadata: { finalizers: null } }, ordered);
    await eventually(() => assert.rejects(cp.client.get(namespaces, 'ordered'), isNotFound));
  });

  test('complained of nothing', () => assert.deepEqual(cp.complaints, []));
});
