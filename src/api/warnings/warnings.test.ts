import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beforeCreate } from '../registry/lifecycle.ts';
import { Registry } from '../registry/registry.ts';
import { objectOf } from '../validation/testing/object-errors.ts';

const registry = new Registry();

/** Of an object that is accepted. */
function warningsOf(apiVersion: string, kind: string, given: object): string[] {
  const row = registry.rowOfKind(apiVersion, kind)!;
  const object = objectOf(apiVersion, kind, given);
  row.applyDefaults(object);
  assert.deepEqual(beforeCreate(row, object, { now: new Date(0), uid: 'u' }), []);
  return row.warnings(object);
}

const box = { name: 'a', image: 'b' };
const pod = (spec: object, metadata: object = {}): object => ({ metadata, spec: { containers: [box], ...spec } });
const labels = { app: 'web' };
const workload = (spec: object): object => ({
  selector: { matchLabels: labels },
  template: { metadata: { labels }, spec: { containers: [box], ...spec } },
});

const cases: readonly [what: string, apiVersion: string, kind: string, given: object, wanted: readonly string[]][] = [
  ['a usual pod', 'v1', 'Pod', pod({ nodeSelector: { 'kubernetes.io/os': 'linux' } }), []],
  [
    'an old label of nodes',
    'v1',
    'Pod',
    pod({ nodeSelector: { 'beta.kubernetes.io/os': 'linux' } }),
    ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
  ],
  [
    'an old label in a template, where it is preferred',
    'apps/v1',
    'Deployment',
    {
      spec: workload({
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, preference: { matchExpressions: [{ key: 'failure-domain.beta.kubernetes.io/zone', operator: 'Exists' }] } },
            ],
          },
        },
      }),
    },
    [
      'spec.template.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    ],
  ],
  [
    'a volume of git',
    'v1',
    'Pod',
    pod({ volumes: [{ name: 'v', gitRepo: { repository: 'r' } }] }),
    ['spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+'],
  ],
  [
    'a thousandth of a byte',
    'v1',
    'Pod',
    pod({ containers: [{ ...box, resources: { requests: { memory: '100m' } } }] }),
    ['spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer'],
  ],
  [
    'a variable that is hidden, and one that is built on',
    'v1',
    'Pod',
    pod({
      containers: [
        {
          ...box,
          env: [
            { name: 'A', value: '1' },
            { name: 'A', value: '2' },
            { name: 'P', value: '/bin' },
            { name: 'P', value: '$(P):/x' },
          ],
        },
      ],
    }),
    ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
  ],
  [
    'one port twice',
    'v1',
    'Pod',
    pod({
      containers: [
        { ...box, ports: [{ containerPort: 80 }] },
        { name: 'c', image: 'b', ports: [{ containerPort: 80 }] },
      ],
    }),
    ['spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]'],
  ],
  [
    'a spread over nobody',
    'v1',
    'Pod',
    pod({ topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }] }),
    ['spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod'],
  ],
  [
    'a preference of the past',
    'v1',
    'Service',
    { spec: { ports: [{ port: 80 }], trafficDistribution: 'PreferClose' } },
    ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'],
  ],
  [
    'outside addresses of a Service without one of its own',
    'v1',
    'Service',
    { spec: { clusterIP: 'None', clusterIPs: ['None'], ports: [{ port: 80 }], externalIPs: ['192.0.2.1'] } },
    ['spec.externalIPs is ignored for headless services'],
  ],
  [
    'a volume that is emptied for the next one',
    'v1',
    'PersistentVolume',
    {
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        hostPath: { path: '/x' },
        persistentVolumeReclaimPolicy: 'Recycle',
      },
    },
    [
      'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    ],
  ],
  [
    'a certificate that is none',
    'v1',
    'Secret',
    { type: 'kubernetes.io/tls', stringData: { 'tls.crt': 'x', 'tls.key': 'y' } },
    ['tls: failed to find any PEM data in certificate input'],
  ],
  [
    'a class of Ingress by annotation',
    'networking.k8s.io/v1',
    'Ingress',
    {
      metadata: { annotations: { 'kubernetes.io/ingress.class': 'nginx' } },
      spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
    },
    ['annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead'],
  ],
];

for (const [what, apiVersion, kind, given, wanted] of cases) {
  test(`warnings: ${what}`, () => assert.deepEqual(warningsOf(apiVersion, kind, given), wanted));
}

test('a pod that names one port thousands of times is told of it some times for each, not once for every pair', () => {
  const ports = Array.from({ length: 5000 }, () => ({ containerPort: 80 }));
  const warnings = warningsOf('v1', 'Pod', pod({ containers: [{ ...box, ports }] }));
  assert.ok(warnings.length >= ports.length - 1 && warnings.length < 5 * ports.length, `${warnings.length} warnings`);
});
