/** Volumes of pods, PersistentVolumes and claims. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolumeClaim } from '../schema/types.ts';
import { claimUpdateErrors } from './claim.ts';
import { textOf } from './field-error.ts';
import { createErrors, updateErrors } from './testing/object-errors.ts';

const box = { name: 'a', image: 'box:1' };
const pod = (...volumes: object[]): object => ({ spec: { serviceAccountName: 'a', containers: [box], volumes } });
const claim = (spec: object = {}): object => ({
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const volume = (spec: object = {}): object => ({
  spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' }, ...spec },
});

const podVolumes: readonly [what: string, volume: object, wanted: readonly string[]][] = [
  [
    'two sources',
    { emptyDir: {}, hostPath: { path: '/x' } },
    ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
  ],
  ['no source, which is an empty folder', {}, []],
  [
    'a negative size',
    { emptyDir: { sizeLimit: '-1' } },
    ['spec.volumes[0].emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity'],
  ],
  [
    'a file outside of the volume',
    { configMap: { name: 'c', items: [{ key: 'k', path: '../x' }] } },
    ['spec.volumes[0].configMap.items[0].path: Invalid value: "../x": must not contain \'..\''],
  ],
  [
    'a file of the kubelet',
    { secret: { secretName: 's', items: [{ key: 'k', path: '..data' }] } },
    ['spec.volumes[0].secret.items[0].path: Invalid value: "..data": must not start with \'..\''],
  ],
  [
    'an initiator that is none',
    { iscsi: { targetPortal: '10.0.0.1', iqn: 'xyz', lun: 300 } },
    [
      'spec.volumes[0].iscsi.iqn: Invalid value: "xyz": must be valid format starting with iqn, eui, or naa',
      'spec.volumes[0].iscsi.lun: Invalid value: 300: must be between 0 and 255, inclusive',
    ],
  ],
  [
    'a field that a volume cannot show',
    { downwardAPI: { items: [{ path: 'n', fieldRef: { apiVersion: 'v1', fieldPath: 'spec.nodeName' } }] } },
    [
      'spec.volumes[0].downwardAPI.fieldRef.fieldPath: Unsupported value: "spec.nodeName": supported values: "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
    ],
  ],
  [
    'two files of one name',
    {
      projected: {
        sources: [
          { secret: { name: 's', items: [{ key: 'a', path: 'x' }] } },
          { configMap: { name: 'c', items: [{ key: 'a', path: 'x' }] } },
        ],
      },
    },
    ['spec.volumes[0].projected: Invalid value: "x": conflicting duplicate paths'],
  ],
  [
    'a token for a minute',
    { projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 60 } }] } },
    [
      'spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
    ],
  ],
  [
    'a template without a size',
    { ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } } },
    ['spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value'],
  ],
  ['a driver without a name', { csi: {} }, ['spec.volumes[0].csi.driver: Required value']],
  ['an image', { image: { reference: 'r', pullPolicy: 'Always' } }, []],
];

for (const [what, source, wanted] of podVolumes) {
  test(`a pod's volume: ${what}`, () => assert.deepEqual(createErrors('v1', 'Pod', pod({ name: 'v', ...source })), wanted));
}

test('a token needs an account to be of', () => {
  const spec = { containers: [box], volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] };
  assert.deepEqual(createErrors('v1', 'Pod', { spec }), [
    'spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set',
  ]);
});

const objects: readonly [what: string, kind: string, given: object, wanted: readonly string[]][] = [
  ['a claim', 'PersistentVolumeClaim', claim(), []],
  [
    'an empty claim',
    'PersistentVolumeClaim',
    { spec: {} },
    ['spec.accessModes: Required value: at least 1 access mode is required', 'spec.resources[storage]: Required value'],
  ],
  [
    'a claim of nothing, in ways that do not go together',
    'PersistentVolumeClaim',
    claim({ accessModes: ['ReadWriteOncePod', 'ReadWriteMany', 'Write'], resources: { requests: { storage: '0' } } }),
    [
      'spec.accessModes: Unsupported value: "Write": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
      'spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes',
      'spec.resources[storage]: Invalid value: "0": must be greater than zero',
    ],
  ],
  [
    'a claim with two sources that differ',
    'PersistentVolumeClaim',
    claim({ dataSource: { kind: 'PersistentVolumeClaim', name: 'a' }, dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'b' } }),
    ['spec: Invalid value: "spec.dataSource": must match dataSourceRef'],
  ],
  ['a volume', 'PersistentVolume', volume(), []],
  [
    'an empty volume',
    'PersistentVolume',
    { spec: {} },
    [
      'spec.accessModes: Required value',
      'spec.capacity: Required value',
      'spec.capacity: Unsupported value: "{}": supported values: "storage"',
      'spec: Required value: must specify a volume type',
    ],
  ],
  [
    'a local volume of no node',
    'PersistentVolume',
    volume({ hostPath: undefined, local: { path: '/x' } }),
    ['spec.nodeAffinity: Required value: Local volume requires node affinity'],
  ],
  [
    'a volume that would empty the node',
    'PersistentVolume',
    volume({ hostPath: { path: '/' }, persistentVolumeReclaimPolicy: 'Recycle' }),
    ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
  ],
];

for (const [what, kind, given, wanted] of objects) test(`create: ${what}`, () => assert.deepEqual(createErrors('v1', kind, given), wanted));

test('a claim grows once it is bound, and not before', () => {
  const at = (phase: string, storage: string): PersistentVolumeClaim => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    status: { phase, capacity: { storage: '1Gi' } },
  });
  const errors = (phase: string, from: string, to: string): string[] => claimUpdateErrors(at(phase, to), at(phase, from)).map(textOf);
  assert.deepEqual(errors('Bound', '1Gi', '2Gi'), []);
  assert.deepEqual(errors('Pending', '1Gi', '2Gi'), [
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
  ]);
  assert.deepEqual(errors('Bound', '3Gi', '2Gi'), [], 'a growth that failed may be taken back');
  assert.deepEqual(errors('Bound', '3Gi', '1Gi'), [
    'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
  ]);
});

test('a volume stays where it is', () => {
  assert.deepEqual(updateErrors('v1', 'PersistentVolume', volume(), volume({ hostPath: { path: '/y' } })), [
    'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation',
  ]);
});

test('a StorageClass needs a provisioner and keeps it', () => {
  assert.deepEqual(createErrors('storage.k8s.io/v1', 'StorageClass', { provisioner: 'a.b/c', reclaimPolicy: '' }), []);
  assert.deepEqual(createErrors('storage.k8s.io/v1', 'StorageClass', { volumeBindingMode: 'Later' }), [
    'provisioner: Required value',
    'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"',
  ]);
  assert.deepEqual(updateErrors('storage.k8s.io/v1', 'StorageClass', { provisioner: 'a.b/c' }, { provisioner: 'a.b/d' }), [
    'provisioner: Forbidden: updates to provisioner are forbidden.',
  ]);
});
