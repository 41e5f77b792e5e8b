import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../testing/test-server.ts';
import { unserved } from './unserved-table.ts';

const inDefault = (resource: string): string => `/api/v1/namespaces/default/${resource}`;
const merge = { type: 'application/merge-patch+json' };
const containers = [{ name: 'c', image: 'i' }];
const template = (spec: object = {}): object => ({ metadata: { labels: { a: 'b' } }, spec: { containers, ...spec } });
const selector = { matchLabels: { a: 'b' } };
const constraint = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: selector };
const spread = { topologySpreadConstraints: [constraint] };
const apps = '/apis/apps/v1/namespaces/default';
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const workload = (name: string, spec: object): object => ({ metadata: { name }, spec: { selector, template: template(spec) } });
const spreads = (at: string): RegExp =>
  new RegExp(`^${at.replaceAll('.', '\\.')}\\.topologySpreadConstraints: the scheduler does not look at them`);

interface Case {
  readonly path: string;
  readonly object: { readonly metadata: object };
  readonly says: RegExp;
}
const one = (path: string, object: object, says: RegExp): Case => ({ path, object: { metadata: { name: 'one' }, ...object }, says });

const cases: Readonly<Record<string, Case>> = {
  NetworkPolicy: one(
    '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies',
    { spec: { podSelector: {} } },
    /it restricts no traffic/,
  ),
  'Ingress without a class': one(
    '/apis/networking.k8s.io/v1/namespaces/default/ingresses',
    { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
    /it leads no traffic anywhere/,
  ),
  'LoadBalancer without a provider': one(
    inDefault('services'),
    { spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } },
    /stays <pending>/,
  ),
  'Pod Security labels': one(
    '/api/v1/namespaces',
    { metadata: { name: 'one', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
    /no Pod Security Standards/,
  ),
  PersistentVolumeClaim: one(inDefault('persistentvolumeclaims'), { spec: { ...claimSpec, volumeMode: 'Block' } }, /no block devices/),
  PersistentVolume: one(
    '/api/v1/persistentvolumes',
    { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], nfs: { server: 's', path: '/x' } } },
    /mounts hostPath and local volumes only/,
  ),
  StorageClass: one('/apis/storage.k8s.io/v1/storageclasses', { provisioner: 'kubernetes.io/gce-pd' }, /wait for volumes made by hand/),
  CSIDriver: one('/apis/storage.k8s.io/v1/csidrivers', { spec: {} }, /calls no CSI drivers/),
  VolumeAttributesClass: one(
    '/apis/storage.k8s.io/v1/volumeattributesclasses',
    { driverName: 'x', parameters: { a: 'b' } },
    /only gets volumes that have it/,
  ),
  ResourceClaim: one('/apis/resource.k8s.io/v1/namespaces/default/resourceclaims', { spec: {} }, /allocates devices/),
  ResourceClaimTemplate: one(
    '/apis/resource.k8s.io/v1/namespaces/default/resourceclaimtemplates',
    { spec: { spec: {} } },
    /allocates devices/,
  ),
  DeviceClass: one('/apis/resource.k8s.io/v1/deviceclasses', { spec: {} }, /allocates devices/),
  'topology spread of a pod': one(inDefault('pods'), { metadata: { name: 'spread' }, spec: { containers, ...spread } }, spreads('spec')),
  'topology spread of a Deployment': one(`${apps}/deployments`, workload('one', spread), spreads('spec.template.spec')),
  'topology spread of a ReplicaSet': one(`${apps}/replicasets`, workload('one', spread), spreads('spec.template.spec')),
  'topology spread of a DaemonSet': one(`${apps}/daemonsets`, workload('one', spread), spreads('spec.template.spec')),
  'topology spread of a StatefulSet': one(
    `${apps}/statefulsets`,
    { metadata: { name: 'spread' }, spec: { serviceName: 's', selector, template: template(spread) } },
    spreads('spec.template.spec'),
  ),
  'topology spread of a ReplicationController': one(
    inDefault('replicationcontrollers'),
    { spec: { selector: { a: 'b' }, template: template(spread) } },
    spreads('spec.template.spec'),
  ),
  'topology spread of a Job': one(
    '/apis/batch/v1/namespaces/default/jobs',
    { spec: { template: { spec: { containers, restartPolicy: 'Never', ...spread } } } },
    spreads('spec.template.spec'),
  ),
  'topology spread of a CronJob': one(
    '/apis/batch/v1/namespaces/default/cronjobs',
    { spec: { schedule: '0 0 * * *', jobTemplate: { spec: { template: { spec: { containers, restartPolicy: 'Never', ...spread } } } } } },
    spreads('spec.jobTemplate.spec.template.spec'),
  ),
  'resource claims of a pod': one(
    inDefault('pods'),
    { metadata: { name: 'devices' }, spec: { containers, resourceClaims: [{ name: 'gpu', resourceClaimName: 'gpu' }] } },
    /^spec\.resourceClaims: no part of this cluster allocates devices/,
  ),
  'ephemeral volume of a pod': one(
    inDefault('pods'),
    {
      metadata: { name: 'scratch' },
      spec: { containers, volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: claimSpec } } }] },
    },
    /^spec\.volumes: no part of this cluster makes the claims/,
  ),
  'volume of a file server in a Deployment': one(
    `${apps}/deployments`,
    workload('shared', { volumes: [{ name: 'v', nfs: { server: 'files.example', path: '/' } }] }),
    /^spec\.template\.spec\.volumes: Fairlead's kubelet mounts none/,
  ),
  'volume of a driver in a pod, beside some of the node': one(
    inDefault('pods'),
    {
      metadata: { name: 'driver' },
      spec: {
        containers,
        volumes: [
          { name: 'a', emptyDir: {} },
          { name: 'b', csi: { driver: 'example.com' } },
          { name: 'c', hostPath: { path: '/' } },
        ],
      },
    },
    /^spec\.volumes: Fairlead's kubelet mounts none/,
  ),
  'user namespace of a pod': one(
    inDefault('pods'),
    { metadata: { name: 'users' }, spec: { containers, hostUsers: false } },
    /^spec\.hostUsers: /,
  ),
  'host name of a pod': one(
    inDefault('pods'),
    { metadata: { name: 'fqdn' }, spec: { containers, setHostnameAsFQDN: true } },
    /^spec\.setHostnameAsFQDN: /,
  ),
  'AppArmor profile of a container': one(
    inDefault('pods'),
    {
      metadata: { name: 'armor' },
      spec: { containers: [{ ...containers[0], securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }] },
    },
    /^spec: Fairlead's kubelet passes no appArmorProfile on/,
  ),
  'SELinux options of a pod': one(
    inDefault('pods'),
    { metadata: { name: 'selinux' }, spec: { containers, securityContext: { seLinuxOptions: { level: 's0' } } } },
    /^spec: Fairlead's kubelet passes no seLinuxOptions on/,
  ),
  'signal that ends a container': one(
    inDefault('pods'),
    {
      metadata: { name: 'signal' },
      spec: { os: { name: 'linux' }, containers: [{ ...containers[0], lifecycle: { stopSignal: 'SIGUSR1' } }] },
    },
    /^spec: Fairlead's kubelet passes no stopSignal on/,
  ),
};

