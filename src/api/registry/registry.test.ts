import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../resource-types.ts';
import { defineRow } from './define-row.ts';
import { Registry, rows } from './registry.ts';
import type { ResourceRow } from './resource-row.ts';

const registry = new Registry();

test('no two rows serve the same path, and short names are taken once', () => {
  const paths = rows.map(({ type }) => `${type.group}/${type.version}/${type.resource}`);
  assert.equal(new Set(paths).size, paths.length);
  // Two views of the same objects, such as both groups of events, share theirs, as upstream's do.
  const shortNames = rows.filter((row) => !row.conversion).flatMap((row) => row.shortNames);
  assert.equal(new Set(shortNames).size, shortNames.length);
});

test('rows share a storage only with a conversion', () => {
  const owners = new Map<string, string>();
  for (const row of rows) {
    if (row.storedAs === undefined || row.conversion) continue;
    assert.equal(owners.get(row.storedAs), undefined, row.storedAs);
    owners.set(row.storedAs, row.type.kind);
  }
  for (const row of rows.filter((one) => one.conversion)) assert.ok(owners.has(row.storedAs!), `${row.schema} is stored as another row's`);
});

test('kubectl finds resources by path and by kind', () => {
  assert.equal(registry.rowOf('apps', 'v1', 'deployments')?.type.kind, 'Deployment');
  assert.equal(registry.rowOf('', 'v1', 'endpoints')?.singular, 'endpoints');
  assert.equal(registry.rowOfKind('networking.k8s.io/v1', 'NetworkPolicy')?.type.resource, 'networkpolicies');
  assert.equal(registry.rowOf('apps', 'v1', 'pods'), undefined);
});

test('kubectl get all shows these', () => {
  const all = rows.filter((row) => row.categories.includes('all') && !row.conversion).map((row) => row.type.resource);
  assert.deepEqual(all.sort(), [
    'cronjobs',
    'daemonsets',
    'deployments',
    'horizontalpodautoscalers',
    'jobs',
    'pods',
    'replicasets',
    'replicationcontrollers',
    'services',
    'statefulsets',
  ]);
});

test('reviews are created and never stored', () => {
  for (const row of rows.filter((one) => one.storedAs === undefined)) assert.deepEqual(row.verbs, ['create'], row.type.kind);
  assert.ok(registry.rowOfKind('authorization.k8s.io/v1', 'SubjectAccessReview'));
});

test('the subresources of a pod are those of upstream', () => {
  const names = registry.rowOf('', 'v1', 'pods')!.subresources.map((one) => one.name);
  assert.deepEqual(names.sort(), [
    'attach',
    'binding',
    'ephemeralcontainers',
    'eviction',
    'exec',
    'log',
    'portforward',
    'proxy',
    'resize',
    'status',
  ]);
});

test('field selectors reach what upstream lets them reach', () => {
  const fields = (group: string, resource: string): string[] => Object.keys(registry.rowOf(group, 'v1', resource)!.selectableFields);
  assert.deepEqual(fields('', 'nodes'), ['metadata.name', 'spec.unschedulable']);
  assert.deepEqual(fields('', 'secrets'), ['metadata.name', 'metadata.namespace', 'type']);
  assert.ok(fields('', 'events').includes('involvedObject.uid'));
  assert.deepEqual(fields('apps', 'replicasets'), ['metadata.name', 'metadata.namespace']);
  assert.deepEqual(fields('storage.k8s.io', 'storageclasses'), ['metadata.name', 'metadata.namespace']);
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, status: { podIPs: [{ ip: '10.0.0.1' }] } };
  const read = registry.rowOf('', 'v1', 'pods')!.selectableFields;
  assert.equal(read['status.podIP']!(pod), '10.0.0.1');
  assert.equal(read['spec.hostNetwork']!(pod), 'false');
});

test('who selects by another field reads what upstream says of the kind', () => {
  for (const [group, resource, text] of [
    ['', 'pods', 'field label not supported: x'],
    ['apps', 'replicasets', '"x" is not a known field selector: only "metadata.name", "metadata.namespace"'],
    ['batch', 'jobs', 'field label "x" not supported for Job'],
    ['resource.k8s.io', 'resourceslices', 'field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: x'],
  ] as const)
    assert.equal(registry.rowOf(group, 'v1', resource)!.unknownField('x'), text);
});

