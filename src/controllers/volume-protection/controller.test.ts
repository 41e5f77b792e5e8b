import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { persistentVolumeClaims, persistentVolumes, pods, volumeAttributesClasses } from '../../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, VolumeAttributesClass } from '../../api/schema/types.ts';
import { pvcProtectionFinalizer, pvProtectionFinalizer, vacProtectionFinalizer } from '../../api/well-known.ts';
import type { Reconciler } from '../../client/controller.ts';
import { podOf } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { AttributesClassProtectionController, ClaimProtectionController, VolumeProtectionController } from './controller.ts';

type Metadata = Partial<PersistentVolumeClaim['metadata']>;

const isGoing = (finalizer: string): Metadata => ({
  deletionTimestamp: '2026-01-01T00:00:00Z',
  finalizers: ['example.com/other', finalizer],
});

function claim(metadata: Metadata = {}): PersistentVolumeClaim {
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'default', ...metadata } };
}

function volume(metadata: Metadata = {}, phase: string = 'Released'): PersistentVolume {
  return { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'pv', ...metadata }, status: { phase } };
}

function attributes(metadata: Metadata = {}): VolumeAttributesClass {
  return { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttributesClass', metadata: { name: 'gold', ...metadata }, driverName: 'd' };
}

function podWithClaim(): Pod {
  const pod = podOf(undefined, 'user', { node: 'n1' });
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }];
  return { ...pod, spec: { containers: [], nodeName: 'n1', volumes } };
}

interface Case {
  readonly does: string;
  readonly put: (bed: TestBed) => void;
  readonly controller: (bed: TestBed) => Reconciler;
  readonly key: string;
  readonly writes: readonly string[];
  /** What the copies do not show. */
  readonly meanwhile?: (bed: TestBed) => void;
  readonly error?: string;
}

const ofClaims = (bed: TestBed): Reconciler => new ClaimProtectionController(bed.context);
const ofVolumes = (bed: TestBed): Reconciler => new VolumeProtectionController(bed.context);
const ofClasses = (bed: TestBed): Reconciler => new AttributesClassProtectionController(bed.context);
const [claimKey, volumeKey, classKey] = ['default/data', 'pv', 'gold'];
const [updateClaim, updateVolume] = [`update persistentvolumeclaims ${claimKey}`, `update persistentvolumes ${volumeKey}`];
const updateClass = `update volumeattributesclasses ${classKey}`;

const cases: readonly Case[] = [
  {
    does: 'a new claim is protected',
    put: (bed) => void bed.put(persistentVolumeClaims, claim()),
    controller: ofClaims,
    key: claimKey,
    writes: [updateClaim],
  },
  {
    does: 'a claim that no pod uses may go',
    put: (bed) => void bed.put(persistentVolumeClaims, claim(isGoing(pvcProtectionFinalizer))),
    controller: ofClaims,
    key: claimKey,
    writes: [updateClaim],
  },
  {
    does: 'a claim stays while a pod uses it that the copies do not show',
    put: (bed) => void bed.put(persistentVolumeClaims, claim(isGoing(pvcProtectionFinalizer))),
    meanwhile: (bed) => void bed.put(pods, podWithClaim()),
    controller: ofClaims,
    key: claimKey,
    writes: [],
  },
  {
    does: 'a claim that somebody else changed comes back',
    put: (bed) => void bed.put(persistentVolumeClaims, claim()),
    meanwhile: (bed) => void bed.put(persistentVolumeClaims, claim({ labels: { changed: 'yes' } })),
    controller: ofClaims,
    key: claimKey,
    writes: [updateClaim],
    error: 'the object "data" has been modified',
  },
  { does: 'a claim that is gone asks for nothing', put: () => {}, controller: ofClaims, key: claimKey, writes: [] },
  {
    does: 'a volume that no claim has may go',
    put: (bed) => void bed.put(persistentVolumes, volume(isGoing(pvProtectionFinalizer))),
    controller: ofVolumes,
    key: volumeKey,
    writes: [updateVolume],
  },
  {
    does: 'a bound volume stays',
    put: (bed) => void bed.put(persistentVolumes, volume(isGoing(pvProtectionFinalizer), 'Bound')),
    controller: ofVolumes,
    key: volumeKey,
    writes: [],
  },
  {
    does: 'a class that nothing names may go',
    put: (bed) => void bed.put(volumeAttributesClasses, attributes(isGoing(vacProtectionFinalizer))),
    controller: ofClasses,
    key: classKey,
    writes: [updateClass],
  },
  {
    does: 'a class stays while a volume names it that the copies do not show',
    put: (bed) => void bed.put(volumeAttributesClasses, attributes(isGoing(vacProtectionFinalizer))),
    meanwhile: (bed) => void bed.put(persistentVolumes, { ...volume(), spec: { volumeAttributesClassName: 'gold' } }),
    controller: ofClasses,
    key: classKey,
    writes: [],
  },
];

describe('protection', () => {
  for (const { does, put, controller: make, key, meanwhile, ...expected } of cases) {
    test(does, async () => {
      await using bed = new TestBed();
      put(bed);
      const controller = make(bed);
      await bed.deliver();
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, key), { events: [], ...expected });
    });
  }

  test('adds its finalizer to others, and takes away its own alone', async () => {
    await using bed = new TestBed();
    bed.put(persistentVolumeClaims, claim({ finalizers: ['example.com/other'] }));
    const controller = ofClaims(bed);
    await bed.deliver();
    await bed.pass(controller, claimKey);
    assert.deepEqual(bed.client.find(persistentVolumeClaims, claimKey)?.metadata.finalizers, ['example.com/other', pvcProtectionFinalizer]);
    bed.put(persistentVolumeClaims, claim(isGoing(pvcProtectionFinalizer)));
    await bed.deliver();
    await bed.pass(controller, claimKey);
    assert.deepEqual(bed.client.find(persistentVolumeClaims, claimKey)?.metadata.finalizers, ['example.com/other']);
  });

  test('a claim that waits to go is looked at when a pod with it changes or goes', async () => {
    await using bed = new TestBed();
    bed.put(pods, podWithClaim());
    bed.put(persistentVolumeClaims, claim({ finalizers: [pvcProtectionFinalizer] }));
    const news = bed.listen(ofClaims(bed));
    assert.deepEqual(await news.deliver(), []);
    bed.put(persistentVolumeClaims, claim(isGoing(pvcProtectionFinalizer)));
    assert.deepEqual(await news.deliver(), [claimKey]);
    bed.put(pods, { ...podWithClaim(), status: { phase: 'Succeeded' } });
    assert.deepEqual(await news.deliver(), [claimKey]);
    bed.client.forget(pods, 'default/user');
    assert.deepEqual(await news.deliver(), [claimKey]);
  });

  test('a class that waits to go is looked at when a claim or a volume changes', async () => {
    await using bed = new TestBed();
    bed.put(volumeAttributesClasses, attributes(isGoing(vacProtectionFinalizer)));
    bed.put(persistentVolumes, volume());
    bed.put(persistentVolumeClaims, claim());
    const news = bed.listen(ofClasses(bed));
    await news.deliver();
    bed.put(persistentVolumes, volume({}, 'Available'));
    assert.deepEqual(await news.deliver(), [classKey]);
    bed.client.forget(persistentVolumeClaims, claimKey);
    assert.deepEqual(await news.deliver(), [classKey]);
  });
});
