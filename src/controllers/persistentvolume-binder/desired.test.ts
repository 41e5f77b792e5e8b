import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bindCompleted, boundByController, provisionedBy, selectedNode } from '../../api/placement/volume-claim.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../api/schema/types.ts';
import { type ClaimPlan, claimBoundTo, claimPlan, claimStatus, reclaimPlan, unboundVolume, volumePlan } from './desired.ts';

const claim = (spec: object = {}, annotations?: Record<string, string>): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data', namespace: 'default', uid: 'u', ...(annotations ? { annotations } : {}) },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  status: { phase: 'Pending' },
});
const volume = (name: string, spec: object = {}, annotations?: Record<string, string>): PersistentVolume => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, ...(annotations ? { annotations } : {}) },
  spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' }, ...spec },
  status: { phase: 'Available' },
});
const storageClass = (name: string, provisioner: string, more: object = {}): StorageClass => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name, annotations: name === 'usual' ? { 'storageclass.kubernetes.io/is-default-class': 'true' } : {} },
  provisioner,
  ...more,
});
const late = storageClass('late', 'example.com/p', { volumeBindingMode: 'WaitForFirstConsumer' });
const fast = storageClass('fast', 'example.com/p');
const usual = storageClass('usual', 'example.com/p');
const none = storageClass('none', 'kubernetes.io/no-provisioner');
const own = { name: 'data', namespace: 'default', uid: 'u' };
const others = { name: 'x', namespace: 'default', uid: 'x' };

interface Around {
  readonly volumes?: readonly PersistentVolume[];
  readonly classes?: readonly StorageClass[];
  readonly pods?: readonly string[];
}

function plan(of: PersistentVolumeClaim, { volumes = [], classes = [fast, late, none], pods = [] }: Around = {}): string {
  const made = claimPlan(of, {
    volume: (name) => volumes.find((one) => one.metadata.name === name),
    volumes: () => volumes,
    storageClass: (name) => classes.find((one) => one.metadata.name === name),
    classes: () => classes,
    waitingPods: () => pods,
  });
  return lineOf(made);
}

function lineOf(made: ClaimPlan): string {
  if (made.kind === 'bind') return `bind ${made.volume.metadata.name}`;
  if (made.kind === 'provision') return `provision ${made.provisioner}`;
  if (made.kind === 'assign class') return `assign class ${made.name}`;
  const { event } = made;
  return event ? `${made.kind}: ${event.type} ${event.reason} ${event.message}` : made.kind;
}

const done = { [bindCompleted]: 'yes' };
const noVolume = 'wait: Normal FailedBinding no persistent volumes available for this claim and no storage class is set';

