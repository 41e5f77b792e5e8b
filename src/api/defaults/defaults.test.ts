import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry, rows } from '../registry/registry.ts';
import type { KubeObject } from '../resource-types.ts';
import { defaultPullPolicy } from './image-tag.ts';
import { qosClassOf } from './qos-class.ts';

const registry = new Registry();

function defaulted(apiVersion: string, kind: string, rest: object): Record<string, unknown> {
  const object = { apiVersion, kind, metadata: { name: 'web' }, ...rest } as KubeObject;
  const row = registry.rowOfKind(apiVersion, kind)!;
  row.applyDefaults(object);
  const once = structuredClone(object);
  row.applyDefaults(object);
  assert.deepEqual(object, once, 'defaulting again changes nothing');
  return object as unknown as Record<string, unknown>;
}

const container = {
  name: 'a',
  image: 'box:1',
  imagePullPolicy: 'IfNotPresent',
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  resources: {},
};
const podSpec = {
  dnsPolicy: 'ClusterFirst',
  restartPolicy: 'Always',
  securityContext: {},
  terminationGracePeriodSeconds: 30,
  schedulerName: 'default-scheduler',
};

test('a pod gets what upstream gives it', () => {
  const pod = defaulted('v1', 'Pod', { spec: { containers: [{ name: 'a', image: 'box:1', ports: [{ containerPort: 80 }] }] } });
  assert.deepEqual(pod.spec, {
    ...podSpec,
    enableServiceLinks: true,
    containers: [{ ...container, ports: [{ containerPort: 80, protocol: 'TCP' }] }],
  });
});

test('a template gets the same, but neither service links nor requests', () => {
  const limits = { cpu: '1' };
  const { spec } = defaulted('apps/v1', 'Deployment', {
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { spec: { containers: [{ name: 'a', image: 'box:1', resources: { limits } }] } },
    },
  });
  assert.deepEqual(spec, {
    replicas: 1,
    selector: { matchLabels: { a: 'b' } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    template: { spec: { ...podSpec, containers: [{ ...container, resources: { limits } }] } },
  });
});

test('a pod on the network of its node takes the ports of the node', () => {
  const { spec } = defaulted('v1', 'Pod', {
    spec: { hostNetwork: true, containers: [{ name: 'a', image: 'b', ports: [{ containerPort: 53 }] }] },
  });
  assert.deepEqual((spec as { containers: { ports: unknown }[] }).containers[0]!.ports, [
    { containerPort: 53, hostPort: 53, protocol: 'TCP' },
  ]);
});

test('the old name of the service account follows the new one', () => {
  const { spec } = defaulted('v1', 'Pod', { spec: { serviceAccount: 'dns', containers: [] } });
  assert.equal((spec as { serviceAccountName: string }).serviceAccountName, 'dns');
});

test('probes and volumes are completed', () => {
  const { spec } = defaulted('v1', 'Pod', {
    spec: {
      containers: [{ name: 'a', image: 'b', readinessProbe: { httpGet: { port: 80 } } }],
      volumes: [
        { name: 'scratch' },
        { name: 'config', configMap: { name: 'x' } },
        { name: 'host', hostPath: { path: '/x' } },
        {
          name: 'token',
          projected: {
            sources: [
              { serviceAccountToken: { path: 'token' } },
              { downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath: 'metadata.name' } }] } },
              { downwardAPI: { items: [{ path: 'q', resourceFieldRef: { resource: 'limits.cpu' } }] } },
            ],
          },
        },
      ],
    },
  });
  const { containers, volumes } = spec as { containers: { readinessProbe: unknown }[]; volumes: unknown };
  assert.deepEqual(containers[0]!.readinessProbe, {
    httpGet: { port: 80, path: '/', scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  assert.deepEqual(volumes, [
    { name: 'scratch', emptyDir: {} },
    { name: 'config', configMap: { name: 'x', defaultMode: 420 } },
    { name: 'host', hostPath: { path: '/x', type: '' } },
    {
      name: 'token',
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
          { downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath: 'metadata.name', apiVersion: 'v1' } }] } },
          { downwardAPI: { items: [{ path: 'q', resourceFieldRef: { resource: 'limits.cpu', divisor: '0' } }] } },
        ],
      },
    },
  ]);
});

