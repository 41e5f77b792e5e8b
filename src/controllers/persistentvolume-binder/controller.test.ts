import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bindCompleted, boundByController } from '../../api/placement/volume-claim.ts';
import { persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../../api/schema/types.ts';
import { podOf } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { PersistentVolumeBinder } from './controller.ts';

const key = 'default/data';
const claim = (spec: object = {}, name = 'data'): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default', uid: `uid-${name}` },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  status: { phase: 'Pending' },
});
const volume = (name: string, spec: object = {}, phase = 'Available'): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' }, hostPath: { path: '/x' }, ...spec },
  status: { phase },
});
const late: StorageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'late', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'example.com/p',
  volumeBindingMode: 'WaitForFirstConsumer',
};
const user = (node?: string): Pod => {
  const pod = podOf(undefined, 'user', node === undefined ? {} : { node });
  return { ...pod, spec: { containers: [], ...pod.spec, volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] } };
};
const gone = { name: 'data', namespace: 'default', uid: 'older' };

async function withBed(act: (bed: TestBed, binder: PersistentVolumeBinder) => Promise<void>, context: object = {}): Promise<void> {
  await using bed = new TestBed();
  await act(bed, new PersistentVolumeBinder({ ...bed.context, ...context }));
}

describe('persistentvolume-binder-controller', () => {
  test('writes both halves of a binding, the volume first', () =>
    withBed(async (bed, binder) => {
      bed.put(persistentVolumeClaims, claim());
      bed.put(persistentVolumes, volume('pv'));
      await bed.deliver();
      assert.deepEqual((await bed.pass(binder, key)).writes, [
        'update persistentvolumes pv',
        'update persistentvolumes/status pv',
        `update persistentvolumeclaims ${key}`,
        `update persistentvolumeclaims/status ${key}`,
      ]);
      const bound = bed.client.find(persistentVolumeClaims, key);
      assert.deepEqual(bound?.metadata.annotations, { [bindCompleted]: 'yes', [boundByController]: 'yes' });
      assert.deepEqual(bound?.status, { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' } });
      const { spec, status } = bed.client.find(persistentVolumes, 'pv') ?? {};
      assert.deepEqual([spec?.claimRef?.uid, spec?.claimRef?.name, status?.phase], ['uid-data', 'data', 'Bound']);
      assert.deepEqual(await bed.pass(binder, key), { writes: [], events: [] });
      assert.deepEqual(await bed.pass(binder, 'pv'), { writes: [], events: [] });
    }));

  test('gives a volume to one claim only, before the copies show that it is gone', () =>
    withBed(async (bed, binder) => {
      bed.put(persistentVolumeClaims, claim());
      bed.put(persistentVolumeClaims, claim({}, 'other'));
      bed.put(persistentVolumes, volume('pv'));
      await bed.deliver();
      await bed.pass(binder, key);
      const { writes, events } = await bed.pass(binder, 'default/other');
      assert.deepEqual(writes, []);
      assert.match(events.join(), /FailedBinding no persistent volumes available/);
    }));

  test('goes on with a binding that was written in part', () =>
    withBed(async (bed, binder) => {
      bed.put(persistentVolumeClaims, claim());
      bed.put(persistentVolumes, volume('pv', { claimRef: { ...gone, uid: 'uid-data' } }, 'Bound'));
      await bed.deliver();
      assert.deepEqual((await bed.pass(binder, 'pv')).writes, [
        `update persistentvolumeclaims ${key}`,
        `update persistentvolumeclaims/status ${key}`,
      ]);
    }));

  test('says what a claim waits for, each thing once, and asks for a volume when its node is known', () =>
    withBed(async (bed, binder) => {
      bed.put(storageClasses, late);
      bed.put(persistentVolumeClaims, claim());
      await bed.deliver();
      assert.deepEqual((await bed.pass(binder, key)).writes, [`update persistentvolumeclaims ${key}`]);
      await bed.deliver();
      const first = await bed.pass(binder, key);
      assert.deepEqual(first.events, ['Normal WaitForFirstConsumer waiting for first consumer to be created before binding']);
      assert.deepEqual((await bed.pass(binder, key)).events, []);
      bed.put(pods, user());
      await bed.deliver();
      assert.deepEqual((await bed.pass(binder, key)).events, ['Normal WaitForPodScheduled waiting for pod user to be scheduled']);
      const now = bed.client.find(persistentVolumeClaims, key)!;
      bed.put(persistentVolumeClaims, {
        ...now,
        metadata: { ...now.metadata, annotations: { 'volume.kubernetes.io/selected-node': 'n1' } },
      });
      await bed.deliver();
      const { writes, events } = await bed.pass(binder, key);
      assert.deepEqual(writes, [`update persistentvolumeclaims ${key}`]);
      assert.match(
        events.join(),
        /^Normal ExternalProvisioning Waiting for a volume to be created either by the external provisioner 'example.com\/p' or/,
      );
      const asked = bed.client.find(persistentVolumeClaims, key)?.metadata.annotations;
      assert.equal(asked?.['volume.kubernetes.io/storage-provisioner'], 'example.com/p');
      assert.equal(asked?.['volume.beta.kubernetes.io/storage-provisioner'], 'example.com/p');
    }));

  test('asks nobody where that is switched off', () =>
    withBed(
      async (bed, binder) => {
        bed.put(storageClasses, { ...late, volumeBindingMode: 'Immediate' });
        bed.put(persistentVolumeClaims, claim({ storageClassName: 'late' }));
        await bed.deliver();
        assert.deepEqual(await bed.pass(binder, key), { writes: [], events: [] });
      },
      { provisioning: false },
    ));

  test('releases a volume whose claim is gone, and keeps it', () =>
    withBed(async (bed, binder) => {
      bed.put(persistentVolumes, volume('pv', { claimRef: gone }, 'Bound'));
      await bed.deliver();
      assert.deepEqual(await bed.pass(binder, 'pv'), { writes: ['update persistentvolumes/status pv'], events: [] });
      assert.equal(bed.client.find(persistentVolumes, 'pv')?.status?.phase, 'Released');
    }));

  test('does not release a volume whose claim the copies do not show yet', () =>
    withBed(async (bed, binder) => {
      bed.put(persistentVolumes, volume('pv', { claimRef: { ...gone, uid: 'uid-data' } }, 'Bound'));
      await bed.deliver();
      bed.put(persistentVolumeClaims, claim({ volumeName: 'pv' }));
      assert.deepEqual(await bed.pass(binder, 'pv'), { writes: [], events: [] });
    }));

  test('says that it cannot delete a volume', () =>
    withBed(async (bed, binder) => {
      bed.put(persistentVolumes, volume('pv', { claimRef: gone, persistentVolumeReclaimPolicy: 'Delete' }, 'Bound'));
      await bed.deliver();
      const { events } = await bed.pass(binder, 'pv');
      assert.deepEqual(events, ['Warning VolumeFailedDelete host_path deleter only supports /tmp/.+ but received provided /x']);
      const { status } = bed.client.find(persistentVolumes, 'pv') ?? {};
      assert.deepEqual(status, { phase: 'Failed', message: 'host_path deleter only supports /tmp/.+ but received provided /x' });
    }));

  test('deletes a volume with its content below /tmp, and follows no link out of there', () =>
    withBed(async (bed, binder) => {
      const dir = mkdtempSync('/tmp/fairlead-binder-');
      try {
        mkdirSync(join(dir, 'data', 'deep'), { recursive: true });
        symlinkSync('/usr', join(dir, 'link'));
        for (const name of ['data', 'link/no-such-folder'])
          bed.put(persistentVolumes, {
            ...volume(name.replace('/', '-'), {
              claimRef: gone,
              persistentVolumeReclaimPolicy: 'Delete',
              hostPath: { path: join(dir, name) },
            }),
          });
        await bed.deliver();
        assert.deepEqual((await bed.pass(binder, 'data')).writes, [
          'update persistentvolumes/status data',
          'delete persistentvolumes data',
        ]);
        assert.equal(existsSync(join(dir, 'data')), false);
        const { writes, requeueAfter } = await bed.pass(binder, 'link-no-such-folder');
        assert.deepEqual(writes, Array(2).fill('update persistentvolumes/status link-no-such-folder'));
        assert.equal(requeueAfter, 15_000);
      } finally {
        rmSync(dir, { recursive: true });
      }
    }));

  test('lets go of a volume whose claim has got another one', () =>
    withBed(async (bed, binder) => {
      bed.put(persistentVolumeClaims, claim({ volumeName: 'b' }));
      bed.put(persistentVolumes, volume('pv', { claimRef: { ...gone, uid: 'uid-data' } }, 'Bound'));
      await bed.deliver();
      await bed.pass(binder, 'pv');
      const { spec, status } = bed.client.find(persistentVolumes, 'pv') ?? {};
      assert.deepEqual([spec?.claimRef?.name, spec?.claimRef?.uid, status?.phase], ['data', undefined, 'Available']);
    }));

  test('looks at claims that wait when a volume, their class or their pod comes, and at none that is bound', () =>
    withBed(async (bed, binder) => {
      bed.put(persistentVolumeClaims, claim({ storageClassName: 'late' }));
      const bound = claim({ storageClassName: 'late', volumeName: 'old' }, 'bound');
      bed.put(persistentVolumeClaims, { ...bound, metadata: { ...bound.metadata, annotations: { [bindCompleted]: 'yes' } } });
      bed.put(persistentVolumes, volume('old', { claimRef: { name: 'bound', namespace: 'default' } }, 'Bound'));
      const news = bed.listen(binder);
      await news.deliver();
      bed.put(persistentVolumes, volume('new', { storageClassName: 'late' }));
      assert.deepEqual(await news.deliver(), [key, 'new']);
      bed.put(persistentVolumes, volume('alien'));
      assert.deepEqual(await news.deliver(), ['alien']);
      bed.put(storageClasses, late);
      assert.deepEqual(await news.deliver(), [key]);
      bed.put(pods, user());
      assert.deepEqual(await news.deliver(), [key]);
      bed.put(pods, user('n1'));
      assert.deepEqual(await news.deliver(), [key]);
      bed.client.forget(persistentVolumeClaims, 'default/bound');
      assert.deepEqual(await news.deliver(), ['default/bound', 'old']);
    }));
});
