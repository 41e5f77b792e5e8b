/** Claims, volumes and classes of attributes stay while something uses them, and go when nothing does. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type KubeObject,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
  volumeAttributesClasses,
} from '../../src/api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../src/api/schema/types.ts';
import { isNotFound } from '../../src/client/api-error.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane, usual } from './testing/control-plane.ts';
import { pauseContainer } from './testing/manifests.ts';

function claim(name: string, namespace: string, spec: object = {}): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  };
}

function volume(name: string): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } },
  };
}

describe('protection of volumes', () => {
  let cp: ControlPlane;
  let node: string;
  before(async () => {
    // Phases are written by hand here.
    cp = await ControlPlane.start({ nodes: 1, controllers: usual.filter((name) => name !== 'persistentvolume-binder-controller') });
    node = (await cp.client.list(nodes)).items[0]!.metadata.name;
  });
  after(() => cp.stop());

  const user = (name: string, namespace: string, claimName: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { nodeName: node, containers: [pauseContainer], volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] },
  });

  async function isThere<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<boolean> {
    try {
      await cp.client.get(type, name, namespace === undefined ? {} : { namespace });
      return true;
    } catch (err) {
      if (isNotFound(err)) return false;
      throw err;
    }
  }
  const goes = <T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): Promise<void> =>
    eventually(async () => assert.equal(await isThere(type, name, namespace), false, `${name} is there`));

  /** That nobody wrote what nobody should have, seen after something else that was asked for later has happened. */
  async function afterAnotherWentBy(): Promise<void> {
    await cp.client.create(persistentVolumeClaims, claim('other', 'default'));
    await cp.client.delete(persistentVolumeClaims, 'other', { namespace: 'default' });
    await goes(persistentVolumeClaims, 'other', 'default');
  }

  test('a claim that a pod uses goes with the pod, and one that nobody uses at once', async () => {
    const made = await cp.client.create(persistentVolumeClaims, claim('used', 'default'));
    assert.deepEqual(made.metadata.finalizers, ['kubernetes.io/pvc-protection']);
    await cp.client.create(pods, user('user', 'default', 'used'));
    await cp.client.delete(persistentVolumeClaims, 'used', { namespace: 'default' });
    await afterAnotherWentBy();
    assert.ok(await isThere(persistentVolumeClaims, 'used', 'default'), 'it waits for its pod');
    await cp.client.delete(pods, 'user', { namespace: 'default' });
    await goes(persistentVolumeClaims, 'used', 'default');
  });

  test('a namespace goes with its claims and their pods', async () => {
    await cp.client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'short' } });
    await eventually(() => cp.client.create(persistentVolumeClaims, claim('data', 'short')));
    await eventually(() => cp.client.create(pods, user('user', 'short', 'data')));
    await cp.client.delete(namespaces, 'short');
    await goes(namespaces, 'short');
  });

  test('a volume that is bound goes when it is released', async () => {
    const made = await cp.client.create(persistentVolumes, volume('bound'));
    assert.deepEqual(made.metadata.finalizers, ['kubernetes.io/pv-protection']);
    await cp.client.patch(persistentVolumes, 'bound', { status: { phase: 'Bound' } }, { subresource: 'status' });
    await cp.client.delete(persistentVolumes, 'bound');
    await cp.client.create(persistentVolumes, volume('free'));
    await cp.client.delete(persistentVolumes, 'free');
    await goes(persistentVolumes, 'free');
    assert.ok(await isThere(persistentVolumes, 'bound'), 'it waits for its claim');
    await cp.client.patch(persistentVolumes, 'bound', { status: { phase: 'Released' } }, { subresource: 'status' });
    await goes(persistentVolumes, 'bound');
  });

  test('a class of attributes goes after the last claim that names it', async () => {
    await cp.client.create(volumeAttributesClasses, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'VolumeAttributesClass',
      metadata: { name: 'gold' },
      driverName: 'csi.example.com',
      parameters: { iops: '100' },
    });
    await cp.client.create(persistentVolumeClaims, claim('golden', 'default', { volumeAttributesClassName: 'gold' }));
    await cp.client.delete(volumeAttributesClasses, 'gold');
    await afterAnotherWentBy();
    assert.ok(await isThere(volumeAttributesClasses, 'gold'), 'it waits for its claim');
    await cp.client.delete(persistentVolumeClaims, 'golden', { namespace: 'default' });
    await goes(volumeAttributesClasses, 'gold');
  });

  test('one that was made without protection gets it', async () => {
    await cp.client.create(persistentVolumes, volume('bare'));
    await cp.client.patch(persistentVolumes, 'bare', { metadata: { finalizers: null } });
    await eventually(async () => {
      const { metadata } = await cp.client.get(persistentVolumes, 'bare');
      assert.deepEqual(metadata.finalizers, ['kubernetes.io/pv-protection']);
    });
  });
});
