import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../resource-types.ts';
import type { DaemonSet, Deployment, Namespace, PersistentVolume, Pod, Service, ServiceSpec } from '../schema/types.ts';
import { generateName } from './generate-name.ts';
import { beforeCreate, beforeUpdate, subresourceOf } from './lifecycle.ts';
import { Registry, rows } from './registry.ts';
import type { PartSubresource } from './resource-row.ts';

const registry = new Registry();

const context = { now: new Date('2026-01-01T00:00:00.123Z'), uid: 'u-1' };

function created<T extends KubeObject>(apiVersion: string, kind: string, rest: object): T {
  const row = registry.rowOfKind(apiVersion, kind)!;
  const object = {
    apiVersion,
    kind,
    metadata: { name: 'web', ...(row.type.namespaced ? { namespace: 'default' } : {}) },
    ...rest,
  } as unknown as T;
  row.applyDefaults(object);
  assert.deepEqual(beforeCreate(row, object, context), []);
  return object;
}

function updated<T extends KubeObject>(old: T, change: (next: T) => void, partName?: string): T {
  const row = registry.rowOfKind(old.apiVersion, old.kind)!;
  const next = structuredClone(old);
  change(next);
  row.applyDefaults(next);
  const part = partName === undefined ? undefined : (subresourceOf(row, partName) as PartSubresource);
  const before = structuredClone(old);
  assert.deepEqual(beforeUpdate(row, next, old, part), []);
  assert.deepEqual(old, before, 'the old object is left alone');
  return next;
}

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'box:1' }] } };
const deployment = (): Deployment =>
  created<Deployment>('apps/v1', 'Deployment', { spec: { selector: { matchLabels: { app: 'web' } }, template }, status: { replicas: 9 } });

test('a new object gets uid, time and generation, and no status of its own', () => {
  const { metadata, status } = deployment();
  assert.deepEqual(metadata, { name: 'web', namespace: 'default', uid: 'u-1', creationTimestamp: '2026-01-01T00:00:00Z', generation: 1 });
  assert.deepEqual(status, {});
});

test('a LimitRange without a name gets one, and keeps one that it has', () => {
  const limits = { spec: { limits: [] } };
  assert.equal(created('v1', 'LimitRange', limits).metadata.name, 'web');
  assert.equal(created('v1', 'LimitRange', { ...limits, metadata: { namespace: 'default' } }).metadata.name, 'u-1');
});

test('a change of the spec counts the generation up and keeps the status', () => {
  const old = { ...deployment(), status: { replicas: 3 } };
  const next = updated(old, (object) => {
    object.spec!.replicas = 5;
    object.status = { replicas: 99 };
    object.metadata.generation = 77;
  });
  assert.equal(next.metadata.generation, 2);
  assert.deepEqual(next.status, { replicas: 3 });
});

test('annotations of a Deployment go on to its ReplicaSets, and count', () => {
  const next = updated(deployment(), (object) => {
    object.metadata.annotations = { note: 'x' };
  });
  assert.equal(next.metadata.generation, 2);
});

test('a DaemonSet tells in an annotation how often its template has changed, whatever a client writes there', () => {
  const of = ({ metadata }: DaemonSet): unknown => metadata.annotations?.['deprecated.daemonset.template.generation'];
  const write = (generation: string) => (set: DaemonSet) => {
    set.metadata.annotations = { 'deprecated.daemonset.template.generation': generation, other: 'stays' };
  };
  const spec = { selector: { matchLabels: { app: 'web' } }, template };
  const made = (annotations?: object): DaemonSet =>
    created('apps/v1', 'DaemonSet', { spec, metadata: { name: 'd', namespace: 'n', annotations } });
  assert.deepEqual(
    [made(), made({ 'deprecated.daemonset.template.generation': '7' }), made({ 'deprecated.daemonset.template.generation': 'x' })].map(of),
    ['1', '7', '1'],
  );
  const old = made();
  const same = updated(old, write('9'));
  assert.deepEqual(same.metadata.annotations, { 'deprecated.daemonset.template.generation': '1', other: 'stays' });
  assert.equal(of(updated(old, write('9'), 'status')), '1');
  const gone = updated(old, (set) => {
    delete set.metadata.annotations;
    set.spec!.minReadySeconds = 3;
  });
  assert.deepEqual([of(gone), gone.metadata.generation], ['1', 2]);
  const changed = updated(old, (set) => {
    set.spec!.template.spec!.containers[0]!.image = 'box:2';
  });
  assert.deepEqual([of(changed), changed.metadata.generation], ['2', 2]);
});

