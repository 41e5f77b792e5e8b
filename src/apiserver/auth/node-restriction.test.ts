import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node, Pod } from '../../api/schema/types.ts';
import { type NodeWrite, restrictNode } from './node-restriction.ts';
import { FakeObjects, kubelet, person, podOn } from './testing/fake-objects.ts';

const node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', uid: 'node-1', labels: { 'kubernetes.io/hostname': 'n1' } },
  spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] },
} as Node;
const tokens = [{ serviceAccountToken: { path: 'token' } }, { serviceAccountToken: { path: 'vault', audience: 'vault' } }];
const mine = podOn('n1', 'mine', { volumes: [{ name: 'tokens', projected: { sources: tokens } }] });
const plainPod = podOn('n1', 'plain');
const other = podOn('n2', 'other');
const objects = new FakeObjects(node, mine, other, plainPod);
const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'node-1', controller: true };
const mirror = podOn('n1', 'static', {}, { annotations: { 'kubernetes.io/config.mirror': 'x' }, ownerReferences: [owner] });

function write(what: Partial<NodeWrite>): NodeWrite {
  return {
    user: kubelet('n1'),
    operation: 'UPDATE',
    group: '',
    resource: 'pods',
    subresource: '',
    namespace: 'default',
    name: '',
    object: undefined,
    old: undefined,
    ...what,
  };
}

function changed(object: Node, metadata: Partial<Node['metadata']>, spec: Partial<NonNullable<Node['spec']>> = {}): Node {
  return { ...object, metadata: { ...object.metadata, ...metadata }, spec: { ...object.spec, ...spec } } as Node;
}

const token = (reference: object, audiences?: readonly string[]): Partial<NodeWrite> => ({
  operation: 'CREATE',
  resource: 'serviceaccounts',
  subresource: 'token',
  name: 'web',
  object: { spec: { boundObjectRef: reference, ...(audiences ? { audiences } : {}) } },
});
const lease = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-node-lease' };
const create = (pod: Pod): Partial<NodeWrite> => ({ operation: 'CREATE', object: pod, name: pod.metadata.name });

const claim = { metadata: { name: 'data', namespace: 'default' }, spec: {}, status: { phase: 'Bound' } };
const claimStatus = (object: object): Partial<NodeWrite> => ({
  resource: 'persistentvolumeclaims',
  subresource: 'status',
  name: 'data',
  old: claim,
  object,
});

/** All that names another object; whatever the authorizer would let a kubelet read for its pods must be among them. */
const references: readonly [string, Partial<NonNullable<Pod['spec']>>, string][] = [
  ['a ServiceAccount', { serviceAccountName: 'x' }, 'a service account'],
  ['a secret to pull its image with', { imagePullSecrets: [{ name: 's' }] }, 'secrets'],
  [
    'a secret in its environment',
    { containers: [{ name: 'c', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] }] },
    'secrets',
  ],
  ['a secret as environment of an init container', { initContainers: [{ name: 'c', envFrom: [{ secretRef: { name: 's' } }] }] }, 'secrets'],
  ['a ConfigMap in its environment', { containers: [{ name: 'c', envFrom: [{ configMapRef: { name: 'c' } }] }] }, 'configmaps'],
  ['a resource claim', { resourceClaims: [{ name: 'gpu', resourceClaimName: 'mine' }] }, 'resourceclaims'],
  ...(
    [
      ['a secret', { secret: { secretName: 's' } }, 'secrets'],
      ['a ConfigMap', { configMap: { name: 'c' } }, 'configmaps'],
      ['a claim', { persistentVolumeClaim: { claimName: 'p' } }, 'persistentvolumeclaims'],
      ['a claim to be made', { ephemeral: { volumeClaimTemplate: { spec: {} } } }, 'persistentvolumeclaims'],
      ['a secret of a CSI driver', { csi: { driver: 'd', nodePublishSecretRef: { name: 's' } } }, 'secrets'],
      ['a secret of Azure', { azureFile: { secretName: 's', shareName: 'x' } }, 'secrets'],
      ['a secret of CephFS', { cephfs: { monitors: [], secretRef: { name: 's' } } }, 'secrets'],
      ['a secret of Cinder', { cinder: { volumeID: 'v', secretRef: { name: 's' } } }, 'secrets'],
      ['a secret of a flexible volume', { flexVolume: { driver: 'd', secretRef: { name: 's' } } }, 'secrets'],
      ['a secret of RBD', { rbd: { monitors: [], image: 'i', secretRef: { name: 's' } } }, 'secrets'],
      ['a secret of iSCSI', { iscsi: { targetPortal: 't', iqn: 'i', lun: 0, secretRef: { name: 's' } } }, 'secrets'],
      ['a secret of ScaleIO', { scaleIO: { gateway: 'g', system: 's', secretRef: { name: 's' } } }, 'secrets'],
      ['a secret of StorageOS', { storageos: { secretRef: { name: 's' } } }, 'secrets'],
      ['a projected secret', { projected: { sources: [{ secret: { name: 's' } }] } }, 'secrets'],
      ['a projected ConfigMap', { projected: { sources: [{ configMap: { name: 'c' } }] } }, 'configmaps'],
      ['a projected token', { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }, 'a service account'],
      ['a trust bundle', { projected: { sources: [{ clusterTrustBundle: { name: 'b', path: 'b' } }] } }, 'clustertrustbundles'],
    ] as const
  ).map(([name, source, kind]): [string, Partial<NonNullable<Pod['spec']>>, string] => [
    `a volume with ${name}`,
    { volumes: [{ name: 'v', ...source } as NonNullable<NonNullable<Pod['spec']>['volumes']>[number]] },
    kind,
  ]),
];