test('an event reads the same through both groups', () => {
  const stored = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'web.1', namespace: 'default' },
    involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
    reason: 'Started',
    message: 'Started container a',
    type: 'Normal',
    source: { component: 'kubelet', host: 'worker-1' },
    reportingComponent: 'kubelet',
    reportingInstance: 'worker-1',
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
    count: 2,
  };
  const { conversion, ttlSeconds } = registry.rowOf('events.k8s.io', 'v1', 'events')!;
  const seen = conversion!.fromStored(stored) as unknown as Record<string, unknown>;
  assert.equal(ttlSeconds, 3600);
  assert.equal(seen.apiVersion, 'events.k8s.io/v1');
  assert.equal(seen.note, 'Started container a');
  assert.deepEqual(seen.regarding, stored.involvedObject);
  assert.equal(seen.deprecatedCount, 2);
  assert.deepEqual(conversion!.toStored(conversion!.fromStored(stored)), stored);
});

test('an autoscaler keeps what autoscaling/v1 has no field for', () => {
  const stored = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', annotations: { a: 'b' } },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 5,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
        { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
    },
    status: { desiredReplicas: 2, currentReplicas: 1 },
  };
  const { conversion } = registry.rowOf('autoscaling', 'v1', 'horizontalpodautoscalers')!;
  const seen = conversion!.fromStored(stored) as unknown as typeof stored & { spec: { targetCPUUtilizationPercentage: number } };
  assert.equal(seen.spec.targetCPUUtilizationPercentage, 80);
  assert.equal(seen.spec.metrics, undefined);
  assert.deepEqual(conversion!.toStored(seen), stored);
});

test('a pod is given time only while a node runs it', () => {
  const { gracePeriod } = registry.rowOf('', 'v1', 'pods')!;
  const pod = (spec: object, status: object = {}): never => ({ metadata: { name: 'a' }, spec, status }) as never;
  assert.equal(gracePeriod!(pod({ terminationGracePeriodSeconds: 30 }), undefined), 0);
  assert.equal(gracePeriod!(pod({ nodeName: 'w', terminationGracePeriodSeconds: 5 }), undefined), 5);
  assert.equal(gracePeriod!(pod({ nodeName: 'w', terminationGracePeriodSeconds: 5 }), 0), 0);
  assert.equal(gracePeriod!(pod({ nodeName: 'w' }, { phase: 'Succeeded' }), 10), 0);
});

describe('Registry', () => {
  const row = (kind: string, more: object = {}): ResourceRow =>
    defineRow({ type: { group: 'example.com', version: 'v1', kind, resource: `${kind.toLowerCase()}s`, namespaced: true }, ...more });

  test('finds a row by path and by kind while it is there, and counts each change', () => {
    const registry = new Registry([row('Toy')]);
    const widget = row('Widget');
    const before = registry.generation;
    registry.add(widget);
    assert.equal(registry.rowOf('example.com', 'v1', 'widgets'), widget);
    assert.equal(registry.rowOfKind('example.com/v1', 'Widget'), widget);
    assert.equal(registry.rowFor(widget.type), widget);
    assert.deepEqual(
      registry.rows.map(({ type }) => type.kind),
      ['Toy', 'Widget'],
    );
    registry.remove(widget);
    assert.equal(registry.rowOf('example.com', 'v1', 'widgets'), undefined);
    assert.equal(registry.rowOfKind('example.com/v1', 'Widget'), undefined);
    assert.throws(() => registry.rowFor(widget.type), /example.com\/v1\/widgets is not served/);
    assert.equal(registry.generation, before + 2);
  });

  test('removes only the row that it is given', () => {
    const registry = new Registry([row('Widget')]);
    const before = registry.generation;
    registry.remove(row('Widget'));
    registry.remove(row('Toy'));
    assert.equal(registry.rows.length, 1);
    assert.equal(registry.generation, before);
  });

  test('refuses a path, a kind or objects that another row has', () => {
    const registry = new Registry([row('Widget')]);
    assert.throws(() => registry.add(row('Widget')), /example.com\/v1\/widgets \(Widget\) is served already/);
    const sameKind = { ...row('Widget'), type: { ...row('Widget').type, resource: 'gadgets' } };
    assert.throws(() => registry.add(sameKind), /gadgets \(Widget\) is served already/);
    assert.throws(() => registry.add(row('Toy', { storedAs: 'widgets' })), /the objects of example.com\/v1\/toys are those of another row/);
    const same = (object: KubeObject): KubeObject => object;
    registry.add(row('Toy', { storedAs: 'widgets', conversion: { fromStored: same, toStored: same } }));
    assert.deepEqual([registry.stores('widgets'), registry.stores('toys')], [true, false]);
  });

  test('tells followers of the rows that are there, that come and that go', () => {
    const [toy, widget] = [row('Toy'), row('Widget')];
    const registry = new Registry([toy]);
    const told: string[] = [];
    registry.follow({ added: ({ type }) => told.push(`+${type.kind}`), removed: ({ type }) => told.push(`-${type.kind}`) });
    registry.add(widget);
    registry.remove(toy);
    assert.deepEqual(told, ['+Toy', '+Widget', '-Toy']);
  });
});
