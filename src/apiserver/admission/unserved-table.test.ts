/** What is told of which objects, line by line of the table. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import { person } from '../auth/testing/fake-objects.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { AdmissionRequest } from './admission.ts';
import { warnOfUnserved } from './unserved.ts';
import { type Doer, unserved } from './unserved-table.ts';

/** The first words of each message about the object, in a cluster that has the others. */
function told(resource: string, object: object, others: readonly object[] = [], foreign: readonly Doer[] = []): string[] {
  const list = ({ kind }: ResourceType): object[] => (others as KubeObject[]).filter((o) => o.kind === kind);
  const get = (type: ResourceType, name: string): object | undefined =>
    list(type).find((object) => (object as KubeObject).metadata.name === name);
  const plugin = warnOfUnserved({ lookup: { list, get } as unknown as Lookup, foreign, tell: () => {} });
  const [name, ...group] = resource.split('.');
  const warnings: string[] = [];
  const type = { resource: name, group: group.join('.') };
  void plugin.validate?.({
    ...{ operation: 'CREATE', row: { type }, subresource: '', user: person('jane'), warnings, old: undefined },
    object: { metadata: {}, ...object },
  } as unknown as AdmissionRequest);
  return warnings;
}

const podSpecs: Readonly<Record<string, readonly [at: string, wrap: (spec: object) => object]>> = {
  pods: ['spec', (spec) => ({ spec })],
  'deployments.apps': ['spec.template.spec', (spec) => ({ spec: { template: { spec } } })],
  'cronjobs.batch': ['spec.jobTemplate.spec.template.spec', (spec) => ({ spec: { jobTemplate: { spec: { template: { spec } } } } })],
};

describe('what pods ask for in vain', () => {
  const secured = (securityContext: object): object[] => [
    { securityContext },
    { containers: [{ securityContext }] },
    { initContainers: [{ securityContext }] },
  ];
  const cases: readonly (readonly [words: string, doer: Doer, specs: readonly object[]])[] = [
    ['.topologySpreadConstraints: the scheduler', 'scheduler', [{ topologySpreadConstraints: [{}] }]],
    ['.resourceClaims: no part of this cluster allocates devices', 'scheduler', [{ resourceClaims: [{}] }]],
    ['.workloadRef: the scheduler places each pod by itself', 'scheduler', [{ workloadRef: { name: 'w' } }]],
    [
      '.volumes: no part of this cluster makes the claims of ephemeral',
      'controller-manager',
      [{ volumes: [{ name: 'v', ephemeral: {} }] }],
    ],
    [
      '.volumes: Fairlead’s kubelet mounts none of other systems',
      'node',
      [{ volumes: [{ name: 'v', nfs: {} }] }, { volumes: [{ name: 'v', csi: {} }] }],
    ],
    ['.hostUsers: Fairlead’s kubelet makes no user namespaces', 'node', [{ hostUsers: false }]],
    ['.setHostnameAsFQDN: Fairlead’s kubelet sets the short', 'node', [{ setHostnameAsFQDN: true }]],
    [': Fairlead’s kubelet passes no appArmorProfile on', 'node', secured({ appArmorProfile: {} })],
    [': Fairlead’s kubelet passes no seLinuxOptions on', 'node', secured({ seLinuxOptions: {} })],
    [': Fairlead’s kubelet passes no stopSignal on', 'node', [{ containers: [{ lifecycle: { stopSignal: 'SIGUSR1' } }] }]],
  ];
  for (const [words, doer, specs] of cases)
    for (const [resource, [at, wrap]] of Object.entries(podSpecs))
      test(`is told of ${resource}: ${words}`, () => {
        for (const spec of specs) {
          const [message = '', ...others] = told(resource, wrap(spec));
          assert.ok(message.startsWith(`${at}${words.replace('’', "'")}`), message);
          assert.deepEqual([others, told(resource, wrap(spec), [], [doer])], [[], []]);
        }
      });

  test('is nothing of a pod that asks for nothing', () => {
    const known = ['hostPath', 'emptyDir', 'secret', 'configMap', 'downwardAPI', 'projected', 'persistentVolumeClaim'];
    const nothing = [
      {},
      { topologySpreadConstraints: [], resourceClaims: [], volumes: [], hostUsers: true, setHostnameAsFQDN: false },
      { volumes: known.map((kind) => ({ name: kind, [kind]: {} })), containers: [{ securityContext: {}, lifecycle: {} }] },
    ];
    for (const [resource, [, wrap]] of Object.entries(podSpecs))
      for (const spec of nothing) assert.deepEqual(told(resource, wrap(spec)), [], JSON.stringify(spec));
    assert.deepEqual(told('deployments.apps', {}), []);
  });

  test('is looked for in all that makes pods', () => {
    const of = unserved.filter(({ message }) => message.includes('workloadRef')).flatMap(({ resources }) => resources);
    assert.deepEqual(of.toSorted(), [
      ...['cronjobs.batch', 'daemonsets.apps', 'deployments.apps', 'jobs.batch', 'pods', 'replicasets.apps'],
      ...['replicationcontrollers', 'statefulsets.apps'],
    ]);
  });
});

