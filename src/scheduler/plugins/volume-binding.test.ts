import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { objectKey } from '../../api/object-key.ts';
import { selectedNode } from '../../api/placement/volume-claim.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass, Volume } from '../../api/schema/types.ts';
import { choose, refusalMessage } from '../choose.ts';
import { Cluster } from '../cluster.ts';
import { defaultProfile } from '../profile.ts';

type Claim = Omit<Partial<PersistentVolumeClaim>, 'metadata'> & { readonly metadata?: Partial<PersistentVolumeClaim['metadata']> };

function claim(name: string, { metadata = {}, spec = {}, status = {} }: Claim = {}): PersistentVolumeClaim {
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace: 'default', ...metadata }, spec, status };
}

const bound = (name: string, volumeName: string): PersistentVolumeClaim =>
  claim(name, {
    metadata: { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
    spec: { volumeName },
    status: { phase: 'Bound' },
  });

const onHost = (name: string, host: string): PersistentVolume => {
  const matchExpressions = [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host] }];
  const spec = { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } } };
  return { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec };
};

const late: StorageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'late' },
  provisioner: 'x',
  volumeBindingMode: 'WaitForFirstConsumer',
};

const byHand: StorageClass = { ...late, metadata: { name: 'by-hand' }, provisioner: 'kubernetes.io/no-provisioner' };

const waiting = (name: string, storageClassName = 'late', annotations?: Record<string, string>): PersistentVolumeClaim =>
  claim(name, { metadata: { uid: name, ...(annotations ? { annotations } : {}) }, spec: { storageClassName } });

const free = (name: string, host: string, storageClassName = 'late'): PersistentVolume => {
  const volume = onHost(name, host);
  return { ...volume, spec: { ...volume.spec, storageClassName }, status: { phase: 'Available' } };
};

function pod(...volumes: readonly Omit<Volume, 'name'>[]): Pod {
  const named = volumes.map((volume, i) => ({ name: `v${i}`, ...volume }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'p-1' },
    spec: { containers: [], volumes: named },
  };
}

const uses = (claimName: string): Omit<Volume, 'name'> => ({ persistentVolumeClaim: { claimName } });
const makes: Omit<Volume, 'name'> = { ephemeral: { volumeClaimTemplate: { spec: {} } } };

/** The node that is chosen of w1 and w2, or the FailedScheduling message. */
function where(
  p: Pod,
  claims: readonly PersistentVolumeClaim[] = [],
  volumes: readonly PersistentVolume[] = [],
  nodes = ['w1', 'w2'],
): string {
  const cluster = new Cluster();
  for (const name of nodes) {
    const metadata = { name, labels: { 'kubernetes.io/hostname': name } };
    cluster.setNode({ apiVersion: 'v1', kind: 'Node', metadata, status: { allocatable: { pods: '110' } } } as Node);
  }
  cluster.storage = {
    claims: new Map(claims.map((c) => [objectKey(c), c])),
    volumes: new Map(volumes.map((v) => [objectKey(v), v])),
    classes: new Map([late, byHand].map((c) => [c.metadata.name, c])),
  };
  const choice = choose(p, cluster, defaultProfile, 0, 0);
  return choice.kind === 'node' ? choice.name : refusalMessage(choice, nodes.length);
}

const all = (reason: string): string => `0/2 nodes are available: ${reason}.`;

