/** Claims get volumes, and volumes are taken back: binder, scheduler and StatefulSets against the API server. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { selectedNode } from '../../src/api/placement/volume-claim.ts';
import { events, nodes, persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../src/api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../../src/api/schema/types.ts';
import { isNotFound } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';

const namespace = 'default';

function claimOf(name: string, spec: object = {}): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  };
}

function volumeOf(name: string, spec: object = {}): PersistentVolume {
  const storageClassName = 'by-hand';
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' }, storageClassName, ...spec },
  };
}

function classOf(name: string, more: object = {}, isDefault = false): StorageClass {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, annotations: isDefault ? { 'storageclass.kubernetes.io/is-default-class': 'true' } : {} },
    provisioner: 'example.com/disks',
    ...more,
  };
}

describe('persistent volumes', () => {
  let cp: ControlPlane;
  before(async () => {
    cp = await ControlPlane.start({ nodes: 2 });
  });
  after(() => cp.stop());

  const claim = (name: string): Promise<PersistentVolumeClaim> => cp.client.get(persistentVolumeClaims, name, { namespace });
  const volume = (name: string): Promise<PersistentVolume> => cp.client.get(persistentVolumes, name);
  const claimIs = (name: string, phase: string, volumeName?: string): Promise<void> =>
    eventually(`claim ${name} to be ${phase}`, async () => {
      const { spec, status } = await claim(name);
      assert.deepEqual([status?.phase, spec?.volumeName], [phase, volumeName]);
    });
  const volumeIs = (name: string, phase: string): Promise<void> =>
    eventually(`volume ${name} to be ${phase}`, async () => assert.equal((await volume(name)).status?.phase, phase));
  const told = (name: string, reason: string): Promise<string> =>
    eventually(`event ${reason} of ${name}`, async () => {
      const { items } = await cp.client.list(events, { namespace, fieldSelector: `involvedObject.name=${name},reason=${reason}` });
      assert.ok(items.length > 0);
      return items.at(-1)?.message ?? '';
    });

  test('a claim gets the smallest volume that does, and both say so', async () => {
    await cp.client.create(persistentVolumes, volumeOf('large', { capacity: { storage: '5Gi' } }));
    await cp.client.create(persistentVolumes, volumeOf('small', { capacity: { storage: '2Gi' } }));
    await Promise.all(['large', 'small'].map((name) => volumeIs(name, 'Available')));
    await cp.client.create(persistentVolumeClaims, claimOf('data', { storageClassName: 'by-hand' }));
    await claimIs('data', 'Bound', 'small');
    const [{ metadata, status }, bound] = [await claim('data'), await volume('small')];
    assert.deepEqual(metadata.annotations, { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' });
    assert.deepEqual(status, { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' } });
    assert.deepEqual([bound.status?.phase, bound.spec?.claimRef?.uid], ['Bound', metadata.uid]);
    assert.equal((await volume('large')).status?.phase, 'Available');
  });

  test('a claim that came before its volume gets it', async () => {
    await cp.client.create(persistentVolumeClaims, claimOf('early', { storageClassName: 'late-volumes' }));
    assert.match(await told('early', 'ProvisioningFailed'), /storageclass.storage.k8s.io "late-volumes" not found/);
    await cp.client.create(persistentVolumes, volumeOf('late', { storageClassName: 'late-volumes' }));
    await claimIs('early', 'Bound', 'late');
  });

  test('many claims at once get each a volume of its own', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `many-${i}`);
    const storageClassName = 'many';
    await Promise.all([
      ...names.map((name) => cp.client.create(persistentVolumeClaims, claimOf(name, { storageClassName }))),
      ...names.map((name) => cp.client.create(persistentVolumes, volumeOf(name, { storageClassName }))),
    ]);
    await eventually('all to be bound', async () => {
      const claims = await Promise.all(names.map(claim));
      assert.deepEqual(new Set(claims.map(({ status }) => status?.phase)), new Set(['Bound']));
      assert.deepEqual(claims.map(({ spec }) => spec?.volumeName).toSorted(), names.toSorted());
    });
  });

  test('a volume is released with its claim and kept, or deleted with its content, or said to have failed', async () => {
    const path = mkdtempSync('/tmp/fairlead-volume-');
    try {
      for (const [name, spec] of [
        ['kept', { persistentVolumeReclaimPolicy: 'Retain' }],
        ['deleted', { persistentVolumeReclaimPolicy: 'Delete', hostPath: { path } }],
        ['failed', { persistentVolumeReclaimPolicy: 'Delete' }],
      ] as const) {
        await cp.client.create(persistentVolumes, volumeOf(name, { storageClassName: name, ...spec }));
        await cp.client.create(persistentVolumeClaims, claimOf(name, { storageClassName: name }));
        await claimIs(name, 'Bound', name);
        await cp.client.delete(persistentVolumeClaims, name, { namespace });
      }
      await volumeIs('kept', 'Released');
      await volumeIs('failed', 'Failed');
      await eventually('the volume to be gone', () => assert.rejects(volume('deleted'), isNotFound));
      assert.equal(existsSync(path), false);
      assert.match(await told('failed', 'VolumeFailedDelete'), /only supports \/tmp/);
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  });

  test('a claim whose volume is deleted by force is lost', async () => {
    await cp.client.create(persistentVolumes, volumeOf('fragile', { storageClassName: 'fragile' }));
    await cp.client.create(persistentVolumeClaims, claimOf('fragile', { storageClassName: 'fragile' }));
    await claimIs('fragile', 'Bound', 'fragile');
    await cp.client.delete(persistentVolumes, 'fragile');
    await cp.client.patch(persistentVolumes, 'fragile', { metadata: { finalizers: null } });
    await claimIs('fragile', 'Lost', 'fragile');
    assert.match(await told('fragile', 'ClaimLost'), /Data on the volume is lost/);
  });

  test('the default class is given to new claims, and to those that waited for one; its provisioner is asked', async () => {
    await cp.client.create(persistentVolumeClaims, claimOf('before'));
    await told('before', 'FailedBinding');
    await cp.client.create(persistentVolumeClaims, claimOf('never', { storageClassName: '' }));
    await cp.client.create(storageClasses, classOf('usual', {}, true));
    await eventually(async () => {
      const { metadata, spec } = await claim('before');
      assert.equal(spec?.storageClassName, 'usual');
      assert.equal(metadata.annotations?.['volume.kubernetes.io/storage-provisioner'], 'example.com/disks');
    });
    assert.match(await told('before', 'ExternalProvisioning'), /by the external provisioner 'example.com\/disks'/);
    // The server may learn of the class a moment after the controllers.
    await eventually(async () => {
      await cp.client.delete(persistentVolumeClaims, 'after', { namespace }).catch(() => {});
      const made = await cp.client.create(persistentVolumeClaims, claimOf('after'));
      assert.equal(made.spec?.storageClassName, 'usual');
    });
    assert.equal((await claim('never')).spec?.storageClassName, '');
    await cp.client.delete(storageClasses, 'usual');
  });

  test('a claim takes the volume that a provisioner made for it', async () => {
    await cp.client.create(storageClasses, classOf('made', { reclaimPolicy: 'Delete' }));
    const { metadata } = await cp.client.create(persistentVolumeClaims, claimOf('asking', { storageClassName: 'made' }));
    await told('asking', 'ExternalProvisioning');
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: 'asking', namespace, uid: metadata.uid };
    const made = volumeOf(`pvc-${metadata.uid}`, { storageClassName: 'made', persistentVolumeReclaimPolicy: 'Delete', claimRef });
    const annotations = { 'pv.kubernetes.io/provisioned-by': 'example.com/disks' };
    await cp.client.create(persistentVolumes, { ...made, metadata: { ...made.metadata, annotations } });
    await claimIs('asking', 'Bound', made.metadata.name);
    await cp.client.delete(persistentVolumeClaims, 'asking', { namespace });
    // Its maker deletes it.
    await volumeIs(made.metadata.name, 'Released');
  });

  const consumer = (name: string, ...claims: readonly string[]): Promise<Pod> => {
    const volumes = claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }));
    const containers = [{ name: 'c', image: 'x' }];
    return cp.client.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec: { containers, volumes } });
  };
  const nodeOf = (name: string): Promise<string> =>
    eventually(`pod ${name} to have a node`, async () => {
      const { spec } = await cp.client.get(pods, name, { namespace });
      assert.ok(spec?.nodeName);
      return spec.nodeName;
    });
  const waiting = { volumeBindingMode: 'WaitForFirstConsumer' };
  const onNode = (...values: string[]): object => ({
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] }] },
  });

  test('claims of a class that waits are bound where their pod goes, each volume once', async () => {
    const node = (await cp.client.list(nodes)).items.at(-1)?.metadata.name ?? '';
    await cp.client.create(storageClasses, classOf('waits', { ...waiting, provisioner: 'kubernetes.io/no-provisioner' }));
    const names = Array.from({ length: 10 }, (_, i) => `waits-${i}`);
    for (const name of names) await cp.client.create(persistentVolumeClaims, claimOf(name, { storageClassName: 'waits' }));
    assert.match(await told('waits-0', 'WaitForFirstConsumer'), /waiting for first consumer/);
    for (const name of names) await consumer(name, name);
    const local = { hostPath: undefined, local: { path: '/x' }, nodeAffinity: onNode(node), storageClassName: 'waits' };
    for (const name of names) await cp.client.create(persistentVolumes, volumeOf(name, local));
    for (const name of names) assert.equal(await nodeOf(name), node);
    const has = await Promise.all(names.map(async (name) => (await claim(name)).spec?.volumeName));
    assert.deepEqual(has.toSorted(), names);
  });

  test('a provisioner is told the node of the pod, and says when another one is to be chosen', async () => {
    await cp.client.create(storageClasses, classOf('made-late', waiting));
    await cp.client.create(persistentVolumeClaims, claimOf('asked', { storageClassName: 'made-late' }));
    await consumer('asking', 'asked');
    const selected = (): Promise<string> =>
      eventually('a node to be named', async () => {
        const name = (await claim('asked')).metadata.annotations?.[selectedNode];
        assert.ok(name);
        return name;
      });
    await selected();
    await cp.client.patch(persistentVolumeClaims, 'asked', { metadata: { annotations: { [selectedNode]: null } } }, { namespace });
    await eventually('the scheduler to say so', async () => {
      const { items } = await cp.client.list(events, { namespace, fieldSelector: 'involvedObject.name=asking,reason=FailedScheduling' });
      assert.ok(items.some(({ message }) => message?.includes('provisioning failed for PVC "asked"')));
    });
    const node = await selected();
    const { metadata } = await claim('asked');
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: 'asked', namespace, uid: metadata.uid };
    await cp.client.create(
      persistentVolumes,
      volumeOf('made-for-asked', { storageClassName: 'made-late', claimRef, nodeAffinity: onNode(node) }),
    );
    assert.equal(await nodeOf('asking'), node);
  });

  test('nobody complained', () => assert.deepEqual(cp.complaints, []));
});