describe('a mirror pod', () => {
  for (const [name, spec, kind] of references)
    test(`may not name ${name}`, () => {
      const pod = { ...mirror, spec: { ...mirror.spec!, ...spec } } as Pod;
      assert.equal(restrictNode(write(create(pod)), objects), `node "n1" can not create pods that reference ${kind}`);
    });

  test('may have what it brings itself: the downward API, directories of the node', () => {
    const sources = [{ downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } }];
    const volumes = [
      { name: 'v', projected: { sources } },
      { name: 'h', hostPath: { path: '/etc' } },
    ];
    assert.equal(restrictNode(write(create({ ...mirror, spec: { ...mirror.spec!, volumes } } as Pod)), objects), undefined);
  });
});

describe('restrictNode()', () => {
  const allowed: [string, Partial<NodeWrite>][] = [
    ['others write what they like', { ...create(other), user: person('jane') }],
    ['a node creates its mirror pod', create(mirror)],
    ['a node updates the status of its pod', { subresource: 'status', name: 'mine', object: mine, old: mine }],
    ['a node deletes its pod', { operation: 'DELETE', name: 'mine', old: mine }],
    ['a node evicts its pod', { operation: 'CREATE', subresource: 'eviction', name: 'mine', object: {} }],
    ['a node creates its Node', { operation: 'CREATE', resource: 'nodes', name: 'n1', object: node }],
    [
      'a node sets topology and its own labels',
      {
        resource: 'nodes',
        name: 'n1',
        old: node,
        object: changed(node, {
          labels: { ...node.metadata.labels, 'topology.kubernetes.io/zone': 'a', mine: 'x', 'node.kubernetes.io/foo': 'x' },
        }),
      },
    ],
    ['a node updates its status', { resource: 'nodes', subresource: 'status', name: 'n1', old: node, object: node }],
    ['a node gets a token bound to its pod', token({ kind: 'Pod', apiVersion: 'v1', name: 'mine', uid: 'uid-mine' })],
    ['…and for an audience that the pod names', token({ kind: 'Pod', apiVersion: 'v1', name: 'mine', uid: 'uid-mine' }, ['vault'])],
    ['a node tells of a claim’s size', claimStatus({ ...claim, status: { phase: 'Bound', capacity: { storage: '2Gi' } } })],
    ['a node renews its Lease', { ...lease, name: 'n1', object: { metadata: { name: 'n1' } } }],
  ];
  for (const [name, what] of allowed) test(name, () => assert.equal(restrictNode(write(what), objects), undefined));

  const plain = podOn('n1', 'static', {}, { ownerReferences: [owner] });
  const refused: [string, Partial<NodeWrite>, RegExp][] = [
    ['creates no pod but a mirror pod', create(plain), /can only create mirror pods/],
    [
      'creates no mirror pod on another node',
      create({ ...mirror, spec: { ...mirror.spec!, nodeName: 'n2' } }),
      /spec.nodeName set to itself/,
    ],
    [
      'creates no mirror pod without its Node as owner',
      create({ ...mirror, metadata: { ...mirror.metadata, ownerReferences: [] } }),
      /owner reference/,
    ],
    [
      'creates no mirror pod of an earlier Node',
      create({ ...mirror, metadata: { ...mirror.metadata, ownerReferences: [{ ...owner, uid: 'old' }] } }),
      /UID mismatch/,
    ],
    [
      'replaces no pod, not even its own',
      { operation: 'UPDATE', name: 'mine', old: mine, object: mine },
      /unexpected operation "UPDATE", node "n1" can only create and delete mirror pods/,
    ],
    [
      'updates no status of another node’s pod',
      { subresource: 'status', name: 'other', object: other, old: other },
      /can only update pod status/,
    ],
    [
      'changes no labels of its pod',
      { subresource: 'status', name: 'mine', object: podOn('n1', 'mine', {}, { labels: { a: 'b' } }), old: mine },
      /node "n1" cannot update labels through pod status/,
    ],
    [
      'answers no resource claim of its pod',
      { subresource: 'status', name: 'mine', object: { ...mine, status: { resourceClaimStatuses: [{ name: 'gpu' }] } }, old: mine },
      /cannot update resource claim statuses/,
    ],
    ['writes no claim', { resource: 'persistentvolumeclaims', name: 'data', old: claim, object: claim }, /may only update PVC status/],
    [
      'relabels no claim by its status',
      claimStatus({ ...claim, metadata: { ...claim.metadata, labels: { a: 'b' } } }),
      /not allowed to update fields other than status.capacity and status.conditions/,
    ],
    ['is nobody without a name', { ...create(mirror), user: kubelet('') }, /could not determine node from user "system:node:"/],
    ['deletes no other pod', { operation: 'DELETE', name: 'other', old: other }, /can only delete pods/],
    ['evicts no other pod', { operation: 'CREATE', subresource: 'eviction', name: 'other', object: {} }, /can only delete pods/],
    [
      'creates no other Node',
      { operation: 'CREATE', resource: 'nodes', name: 'n2', object: changed(node, { name: 'n2' }) },
      /not allowed to modify node "n2"/,
    ],
    [
      'updates no other Node',
      { resource: 'nodes', subresource: 'status', name: 'n2', old: node, object: node },
      /not allowed to modify node "n2"/,
    ],
    ['deletes no Node', { operation: 'DELETE', resource: 'nodes', name: 'n1', old: node }, /not allowed to delete/],
    ['removes no taint', { resource: 'nodes', name: 'n1', old: node, object: changed(node, {}, { taints: [] }) }, /modify taints/],
    [
      'sets no label that isolates nodes',
      {
        resource: 'nodes',
        name: 'n1',
        old: node,
        object: changed(node, { labels: { 'x.node-restriction.kubernetes.io/y': 'z', 'kubernetes.io/hostname': 'n1' } }),
      },
      /modify labels: x.node-restriction/,
    ],
    [
      'takes no role',
      {
        operation: 'CREATE',
        resource: 'nodes',
        name: 'n1',
        object: changed(node, { labels: { 'node-role.kubernetes.io/control-plane': '' } }),
      },
      /following labels: node-role/,
    ],
    ['gets no token without a pod', token({}), /not bound to a pod/],
    [
      'gets no token for a pod of another node',
      token({ kind: 'Pod', apiVersion: 'v1', name: 'other', uid: 'uid-other' }),
      /different node/,
    ],
    [
      'gets no token for an audience that its pod does not name',
      token({ kind: 'Pod', apiVersion: 'v1', name: 'mine', uid: 'uid-mine' }, ['bank']),
      /audience "bank" not found/,
    ],
    [
      'gets no token for several audiences',
      token({ kind: 'Pod', apiVersion: 'v1', name: 'mine', uid: 'uid-mine' }, ['vault', 'bank']),
      /0 or 1 audiences/,
    ],
    [
      'gets no token for a pod that wants none',
      token({ kind: 'Pod', apiVersion: 'v1', name: 'plain', uid: 'uid-plain' }),
      /audience "" not found/,
    ],
    ['gets no token without the pod’s uid', token({ kind: 'Pod', apiVersion: 'v1', name: 'mine' }), /without a uid/],
    ['renews no other Lease', { ...lease, name: 'n2' }, /same name/],
  ];
  for (const [name, what, message] of refused)
    test(`a node ${name}`, () => assert.match(restrictNode(write(what), objects) ?? 'allowed', message));
});