test('a PersistentVolume tells since when it has its phase', () => {
  const at = ({ status }: PersistentVolume): unknown => status?.lastPhaseTransitionTime;
  const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } };
  const old = created<PersistentVolume>('v1', 'PersistentVolume', { spec });
  assert.equal(at(old), '2026-01-01T00:00:00Z');
  const set = (status: PersistentVolume['status']): unknown => at(updated(old, (next) => Object.assign(next, { status }), 'status'));
  assert.equal(set({ phase: 'Pending' }), '2026-01-01T00:00:00Z');
  assert.equal(set({ phase: 'Pending', lastPhaseTransitionTime: '2020-01-01T00:00:00Z' }), '2020-01-01T00:00:00Z');
  assert.equal(set({ phase: 'Bound', lastPhaseTransitionTime: '2020-01-01T00:00:00Z' }), '2020-01-01T00:00:00Z');
  const now = set({ ...old.status, phase: 'Bound' });
  assert.match(String(now), /^20\d\d-.*Z$/);
  assert.notEqual(now, '2026-01-01T00:00:00Z');
  assert.equal(at(updated(old, (next) => void delete next.status)), '2026-01-01T00:00:00Z');
});

test('a PriorityClass has a generation, which nothing counts up', () => {
  const old = created('scheduling.k8s.io/v1', 'PriorityClass', { value: 1, description: 'a' });
  assert.equal(old.metadata.generation, 1);
  const next = updated(old, (object) => Object.assign(object, { description: 'b' }));
  assert.equal(next.metadata.generation, 1);
});

test('a VolumeAttachment is not attached yet', () => {
  const spec = { attacher: 'a.b', nodeName: 'n', source: { persistentVolumeName: 'v' } };
  const made = created('storage.k8s.io/v1', 'VolumeAttachment', { spec, status: { attached: true } });
  assert.deepEqual((made as KubeObject & { status?: unknown }).status, { attached: false });
});

test('a change of labels alone counts nothing', () => {
  const next = updated(deployment(), (object) => {
    object.metadata.labels = { a: 'b' };
  });
  assert.equal(next.metadata.generation, 1);
  assert.deepEqual(next.metadata.labels, { a: 'b' });
});

test('a status update changes status and annotations, never the spec; of a Deployment not the labels either', () => {
  const next = updated(
    deployment(),
    (object) => {
      object.spec!.replicas = 5;
      object.status = { replicas: 2 };
      object.metadata.annotations = { seen: 'yes' };
      object.metadata.labels = { seen: 'yes' };
    },
    'status',
  );
  assert.equal(next.metadata.labels, undefined);
  assert.equal(next.spec!.replicas, 1);
  assert.equal(next.metadata.generation, 1);
  assert.deepEqual(next.status, { replicas: 2 });
  assert.deepEqual(next.metadata.annotations, { seen: 'yes' });
});

test('a scale is a change of replicas', () => {
  const old = deployment();
  const scale = subresourceOf(registry.rowOfKind('apps/v1', 'Deployment')!, 'scale');
  assert.ok(scale?.kind === 'scale');
  assert.deepEqual(scale.read(old), { replicas: 1, statusReplicas: 0, selector: 'app=web' });
  assert.equal(updated(old, (object) => scale.setReplicas(object, 4)).metadata.generation, 2);
});

test('a pod begins Pending with its QoS class, which no status update changes', () => {
  const pod = created<Pod>('v1', 'Pod', { spec: template.spec, status: { phase: 'Running' } });
  assert.deepEqual(pod.status, { phase: 'Pending', qosClass: 'BestEffort' });
  const next = updated(
    pod,
    (object) => {
      object.status = { phase: 'Running', qosClass: 'Guaranteed' };
      object.metadata.ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: 'w', uid: 'x' }];
    },
    'status',
  );
  assert.deepEqual(next.status, { phase: 'Running', qosClass: 'BestEffort' });
  assert.equal(next.metadata.ownerReferences, undefined);
});