describe('claimPlan()', () => {
  const cases: [does: string, got: string, wanted: string][] = [
    ['binds a claim to a volume that does', plan(claim(), { volumes: [volume('pv')] }), 'bind pv'],
    [
      'takes a volume with fewer access modes before a smaller one',
      plan(claim(), {
        volumes: [volume('many', { accessModes: ['ReadWriteMany', 'ReadWriteOnce'], capacity: { storage: '1Gi' } }), volume('pv')],
      }),
      'bind pv',
    ],
    ['says that there is none', plan(claim({ storageClassName: '' })), noVolume],
    ['says that there is none where there is no default class', plan(claim()), noVolume],
    ['assigns the default class to a claim that named none', plan(claim(), { classes: [fast, usual] }), 'assign class usual'],
    ['assigns none to a claim that wants none', plan(claim({ storageClassName: '' }), { classes: [usual] }), noVolume],
    ['takes a volume before it assigns a class', plan(claim(), { classes: [usual], volumes: [volume('pv')] }), 'bind pv'],
    ['asks the provisioner of its class', plan(claim({ storageClassName: 'fast' })), 'provision example.com/p'],
    [
      'lets a claim wait for a pod',
      plan(claim({ storageClassName: 'late' })),
      'wait: Normal WaitForFirstConsumer waiting for first consumer to be created before binding',
    ],
    [
      'lets a claim wait for the node of a pod',
      plan(claim({ storageClassName: 'late' }), { pods: ['web'] }),
      'wait: Normal WaitForPodScheduled waiting for pod web to be scheduled',
    ],
    [
      'lets a claim wait for the node of one of some pods',
      plan(claim({ storageClassName: 'late' }), { pods: ['b', 'a'] }),
      'wait: Normal WaitForPodScheduled waiting for pods a,b to be scheduled',
    ],
    [
      'binds none to a claim that waits',
      plan(claim({ storageClassName: 'late' }), { volumes: [volume('pv', { storageClassName: 'late' })], pods: ['a'] }),
      'wait: Normal WaitForPodScheduled waiting for pod a to be scheduled',
    ],
    ['asks once the node is chosen', plan(claim({ storageClassName: 'late' }, { [selectedNode]: 'n1' })), 'provision example.com/p'],
    [
      'says that a class is not there',
      plan(claim({ storageClassName: 'gone' })),
      'refuse: Warning ProvisioningFailed storageclass.storage.k8s.io "gone" not found',
    ],
    [
      'says that nobody makes volumes of a class',
      plan(claim({ storageClassName: 'none' })),
      'refuse: Warning ProvisioningFailed no volume plugin matched name: kubernetes.io/no-provisioner',
    ],
    ['waits for a volume that it names', plan(claim({ volumeName: 'pv' })), 'wait'],
    ['takes the volume that it names', plan(claim({ volumeName: 'pv' }), { volumes: [volume('pv')] }), 'bind pv'],
    [
      'takes the volume that it names and that is kept for it',
      plan(claim({ volumeName: 'pv' }), { volumes: [volume('pv', { claimRef: own })] }),
      'bind pv',
    ],
    [
      'says why the volume that it names does not do',
      plan(claim({ volumeName: 'pv' }), { volumes: [volume('pv', { volumeMode: 'Block' })] }),
      'wait: Warning VolumeMismatch Cannot bind to requested volume "pv": incompatible volumeMode',
    ],
    [
      'says that the volume that it names is gone to another',
      plan(claim({ volumeName: 'pv' }), { volumes: [volume('pv', { claimRef: others })] }),
      'wait: Warning FailedBinding volume "pv" already bound to a different claim.',
    ],
    ['finishes a binding', plan(claim({ volumeName: 'pv' }, done), { volumes: [volume('pv')] }), 'bind pv'],
    ['keeps a binding', plan(claim({ volumeName: 'pv' }, done), { volumes: [volume('pv', { claimRef: own })] }), 'bind pv'],
    [
      'gives up a claim whose volume is gone',
      plan(claim({ volumeName: 'pv' }, done)),
      'lost: Warning ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    ],
    [
      'gives up a claim without the name of its volume',
      plan(claim({}, done)),
      'lost: Warning ClaimLost Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
    ],
    [
      'gives up a claim whose volume is of another',
      plan(claim({ volumeName: 'pv' }, done), { volumes: [volume('pv', { claimRef: others })] }),
      'lost: Warning ClaimMisbound Two claims are bound to the same volume, this one is bound incorrectly',
    ],
  ];
  for (const [does, got, wanted] of cases) test(does, () => assert.equal(got, wanted));
});

describe('volumePlan()', () => {
  const cases: [does: string, got: unknown, wanted: unknown][] = [
    ['gives a volume to anybody', volumePlan(volume('pv'), undefined), { kind: 'phase', phase: 'Available' }],
    ['keeps it for a name', volumePlan(volume('pv', { claimRef: { ...own, uid: '' } }), undefined), { kind: 'phase', phase: 'Available' }],
    ['takes it back when its claim is gone', volumePlan(volume('pv', { claimRef: own }), undefined), { kind: 'reclaim' }],
    [
      'is content when both say so',
      volumePlan(volume('pv', { claimRef: own }), claim({ volumeName: 'pv' })),
      { kind: 'phase', phase: 'Bound' },
    ],
    ['lets the claim finish', volumePlan(volume('pv', { claimRef: own }), claim()), { kind: 'leave to claim' }],
    ['lets it go when its claim has another', volumePlan(volume('pv', { claimRef: own }), claim({ volumeName: 'b' })), { kind: 'unbind' }],
    [
      'takes back what was made for a claim that has another',
      volumePlan(
        volume('pv', { claimRef: own, persistentVolumeReclaimPolicy: 'Delete' }, { [provisionedBy]: 'p' }),
        claim({ volumeName: 'b' }),
      ),
      { kind: 'reclaim' },
    ],
    [
      'says that their modes differ',
      volumePlan(volume('pv', { claimRef: own, volumeMode: 'Block' }), claim()),
      {
        kind: 'mismatch',
        ofVolume: {
          type: 'Warning',
          reason: 'VolumeMismatch',
          message: 'Cannot bind PersistentVolume to requested PersistentVolumeClaim "data" due to incompatible volumeMode.',
        },
        ofClaim: {
          type: 'Warning',
          reason: 'VolumeMismatch',
          message: 'Cannot bind PersistentVolume "pv" to requested PersistentVolumeClaim due to incompatible volumeMode.',
        },
      },
    ],
  ];
  for (const [does, got, wanted] of cases) test(does, () => assert.deepEqual(got, wanted));
});

describe('reclaimPlan()', () => {
  const at = (path: string): object => ({ persistentVolumeReclaimPolicy: 'Delete', hostPath: { path } });
  const unknown = (message: string): object => ({ kind: 'fail', reason: 'VolumeFailedDelete', message });
  const cases: [does: string, got: unknown, wanted: unknown][] = [
    ['keeps what is to be kept', reclaimPlan(volume('pv', { ...at('/tmp/x'), persistentVolumeReclaimPolicy: 'Retain' })), { kind: 'keep' }],
    ['deletes below /tmp', reclaimPlan(volume('pv', at('/tmp/x'))), { kind: 'delete path', path: '/tmp/x' }],
    ...['/tmp', '/tmp/', '/data', '/var/tmp/x', '/tmp/../etc'].map((path): [string, unknown, unknown] => [
      `does not delete ${path}`,
      reclaimPlan(volume('pv', at(path))),
      unknown(`host_path deleter only supports /tmp/.+ but received provided ${path}`),
    ]),
    ['leaves what somebody made to them', reclaimPlan(volume('pv', at('/tmp/x'), { [provisionedBy]: 'example.com/p' })), { kind: 'keep' }],
    [
      'leaves volumes of drivers to them',
      reclaimPlan(volume('pv', { persistentVolumeReclaimPolicy: 'Delete', csi: { driver: 'd' } })),
      { kind: 'keep' },
    ],
    [
      'says that nobody deletes what a part of Kubernetes made',
      reclaimPlan(volume('pv', at('/tmp/x'), { [provisionedBy]: 'kubernetes.io/p' })),
      unknown('no volume plugin matched name: kubernetes.io/p'),
    ],
    [
      'says that nobody deletes volumes of other kinds',
      reclaimPlan(volume('pv', { persistentVolumeReclaimPolicy: 'Delete', local: { path: '/x' } })),
      unknown('error getting deleter volume plugin for volume "pv": no deletable volume plugin matched'),
    ],
    [
      'says that nobody recycles',
      reclaimPlan(volume('pv', { persistentVolumeReclaimPolicy: 'Recycle', hostPath: { path: '/tmp/x' } })),
      { kind: 'fail', reason: 'VolumeFailedRecycle', message: 'No recycler plugin found for the volume!' },
    ],
  ];
  for (const [does, got, wanted] of cases) test(does, () => assert.deepEqual(got, wanted));
});

test('claimBoundTo() marks what nobody wished for, and leaves alone what is written', () => {
  const bound = claimBoundTo(claim(), volume('pv'));
  assert.deepEqual([bound.spec?.volumeName, bound.metadata.annotations], ['pv', { [bindCompleted]: 'yes', [boundByController]: 'yes' }]);
  assert.equal(claimBoundTo(bound, volume('pv')), bound);
  assert.deepEqual(claimBoundTo(claim({ volumeName: 'pv' }), volume('pv')).metadata.annotations, done);
});

test('unboundVolume() forgets the claim, or only its uid where it was wished for', () => {
  assert.deepEqual(unboundVolume(volume('pv', { claimRef: own }, { [boundByController]: 'yes' })), {
    ...volume('pv', { claimRef: undefined }),
    metadata: { name: 'pv', annotations: undefined },
  });
  assert.deepEqual(unboundVolume(volume('pv', { claimRef: own })).spec?.claimRef, { ...own, uid: undefined });
});

test('claimStatus() takes over what the volume has when the claim is bound, and not its size later on', () => {
  const of = { accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' }, currentVolumeAttributesClassName: undefined };
  assert.deepEqual(claimStatus(claim(), 'Bound', volume('pv')), { phase: 'Bound', ...of });
  const grown = { ...claim(), status: { phase: 'Bound', capacity: { storage: '1Gi' } } };
  assert.deepEqual(claimStatus(grown, 'Bound', volume('pv')).capacity, { storage: '1Gi' });
  assert.deepEqual(claimStatus(grown, 'Lost', undefined), {
    phase: 'Lost',
    accessModes: undefined,
    capacity: undefined,
    currentVolumeAttributesClassName: undefined,
  });
});