describe('what is told of other objects', () => {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const cases: readonly (readonly [resource: string, doer: Doer, object: object, words: RegExp])[] = [
    ['networkpolicies.networking.k8s.io', 'node', {}, /enforces no NetworkPolicies/],
    ['ingresses.networking.k8s.io', 'node', {}, /no IngressClass of this cluster is for it/],
    ['services', 'node', { spec: { type: 'LoadBalancer' } }, /no load-balancer provider/],
    ['namespaces', 'apiserver', { metadata: { labels } }, /enforces no Pod Security Standards/],
    ['persistentvolumeclaims', 'node', { spec: { volumeMode: 'Block' } }, /no block devices/],
    ['persistentvolumes', 'node', { spec: { volumeMode: 'Block', local: {} } }, /no block devices/],
    ['persistentvolumes', 'node', { spec: { csi: {} } }, /mounts hostPath and local volumes only/],
    ['storageclasses.storage.k8s.io', 'controller-manager', { provisioner: 'kubernetes.io/gce-pd' }, /wait for volumes made by hand/],
    ['csidrivers.storage.k8s.io', 'node', {}, /calls no CSI drivers/],
    ['volumeattributesclasses.storage.k8s.io', 'controller-manager', {}, /changes volumes/],
    ['resourceclaims.resource.k8s.io', 'scheduler', {}, /allocates devices/],
    ['resourceclaimtemplates.resource.k8s.io', 'scheduler', {}, /allocates devices/],
    ['deviceclasses.resource.k8s.io', 'scheduler', {}, /allocates devices/],
  ];
  for (const [resource, doer, object, words] of cases)
    test(`of ${resource}, unless the ${doer} is somebody else's`, () => {
      const [message, ...others] = told(resource, object);
      assert.match(message ?? '', words);
      assert.deepEqual([others, told(resource, object, [], [doer])], [[], []]);
    });

  const provider = { kind: 'Service', status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } };
  const classOf = (name: string, annotations?: object): object => ({ kind: 'IngressClass', metadata: { name, annotations } });
  const isDefault = { 'ingressclass.kubernetes.io/is-default-class': 'true' };
  const silent: readonly (readonly [what: string, resource: string, object: object, others?: readonly object[]])[] = [
    ['a Service inside of the cluster', 'services', { spec: { type: 'ClusterIP' } }],
    ['a LoadBalancer beside one that has an address', 'services', { spec: { type: 'LoadBalancer' } }, [provider]],
    ['a privileged namespace', 'namespaces', { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } }],
    ['a namespace with other labels', 'namespaces', { metadata: { labels: { 'pod-security.kubernetes.io/enforce-version': 'v1' } } }],
    ['a StatefulSet with claims', 'statefulsets.apps', { spec: { volumeClaimTemplates: [{ metadata: { name: 'a' } }] } }],
    ['a claim', 'persistentvolumeclaims', { spec: { volumeMode: 'Filesystem' } }],
    ['a directory of a node', 'persistentvolumes', { spec: { hostPath: {} } }],
    ['a disk of a node', 'persistentvolumes', { spec: { local: {}, volumeMode: 'Filesystem' } }],
    ['a class of volumes made by hand', 'storageclasses.storage.k8s.io', { provisioner: 'kubernetes.io/no-provisioner' }],
    [
      'a class of a provisioner of others',
      'storageclasses.storage.k8s.io',
      { provisioner: 'x', volumeBindingMode: 'WaitForFirstConsumer' },
    ],
    ['an Ingress of a class that is there', 'ingresses.networking.k8s.io', { spec: { ingressClassName: 'n' } }, [classOf('n')]],
    [
      'an Ingress of a class by the older annotation',
      'ingresses.networking.k8s.io',
      { metadata: { annotations: { 'kubernetes.io/ingress.class': 'n' } } },
      [classOf('n')],
    ],
    [
      'a LoadBalancer where speakers have their key',
      'services',
      { spec: { type: 'LoadBalancer' } },
      [{ kind: 'Secret', metadata: { name: 'fairlead-speaker', namespace: 'kube-system' } }],
    ],
    ['an Ingress of the default class', 'ingresses.networking.k8s.io', {}, [classOf('n', isDefault)]],
  ];
  for (const [what, resource, object, others] of silent)
    test(`is nothing of ${what}`, () => assert.deepEqual(told(resource, object, others), []));

  test('is that the class of an Ingress is another one, or none by default', () => {
    for (const others of [[classOf('other')], [classOf('other', isDefault)]])
      assert.equal(told('ingresses.networking.k8s.io', { spec: { ingressClassName: 'n' } }, others).length, 1);
    assert.equal(told('ingresses.networking.k8s.io', {}, [classOf('n')]).length, 1);
  });
});