test('only a Service of type LoadBalancer has addresses of a load balancer', () => {
  const row = registry.rowOfKind('v1', 'Service')!;
  const status = subresourceOf(row, 'status') as PartSubresource;
  const errors = (type: string): number => {
    const old = created<Service>('v1', 'Service', { spec: { type, ports: [{ port: 80 }] } });
    const next = { ...structuredClone(old), status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } };
    return beforeUpdate(row, next, old, status).length;
  };
  assert.deepEqual(['LoadBalancer', 'NodePort'].map(errors), [0, 1]);
});

test('ephemeral containers come only through their subresource', () => {
  const pod = created<Pod>('v1', 'Pod', { spec: template.spec });
  const next = updated(
    pod,
    (object) => {
      object.spec!.ephemeralContainers = [{ name: 'debug', image: 'box:1' }];
      object.spec!.hostname = 'other';
      object.metadata.labels = { a: 'b' };
      object.metadata.managedFields = [{ manager: 'debug', operation: 'Update', fieldsType: 'FieldsV1' }];
    },
    'ephemeralcontainers',
  );
  // They tell who owns what this very write changed.
  assert.equal(next.metadata.managedFields?.[0]?.manager, 'debug');
  assert.equal(next.spec!.ephemeralContainers?.[0]?.terminationMessagePolicy, 'File');
  assert.equal(next.spec!.hostname, undefined);
  assert.equal(next.metadata.labels, undefined);
  assert.equal(next.metadata.generation, 2);
});

test('a namespace is Active, held by its finalizer, and let go by finalize alone', () => {
  const row = registry.rowOfKind('v1', 'Namespace')!;
  const old = created<Namespace>('v1', 'Namespace', {});
  assert.deepEqual([old.spec, old.status], [{ finalizers: ['kubernetes'] }, { phase: 'Active' }]);
  assert.equal(row.holdsDeletion!(old), true);
  const drop = (object: Namespace): void => {
    object.spec = { finalizers: [] };
  };
  assert.equal(row.holdsDeletion!(updated(old, drop)), true);
  assert.equal(row.holdsDeletion!(updated(old, drop, 'finalize')), false);
});

test('a node comes with its status', () => {
  assert.deepEqual(created<KubeObject>('v1', 'Node', { status: { capacity: { cpu: '2' } } }), {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'web', uid: 'u-1', creationTimestamp: '2026-01-01T00:00:00Z' },
    status: { capacity: { cpu: '2' }, allocatable: { cpu: '2' } },
  });
});

const allocated = { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] };
const service = (spec: ServiceSpec): Service => created<Service>('v1', 'Service', { spec: { ports: [{ port: 80 }], ...spec } });

test('a change of the type drops what the new type has no use for', () => {
  const nodePort = service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }], ...allocated });
  const plain = updated(nodePort, (object) => {
    object.spec!.type = 'ClusterIP';
  });
  assert.equal(plain.spec!.ports![0]!.nodePort, undefined);
  assert.equal(plain.spec!.externalTrafficPolicy, undefined);
  assert.equal(plain.spec!.clusterIP, '10.96.0.7');
  const named = updated(nodePort, (object) => {
    object.spec!.type = 'ExternalName';
    object.spec!.externalName = 'example.com';
  });
  assert.equal(named.spec!.clusterIP, undefined);
  assert.equal(named.spec!.ipFamilies, undefined);
});

test('generateName() adds five characters and stays a label', () => {
  let next = 0;
  assert.equal(
    generateName('web-', (below) => next++ % below),
    'web-bcdfg',
  );
  assert.equal(generateName('x'.repeat(80), () => 0).length, 63);
});

/** Every path of a value, so that a test can break the value at each one. */
function* pathsOf(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    yield [...path, key];
    yield* pathsOf(inner, [...path, key]);
  }
}

function without(value: object, path: readonly string[], replacement?: unknown): object {
  const copy = structuredClone(value);
  let at = copy as Record<string, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  if (replacement === undefined && Array.isArray(at)) at.splice(Number(path.at(-1)), 1);
  else if (replacement === undefined) delete at[path.at(-1)!];
  else at[path.at(-1)!] = replacement;
  return copy;
}