test('an image is pulled always when its tag is latest', () => {
  const cases: readonly [string, string][] = [
    ['box', 'Always'],
    ['box:latest', 'Always'],
    ['box:1', 'IfNotPresent'],
    ['registry.example.com:5000/team/box', 'Always'],
    ['registry.example.com:5000/team/box:2', 'IfNotPresent'],
    ['box@sha256:0123456789abcdef', 'IfNotPresent'],
    ['box:latest@sha256:0123456789abcdef', 'Always'],
    ['', 'Always'],
  ];
  for (const [image, policy] of cases) assert.equal(defaultPullPolicy(image), policy, image);
});

test('a Service gets what upstream gives it', () => {
  assert.deepEqual(defaulted('v1', 'Service', { spec: { ports: [{ port: 80 }] } }).spec, {
    type: 'ClusterIP',
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
  });
  assert.deepEqual(
    defaulted('v1', 'Service', {
      spec: { type: 'LoadBalancer', sessionAffinity: 'ClientIP', ports: [{ port: 53, protocol: 'UDP', targetPort: 'dns' }] },
    }).spec,
    {
      type: 'LoadBalancer',
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
      ports: [{ port: 53, protocol: 'UDP', targetPort: 'dns' }],
    },
  );
  assert.deepEqual(defaulted('v1', 'Service', { spec: { type: 'ExternalName', externalName: 'example.com' } }).spec, {
    type: 'ExternalName',
    externalName: 'example.com',
    sessionAffinity: 'None',
  });
});

test('other kinds get what upstream gives them', () => {
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [] } };
  const cases: readonly [string, string, object, object][] = [
    ['v1', 'Secret', { stringData: { a: 'x' }, data: { a: 'b2xk', b: 'eQ==' } }, { data: { a: 'eA==', b: 'eQ==' }, type: 'Opaque' }],
    ['v1', 'Endpoints', { subsets: [{ ports: [{ port: 1 }] }] }, { subsets: [{ ports: [{ port: 1, protocol: 'TCP' }] }] }],
    ['discovery.k8s.io/v1', 'EndpointSlice', { ports: [{ port: 1 }] }, { ports: [{ port: 1, name: '', protocol: 'TCP' }] }],
    ['networking.k8s.io/v1', 'NetworkPolicy', { spec: { egress: [{}] } }, { spec: { egress: [{}], policyTypes: ['Ingress', 'Egress'] } }],
    [
      'apps/v1',
      'DaemonSet',
      { spec: { template } },
      {
        metadata: { name: 'web', annotations: { 'deprecated.daemonset.template.generation': '0' } },
        spec: {
          template: { metadata: { labels: { a: 'b' } }, spec: { ...podSpec, containers: [] } },
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
          revisionHistoryLimit: 10,
        },
      },
    ],
    [
      'rbac.authorization.k8s.io/v1',
      'RoleBinding',
      {
        roleRef: { kind: 'Role', name: 'x' },
        subjects: [
          { kind: 'User', name: 'ann' },
          { kind: 'ServiceAccount', name: 'dns', namespace: 'x' },
        ],
      },
      {
        roleRef: { kind: 'Role', name: 'x', apiGroup: 'rbac.authorization.k8s.io' },
        subjects: [
          { kind: 'User', name: 'ann', apiGroup: 'rbac.authorization.k8s.io' },
          { kind: 'ServiceAccount', name: 'dns', namespace: 'x' },
        ],
      },
    ],
  ];
  for (const [apiVersion, kind, given, wanted] of cases) {
    assert.deepEqual(defaulted(apiVersion, kind, given), { apiVersion, kind, metadata: { name: 'web' }, ...wanted }, kind);
  }
  const controller = defaulted('v1', 'ReplicationController', { spec: { template } });
  assert.deepEqual((controller.spec as { selector: unknown }).selector, { a: 'b' });
  assert.deepEqual(defaulted('v1', 'Namespace', {}).metadata, { name: 'web', labels: { 'kubernetes.io/metadata.name': 'web' } });
});