describe('a pod with claims', () => {
  const cases: [string, string, string][] = [
    ['waits for one that is not there', where(pod(uses('data'))), all('persistentvolumeclaim "data" not found')],
    ['waits for one that is unbound', where(pod(uses('data')), [claim('data')]), all('pod has unbound immediate PersistentVolumeClaims')],
    [
      'takes the name of a volume for no binding',
      where(pod(uses('data')), [claim('data', { spec: { volumeName: 'pv' } })], [onHost('pv', 'w1')]),
      all('pod has unbound immediate PersistentVolumeClaims'),
    ],
    [
      'waits for one that waits for it, as no node has a volume for it',
      where(pod(uses('data')), [waiting('data', 'by-hand')]),
      all("2 node(s) didn't find available persistent volumes to bind"),
    ],
    [
      'goes anywhere where a volume is made where there is none',
      where(pod(uses('data')), [waiting('data')], [free('pv', 'w2', 'late')]),
      'w1',
    ],
    ['…and nowhere else, where none is made', where(pod(uses('data')), [waiting('data', 'by-hand')], [free('pv', 'w2', 'by-hand')]), 'w2'],
    ['goes where a volume is to be made', where(pod(uses('data')), [waiting('data', 'late', { [selectedNode]: 'w2' })]), 'w2'],
    [
      'waits for one whose volume is made for a node that is not there',
      where(pod(uses('data')), [waiting('data', 'late', { [selectedNode]: 'w3' })]),
      all("2 node(s) didn't find available persistent volumes to bind"),
    ],
    [
      'goes where there are volumes for all that wait for it',
      where(
        pod(uses('a'), uses('b')),
        [waiting('a', 'by-hand'), waiting('b', 'by-hand')],
        [free('1', 'w1', 'by-hand'), free('2', 'w2', 'by-hand'), free('3', 'w2', 'by-hand')],
      ),
      'w2',
    ],
    [
      'goes where what is bound is, whatever there is for what waits',
      where(pod(uses('a'), uses('b')), [bound('a', 'pv-a'), waiting('b', 'by-hand')], [onHost('pv-a', 'w1'), free('2', 'w2', 'by-hand')]),
      "0/2 nodes are available: 1 node(s) didn't find available persistent volumes to bind, 1 node(s) didn't match PersistentVolume's node affinity. w1: didn't find available persistent volumes to bind; w2: didn't match PersistentVolume's node affinity",
    ],
    [
      'waits for one that wishes for a volume, though its class waits',
      where(pod(uses('data')), [{ ...waiting('data'), spec: { storageClassName: 'late', volumeName: 'pv' } }], [free('pv', 'w1')]),
      all('pod has unbound immediate PersistentVolumeClaims'),
    ],
    [
      'does not take one that goes',
      where(pod(uses('data')), [
        { ...bound('data', 'pv'), metadata: { ...bound('data', 'pv').metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
      ]),
      all('persistentvolumeclaim "data" is being deleted'),
    ],
    [
      'does not take one whose volume is lost',
      where(pod(uses('data')), [claim('data', { spec: { volumeName: 'pv' }, status: { phase: 'Lost' } })]),
      all('persistentvolumeclaim "data" bound to non-existent persistentvolume "pv"'),
    ],
    ['goes where its volume is', where(pod(uses('data')), [bound('data', 'pv')], [onHost('pv', 'w2')]), 'w2'],
    [
      'goes nowhere when its volumes are apart',
      where(pod(uses('a'), uses('b')), [bound('a', 'pv-a'), bound('b', 'pv-b')], [onHost('pv-a', 'w1'), onHost('pv-b', 'w2')]),
      all("2 node(s) didn't match PersistentVolume's node affinity"),
    ],
    [
      'waits for all of them',
      where(pod(uses('a'), uses('b')), [bound('a', 'pv-a'), claim('b')], [onHost('pv-a', 'w1')]),
      all('pod has unbound immediate PersistentVolumeClaims'),
    ],
    [
      'waits for one that is made for it',
      where(pod(makes)),
      all('waiting for ephemeral volume controller to create the persistentvolumeclaim "p-v0"'),
    ],
    [
      'takes none in the place of one that is made for it',
      where(pod(makes), [claim('p-v0')]),
      all('PVC default/p-v0 was not created for pod default/p (pod is not owner)'),
    ],
    ['is told of nodes first when there are none', where(pod(uses('data')), [], [], []), 'no nodes available to schedule pods'],
    ['without them goes anywhere', where(pod({ emptyDir: {} })), 'w1'],
  ];
  for (const [name, got, want] of cases) test(name, () => assert.equal(got, want));

  test('that need a device waits', () => {
    const p = pod();
    p.spec!.resourceClaims = [{ name: 'gpu', resourceClaimName: 'gpu' }];
    assert.equal(where(p), all('2 cannot allocate all claims'));
  });
});