const rich: readonly [string, string, object][] = [
  [
    'v1',
    'Pod',
    {
      spec: {
        containers: [
          {
            name: 'a',
            image: 'b',
            ports: [{ containerPort: 1 }],
            env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
            envFrom: [{ configMapRef: { name: 'x' } }],
            volumeMounts: [{ name: 'v', mountPath: '/v' }],
            livenessProbe: { httpGet: { port: 1 } },
            lifecycle: { preStop: { exec: { command: ['x'] } } },
            resources: { limits: { cpu: '1' }, requests: { cpu: '1' } },
          },
        ],
        volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 'x' } }] } }],
        tolerations: [{ key: 'a', operator: 'Exists' }],
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] }],
            },
          },
          podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'x', labelSelector: {} }] },
        },
        dnsConfig: { options: [{ name: 'ndots' }] },
      },
    },
  ],
  [
    'v1',
    'Service',
    {
      spec: {
        type: 'NodePort',
        ports: [{ port: 1, nodePort: 30000 }],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } },
      },
    },
  ],
  [
    'apps/v1',
    'Deployment',
    {
      spec: { selector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] }, strategy: { rollingUpdate: { maxSurge: 1 } }, template },
    },
  ],
  [
    'apps/v1',
    'DaemonSet',
    { spec: { selector: { matchLabels: { a: 'b' } }, updateStrategy: { rollingUpdate: { maxSurge: 1 } }, template } },
  ],
  [
    'discovery.k8s.io/v1',
    'EndpointSlice',
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'], conditions: {} }], ports: [{ port: 1 }] },
  ],
  [
    'networking.k8s.io/v1',
    'NetworkPolicy',
    {
      spec: {
        podSelector: {},
        ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 1, endPort: 2 }] }],
      },
    },
  ],
  [
    'networking.k8s.io/v1',
    'Ingress',
    {
      spec: {
        rules: [
          { host: 'x', http: { paths: [{ path: '/', pathType: 'Exact', backend: { service: { name: 'x', port: { number: 1 } } } }] } },
        ],
      },
    },
  ],
  [
    'rbac.authorization.k8s.io/v1',
    'ClusterRoleBinding',
    { roleRef: { kind: 'ClusterRole', name: 'x' }, subjects: [{ kind: 'ServiceAccount', name: 'a', namespace: 'b' }] },
  ],
  ['batch/v1', 'CronJob', { spec: { schedule: '* * * * *', jobTemplate: { spec: { template } } } }],
];

test('a hole anywhere in an object is an error or fine, and never an exception', () => {
  for (const [apiVersion, kind, rest] of rich) {
    const row = registry.rowOfKind(apiVersion, kind)!;
    for (const path of pathsOf(rest)) {
      for (const replacement of [undefined, {}, []]) {
        const there = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], rest);
        // What is of the wrong type is refused before it gets here.
        if (replacement !== undefined && (typeof there !== 'object' || Array.isArray(there) !== Array.isArray(replacement))) continue;
        const name = `${kind} ${path.join('.')} ${JSON.stringify(replacement) ?? 'removed'}`;
        const object = {
          apiVersion,
          kind,
          metadata: { name: 'web', namespace: 'default' },
          ...without(rest, path, replacement),
        } as KubeObject;
        assert.doesNotThrow(() => {
          row.applyDefaults(object);
          if (beforeCreate(row, object, context).length > 0) return;
          row.columns.cells(object, context.now);
          beforeUpdate(row, structuredClone(object), object);
        }, name);
      }
    }
  }
});

test('an object of any kind with nothing in it is an error or fine, and never an exception', () => {
  for (const row of rows.filter((one) => one.storedAs !== undefined)) {
    const apiVersion = row.type.group ? `${row.type.group}/${row.type.version}` : row.type.version;
    const object = { apiVersion, kind: row.type.kind, metadata: { name: 'web' } };
    row.applyDefaults(object);
    const errors = beforeCreate(row, object, context);
    if (errors.length === 0) row.columns.cells(object, context.now);
    for (const part of row.subresources) if (part.kind === 'part') beforeUpdate(row, structuredClone(object), object, part);
    for (const read of Object.values(row.selectableFields)) assert.equal(typeof read(object), 'string');
  }
});