test('sources of volumes are completed, in pods and in PersistentVolumes alike', () => {
  const given = { rbd: { monitors: ['m'], image: 'i' }, azureDisk: { diskName: 'd', diskURI: 'u' }, scaleIO: { fsType: '' }, iscsi: {} };
  const wanted = {
    rbd: { monitors: ['m'], image: 'i', pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' },
    azureDisk: { diskName: 'd', diskURI: 'u', cachingMode: 'ReadWrite', fsType: 'ext4', readOnly: false, kind: 'Shared' },
    scaleIO: { storageMode: 'ThinProvisioned', fsType: 'xfs' },
    iscsi: { iscsiInterface: 'default' },
  };
  for (const [name, source] of Object.entries(given)) {
    const want = wanted[name as keyof typeof wanted];
    const { spec: volume } = defaulted('v1', 'PersistentVolume', { spec: { [name]: structuredClone(source) } });
    assert.deepEqual((volume as Record<string, unknown>)[name], want, name);
    const { spec } = defaulted('v1', 'Pod', { spec: { containers: [], volumes: [{ name: 'v', [name]: structuredClone(source) }] } });
    assert.deepEqual((spec as { volumes: unknown[] }).volumes, [{ name: 'v', [name]: want }], name);
  }
});

test('a StatefulSet is updated one by one unless it says otherwise, and on demand not at all', () => {
  const of = (updateStrategy?: object): unknown =>
    (defaulted('apps/v1', 'StatefulSet', { spec: { updateStrategy } }).spec as { updateStrategy: unknown }).updateStrategy;
  assert.deepEqual(of(), { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: 1 } });
  assert.deepEqual(of({ rollingUpdate: { maxUnavailable: '50%' } }), {
    type: 'RollingUpdate',
    rollingUpdate: { partition: 0, maxUnavailable: '50%' },
  });
  assert.deepEqual(of({ type: 'RollingUpdate' }), { type: 'RollingUpdate' });
  assert.deepEqual(of({ type: 'OnDelete' }), { type: 'OnDelete' });
});

test('an autoscaler without metrics watches the CPU, and one with a behavior has all of it', () => {
  const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } };
  const of = (spec: object): unknown => defaulted('autoscaling/v2', 'HorizontalPodAutoscaler', { spec }).spec;
  assert.deepEqual(of({ maxReplicas: 3 }), { maxReplicas: 3, minReplicas: 1, metrics: [cpu] });
  const policies = [{ type: 'Pods', value: 1, periodSeconds: 60 }];
  assert.deepEqual(of({ metrics: [cpu], behavior: { scaleDown: { policies } } }), {
    minReplicas: 1,
    metrics: [cpu],
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [
          { type: 'Pods', value: 4, periodSeconds: 15 },
          { type: 'Percent', value: 100, periodSeconds: 15 },
        ],
      },
      scaleDown: { selectPolicy: 'Max', policies },
    },
  });
});

test('who writes only the older field of one address family gets the list too', () => {
  assert.deepEqual(defaulted('v1', 'Node', { spec: { podCIDR: '10.244.1.0/24' } }).spec, {
    podCIDR: '10.244.1.0/24',
    podCIDRs: ['10.244.1.0/24'],
  });
  assert.deepEqual(defaulted('v1', 'Node', { spec: { podCIDRs: ['10.244.1.0/24'] } }).spec, {
    podCIDR: '10.244.1.0/24',
    podCIDRs: ['10.244.1.0/24'],
  });
  const { status } = defaulted('v1', 'Pod', { status: { podIP: '10.244.1.5', hostIP: '192.0.2.1' } });
  assert.deepEqual(status, { podIP: '10.244.1.5', podIPs: [{ ip: '10.244.1.5' }], hostIP: '192.0.2.1', hostIPs: [{ ip: '192.0.2.1' }] });
});

test('an object with nothing in it is defaulted without an error, whatever its kind', () => {
  for (const row of rows.filter((one) => one.storedAs !== undefined)) {
    const apiVersion = row.type.group ? `${row.type.group}/${row.type.version}` : row.type.version;
    defaulted(apiVersion, row.type.kind, {});
    defaulted(apiVersion, row.type.kind, { spec: {} });
  }
});

test('the QoS class is Guaranteed only when every container asks for exactly its limits', () => {
  const both = { cpu: '500m', memory: '64Mi' };
  const cases: readonly [object[], string][] = [
    [[{}], 'BestEffort'],
    [[{ resources: { requests: { 'example.com/gpu': '1' } } }], 'BestEffort'],
    [[{ resources: { requests: { cpu: '0' } } }], 'BestEffort'],
    [[{ resources: { requests: { cpu: '1' } } }], 'Burstable'],
    [[{ resources: { limits: both, requests: both } }], 'Guaranteed'],
    [[{ resources: { limits: { cpu: '0.5', memory: '65536Ki' }, requests: both } }], 'Guaranteed'],
    [[{ resources: { limits: both, requests: both } }, {}], 'Burstable'],
    [[{ resources: { limits: { cpu: '1' }, requests: { cpu: '1' } } }], 'Burstable'],
  ];
  for (const [containers, wanted] of cases) {
    assert.equal(qosClassOf({ containers: containers.map((one, index) => ({ name: `c${index}`, ...one })) }), wanted);
  }
});