/** Lines that the cases above leave out: a workload needs its own kind. */
const elsewhere = [/\.workloadRef: /];

function warningsOf(header: unknown): string[] {
  const all = [header ?? []].flat().join(', ');
  return [...all.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map((m) => (m[1] ?? '').replaceAll(/\\(.)/g, '$1'));
}

describe('an object that nobody acts on', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', inDefault('serviceaccounts'), { metadata: { name: 'default' } });
  });
  after(() => s.stop());

  /** The messages of our Events about an object; waits until there are `count`. */
  async function told(kind: string, name: string, count: number): Promise<string[]> {
    const deadline = Date.now() + 90_000;
    for (;;) {
      const { body } = await s.call('GET', `/api/v1/events?fieldSelector=involvedObject.kind=${kind},involvedObject.name=${name}`);
      const found = body.items.filter((e: { reason: string }) => e.reason === 'NotServed');
      if (found.length >= count || Date.now() > deadline) return found.map((e: { message: string }) => e.message);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  for (const [name, { path, object, says }] of Object.entries(cases))
    test(`is named once in a warning and in an Event: ${name}`, async () => {
      const made = await s.call('POST', path, object);
      assert.equal(made.status, 201, made.text);
      const warnings = warningsOf(made.headers.warning);
      assert.equal(warnings.filter((w) => says.test(w)).length, 1, JSON.stringify(warnings));
      assert.deepEqual(await told(made.body.kind, made.body.metadata.name, 1), [warnings.join('; ')]);
    });

  test('has its line in one table, and every line an object above', () => {
    // A field of pods has a line for each kind that makes pods; one of them will do.
    const field = (message: string): string => message.replace(/^spec\.(jobTemplate\.spec\.)?template\.spec/, 'spec');
    const shown = new Set(
      unserved.filter(({ message }) => Object.values(cases).some(({ says }) => says.test(message))).map((line) => field(line.message)),
    );
    const left = unserved.filter(({ message }) => !shown.has(field(message)) && !elsewhere.some((words) => words.test(message)));
    assert.deepEqual(
      left.map((line) => line.message),
      [],
    );
  });

  test('is warned of in a dry run too, without an Event', async () => {
    const object = { metadata: { name: 'dry' }, spec: { podSelector: {} } };
    const made = await s.call('POST', '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies?dryRun=All', object);
    assert.equal(warningsOf(made.headers.warning).length, 1);
    await s.call('POST', inDefault('persistentvolumeclaims'), { metadata: { name: 'dry' }, spec: { ...claimSpec, volumeMode: 'Block' } });
    // Told in the order of the writes: the Event of the second is there, so the first has none.
    await told('PersistentVolumeClaim', 'dry', 1);
    assert.deepEqual(await told('NetworkPolicy', 'dry', 0), []);
  });

  test('is told again only when what is left undone changes', async () => {
    const path = `${apps}/deployments`;
    const quiet = await s.call('POST', path, workload('later', {}));
    assert.deepEqual(warningsOf(quiet.headers.warning), []);
    const patch = (body: object, sub = '') => s.call('PATCH', `${path}/later${sub}`, body, merge);
    const added = await patch({ spec: { template: { spec: spread } } });
    assert.equal(warningsOf(added.headers.warning).length, 1);
    for (const same of [
      await patch({ metadata: { labels: { a: 'b' } } }),
      await patch({ spec: { replicas: 3 } }),
      await patch({ status: { replicas: 1 } }, '/status'),
      await s.call('PUT', `${path}/later`, (await s.call('GET', `${path}/later`)).body),
    ])
      assert.deepEqual([same.status, warningsOf(same.headers.warning)], [200, []]);
    assert.equal((await told('Deployment', 'later', 1)).length, 1);
    const more = await patch({
      spec: { template: { spec: { topologySpreadConstraints: [constraint, { ...constraint, topologyKey: 'host' }] } } },
    });
    assert.equal(warningsOf(more.headers.warning).length, 1);
  });

  test('is not told to controllers and nodes, nor of what a controller owns', async () => {
    const controllers = s.agent(await s.pki.client('system:kube-controller-manager'));
    const claim = { metadata: { name: 'data-db-0' }, spec: { ...claimSpec, volumeMode: 'Block' } };
    await s.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'all' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'system:kube-controller-manager' }],
    });
    const made = await s.call('POST', inDefault('persistentvolumeclaims'), claim, { agent: controllers });
    assert.deepEqual([made.status, warningsOf(made.headers.warning)], [201, []]);
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u', controller: true };
    const pod = { metadata: { name: 'owned', ownerReferences: [owner] }, spec: { containers, ...spread } };
    assert.deepEqual(warningsOf((await s.call('POST', inDefault('pods'), pod)).headers.warning), []);
  });

  test('is none once its part shows itself: a class with a controller, an address from a provider', async () => {
    await s.call('POST', '/apis/networking.k8s.io/v1/ingressclasses', {
      metadata: { name: 'nginx' },
      spec: { controller: 'example.com/nginx' },
    });
    const spec = { ingressClassName: 'nginx', defaultBackend: { service: { name: 's', port: { number: 80 } } } };
    const ingress = await s.call('POST', '/apis/networking.k8s.io/v1/namespaces/default/ingresses', { metadata: { name: 'served' }, spec });
    assert.deepEqual([ingress.status, warningsOf(ingress.headers.warning)], [201, []]);
    const key = { metadata: { name: 'fairlead-speaker' } };
    assert.equal((await s.call('POST', '/api/v1/namespaces/kube-system/secrets', key)).status, 201);
    const early = { metadata: { name: 'early' }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } };
    assert.deepEqual(warningsOf((await s.call('POST', inDefault('services'), early)).headers.warning), []);
    assert.equal((await s.call('DELETE', '/api/v1/namespaces/kube-system/secrets/fairlead-speaker')).status, 200);
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.80' }] } };
    assert.equal((await s.call('PATCH', `${inDefault('services')}/one/status`, { status }, merge)).status, 200);
    const balanced = { metadata: { name: 'two' }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } };
    const service = await s.call('POST', inDefault('services'), balanced);
    assert.deepEqual([service.status, warningsOf(service.headers.warning)], [201, []]);
  });
});

describe('beside a controller manager and a scheduler of others', () => {
  test('nobody is warned of what these may do, but of what the API server does not', async () => {
    const s = await TestServer.start(undefined, { foreign: ['controller-manager', 'scheduler'] });
    try {
      for (const name of ['VolumeAttributesClass', 'topology spread of a Deployment']) {
        const { path, object } = cases[name]!;
        const made = await s.call('POST', path, object);
        assert.deepEqual([made.status, warningsOf(made.headers.warning)], [201, []], name);
      }
      const { path, object } = cases['Pod Security labels']!;
      assert.equal(warningsOf((await s.call('POST', path, object)).headers.warning).length, 1);
    } finally {
      await s.stop();
    }
  });
});
