import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from '../registry/registry.ts';
import type { KubeObject } from '../resource-types.ts';

const registry = new Registry();

const now = new Date('2026-01-01T01:00:00Z');

interface TableCase {
  readonly name: string;
  readonly apiVersion?: string;
  readonly kind: string;
  readonly object: object;
  /** NAME and AGE are added: `web` and `10m`. */
  readonly cells: string;
}

const template = {
  metadata: { labels: { app: 'web' } },
  spec: {
    containers: [
      { name: 'a', image: 'box:1' },
      { name: 'b', image: 'box:2' },
    ],
  },
};
const http = { port: 80, protocol: 'TCP', targetPort: 8080 };

const cases: readonly TableCase[] = [
  { name: 'a ServiceAccount', kind: 'ServiceAccount', object: { secrets: [{ name: 's' }] }, cells: 'web | 10m' },
  { name: 'a DeviceClass', apiVersion: 'resource.k8s.io/v1', kind: 'DeviceClass', object: { spec: {} }, cells: 'web | 10m' },
  {
    name: 'a CSIDriver',
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIDriver',
    object: {
      spec: { attachRequired: false, tokenRequests: [{ audience: 'a' }, { audience: 'b' }], volumeLifecycleModes: ['Persistent'] },
    },
    cells: 'web | false | false | false | a,b | false | Persistent | 10m',
  },
  {
    name: 'a CSIDriver that says nothing',
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIDriver',
    object: { spec: {} },
    cells: 'web | true | false | false | <unset> | false | <none> | 10m',
  },
  {
    name: 'a CSINode counts its drivers',
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSINode',
    object: { spec: { drivers: [{ name: 'a', nodeID: 'n' }] } },
    cells: 'web | 1 | 10m',
  },
  {
    name: 'a VolumeAttachment',
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    object: { spec: { attacher: 'csi.example.com', nodeName: 'n1', source: { persistentVolumeName: 'v1' } }, status: { attached: true } },
    cells: 'web | csi.example.com | v1 | n1 | true | 10m',
  },
  {
    name: 'a ValidatingAdmissionPolicy',
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    object: { spec: { validations: [{ expression: 'true' }], paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } } },
    cells: 'web | 1 | v1/ConfigMap | 10m',
  },
  {
    name: 'a ValidatingAdmissionPolicyBinding',
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    object: { spec: { policyName: 'p', paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' }, validationActions: ['Deny'] } },
    cells: 'web | p | */limits | 10m',
  },
  {
    name: 'a ClusterIP Service',
    kind: 'Service',
    object: { spec: { type: 'ClusterIP', clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'], ports: [http], selector: { b: '2', a: '1' } } },
    cells: 'web | ClusterIP | 10.96.0.7 | <none> | 80/TCP | 10m | a=1,b=2',
  },
  {
    name: 'a NodePort Service shows the node port behind the port',
    kind: 'Service',
    object: {
      spec: {
        type: 'NodePort',
        clusterIP: '10.96.0.7',
        externalIPs: ['192.0.2.1'],
        ports: [
          { ...http, nodePort: 30080 },
          { port: 53, protocol: 'UDP' },
        ],
      },
    },
    cells: 'web | NodePort | 10.96.0.7 | 192.0.2.1 | 80:30080/TCP,53/UDP | 10m | <none>',
  },
  {
    name: 'a headless Service',
    kind: 'Service',
    object: { spec: { type: 'ClusterIP', clusterIP: 'None', clusterIPs: ['None'] } },
    cells: 'web | ClusterIP | None | <none> | <none> | 10m | <none>',
  },
  {
    name: 'an ExternalName Service',
    kind: 'Service',
    object: { spec: { type: 'ExternalName', externalName: 'example.com' } },
    cells: 'web | ExternalName | <none> | example.com | <none> | 10m | <none>',
  },
  {
    name: 'a LoadBalancer Service that waits for its address',
    kind: 'Service',
    object: { spec: { type: 'LoadBalancer', clusterIP: '10.96.0.7', ports: [http] }, status: { loadBalancer: {} } },
    cells: 'web | LoadBalancer | 10.96.0.7 | <pending> | 80/TCP | 10m | <none>',
  },
  {
    name: 'a LoadBalancer Service with an address',
    kind: 'Service',
    object: {
      spec: { type: 'LoadBalancer', clusterIP: '10.96.0.7', ports: [http] },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
    },
    cells: 'web | LoadBalancer | 10.96.0.7 | 192.0.2.9 | 80/TCP | 10m | <none>',
  },
  {
    name: 'a Deployment in the middle of a rollout',
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    object: {
      spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template },
      status: { replicas: 4, readyReplicas: 2, updatedReplicas: 1, availableReplicas: 2 },
    },
    cells: 'web | 2/3 | 1 | 2 | 10m | a,b | box:1,box:2 | app=web',
  },
  {
    name: 'a ReplicaSet',
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    object: {
      spec: { replicas: 3, selector: { matchLabels: { app: 'web', 'pod-template-hash': 'x' } }, template },
      status: { replicas: 3 },
    },
    cells: 'web | 3 | 3 | 0 | 10m | a,b | box:1,box:2 | app=web,pod-template-hash=x',
  },
  {
    name: 'a DaemonSet',
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    object: {
      spec: { selector: { matchLabels: { app: 'web' } }, template },
      status: { desiredNumberScheduled: 3, currentNumberScheduled: 3, numberReady: 2, updatedNumberScheduled: 3, numberAvailable: 2 },
    },
    cells: 'web | 3 | 3 | 2 | 3 | 2 | <none> | 10m | a,b | box:1,box:2 | app=web',
  },
  {
    name: 'a ready node with a role',
    kind: 'Node',
    object: {
      metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '192.168.120.2' }],
        nodeInfo: { kubeletVersion: 'v1.35.0', osImage: 'Debian', kernelVersion: '6.1.0', containerRuntimeVersion: 'containerd://1.6.20' },
      },
    },
    cells: 'web | Ready | control-plane | 10m | v1.35.0 | 192.168.120.2 | <none> | Debian | 6.1.0 | containerd://1.6.20',
  },
  {
    name: 'a cordoned node of which nothing is known',
    kind: 'Node',
    object: { spec: { unschedulable: true } },
    cells: 'web | Unknown,SchedulingDisabled | <none> | 10m |  | <none> | <none> | <unknown> | <unknown> | <unknown>',
  },
  {
    name: 'a node that is not ready',
    kind: 'Node',
    object: { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } },
    cells: 'web | NotReady | <none> | 10m |  | <none> | <none> | <unknown> | <unknown> | <unknown>',
  },
  {
    name: 'Endpoints list three addresses and count the rest',
    kind: 'Endpoints',
    object: { subsets: [{ addresses: [1, 2, 3, 4, 5].map((n) => ({ ip: `10.244.0.${n}` })), ports: [{ port: 8080 }] }] },
    cells: 'web | 10.244.0.1:8080,10.244.0.2:8080,10.244.0.3:8080 + 2 more... | 10m',
  },
  { name: 'Endpoints without addresses', kind: 'Endpoints', object: {}, cells: 'web | <none> | 10m' },
  {
    name: 'an EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    object: {
      addressType: 'IPv4',
      ports: [{ port: 53 }, { port: 53 }, { port: 9153 }],
      endpoints: [{ addresses: ['10.244.0.1'] }, { addresses: ['10.244.0.2'] }],
    },
    cells: 'web | IPv4 | 53,53,9153 | 10.244.0.1,10.244.0.2 | 10m',
  },
  {
    name: 'an empty EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    object: { addressType: 'IPv4' },
    cells: 'web | IPv4 | <unset> | <unset> | 10m',
  },
  {
    name: 'an event with a series',
    kind: 'Event',
    object: {
      firstTimestamp: '2026-01-01T00:30:00Z',
      lastTimestamp: '2026-01-01T00:40:00Z',
      series: { count: 7, lastObservedTime: '2026-01-01T00:59:00.000000Z' },
      involvedObject: { kind: 'Pod', name: 'web-1', fieldPath: 'spec.containers{a}' },
      source: { component: 'kubelet', host: 'worker-1' },
      type: 'Warning',
      reason: 'BackOff',
      message: ' Back-off restarting \n',
    },
    cells: '60s | Warning | BackOff | pod/web-1 | spec.containers{a} | kubelet, worker-1 | Back-off restarting | 30m | 7 | web',
  },
  {
    name: 'an event that happened once',
    kind: 'Event',
    object: {
      eventTime: '2026-01-01T00:58:00.000000Z',
      involvedObject: { kind: 'Node' },
      reportingComponent: 'x',
      type: 'Normal',
      reason: 'Y',
    },
    cells: '2m | Normal | Y | node |  | x |  | 2m | 1 | web',
  },
  {
    name: 'a ConfigMap counts both kinds of data',
    kind: 'ConfigMap',
    object: { data: { a: '', b: '' }, binaryData: { c: '' } },
    cells: 'web | 3 | 10m',
  },
  { name: 'a Secret', kind: 'Secret', object: { type: 'Opaque', data: { a: '' } }, cells: 'web | Opaque | 1 | 10m' },
  { name: 'a namespace', kind: 'Namespace', object: { status: { phase: 'Active' } }, cells: 'web | Active | 10m' },
  {
    name: 'a ClusterRole shows when it was made',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    object: {},
    cells: 'web | 2026-01-01T00:50:00Z',
  },
  {
    name: 'a ClusterRoleBinding',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    object: {
      roleRef: { kind: 'ClusterRole', name: 'view' },
      subjects: [
        { kind: 'User', name: 'ann' },
        { kind: 'ServiceAccount', name: 'dns', namespace: 'kube-system' },
      ],
    },
    cells: 'web | ClusterRole/view | 10m | ann |  | kube-system/dns',
  },
  {
    name: 'an Ingress with TLS',
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    object: {
      spec: { ingressClassName: 'x', rules: [{ host: 'a.example.com' }], tls: [{}] },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
    },
    cells: 'web | x | a.example.com | 192.0.2.1 | 80, 443 | 10m',
  },
  {
    name: 'a NetworkPolicy for all pods',
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    object: { spec: { podSelector: {} } },
    cells: 'web | <none> | 10m',
  },
  {
    name: 'a disruption budget',
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    object: { spec: { minAvailable: '50%' }, status: { disruptionsAllowed: 1 } },
    cells: 'web | 50% | N/A | 1 | 10m',
  },
];

for (const { name, apiVersion = 'v1', kind, object, cells } of cases) {
  test(`the Table shows ${name}`, () => {
    const row = registry.rowOfKind(apiVersion, kind)!;
    const given = object as Partial<KubeObject>;
    const full: KubeObject = {
      ...given,
      apiVersion,
      kind,
      metadata: { ...given.metadata, name: 'web', creationTimestamp: '2026-01-01T00:50:00Z' },
    };
    const shown = row.columns.cells(full, now);
    assert.equal(shown.join(' | '), cells);
    assert.equal(shown.length, row.columns.definitions.length);
  });
}
