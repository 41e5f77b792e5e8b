import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Pod, Service, ServiceSpec } from '../../api/schema/types.ts';
import { endpointsOf } from '../endpoints/desired.ts';
import { maxEndpoints, planSlices, type SlicePlan } from './desired.ts';

function service(spec: Partial<ServiceSpec> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', uid: 's' },
    spec: { selector: { app: 'web' }, clusterIP: '10.96.0.7', ports: [{ port: 80, targetPort: 8080 }], ...spec },
  };
}

function pod(
  n: number,
  rest: { ready?: boolean; deleted?: boolean; port?: number; ip?: string; spec?: Partial<NonNullable<Pod['spec']>> } = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `web-${n}`, namespace: 'default', uid: `u${n}`, ...(rest.deleted ? { deletionTimestamp: 'x' } : {}) },
    spec: { nodeName: 'w1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: rest.port ?? 8080 }] }], ...rest.spec },
    status: {
      phase: 'Running',
      podIP: rest.ip ?? `10.244.1.${n}`,
      conditions: [{ type: 'Ready', status: rest.ready === false ? 'False' : 'True' }],
    },
  };
}

/** What stands after the plan was carried out. */
function applied(plan: SlicePlan, before: readonly EndpointSlice[]): EndpointSlice[] {
  const made = plan.create.map((s, i) => ({ ...s, metadata: { ...s.metadata, name: `new-${i}-${Math.random()}` } }));
  const kept = before.filter((s) => !plan.remove.includes(s)).map((s) => plan.update.find((u) => u.metadata.name === s.metadata.name) ?? s);
  return [...kept, ...made];
}

const plan = (s: Service, pods: readonly Pod[], existing: readonly EndpointSlice[] = []): SlicePlan =>
  planSlices({ service: s, pods, nodeOf: () => undefined, existing });

test('a pod becomes an endpoint with its readiness, node and target', () => {
  const [slice] = plan(service(), [pod(1), pod(2, { ready: false }), pod(3, { deleted: true })]).create;
  assert.deepEqual(slice?.ports, [{ name: '', protocol: 'TCP', port: 8080 }]);
  assert.deepEqual(
    slice?.endpoints?.map((e) => [e.addresses[0], e.nodeName, e.conditions]),
    [
      ['10.244.1.1', 'w1', { ready: true, serving: true, terminating: false }],
      ['10.244.1.2', 'w1', { ready: false, serving: false, terminating: false }],
      ['10.244.1.3', 'w1', { ready: false, serving: true, terminating: true }],
    ],
  );
  assert.equal(slice?.metadata.generateName, 'web-');
  assert.equal(slice?.metadata.labels?.['kubernetes.io/service-name'], 'web');
});

test('nothing changed: nothing is written', () => {
  const pods = [pod(1), pod(2)];
  const existing = applied(plan(service(), pods), []);
  assert.deepEqual(plan(service(), pods, existing), { create: [], update: [], remove: [] });
});

test('a pod that changes touches one slice only', () => {
  const pods = Array.from({ length: 250 }, (_, i) => pod(i, { ip: `10.244.${i >> 6}.${i & 63}` }));
  const existing = applied(plan(service(), pods), []);
  assert.deepEqual(
    existing.map((s) => s.endpoints?.length),
    [maxEndpoints, maxEndpoints, 50],
  );
  const change = plan(service(), pods.with(120, pod(120, { ready: false, ip: '10.244.1.56' })), existing);
  assert.deepEqual([change.create.length, change.update.length, change.remove.length], [0, 1, 0]);
});

test('named target ports that differ between pods give a slice for each number', () => {
  const named = service({ ports: [{ name: 'http', port: 80, targetPort: 'http' }] });
  const made = plan(named, [pod(1), pod(2, { port: 9090 })]).create;
  assert.deepEqual(made.map((s) => s.ports?.[0]?.port).toSorted(), [8080, 9090]);
});

test('a Service without pods keeps one empty slice', () => {
  const made = plan(service(), []).create;
  assert.equal(made.length, 1);
  assert.deepEqual(made[0]?.endpoints, []);
  const existing = applied(plan(service(), [pod(1)]), []);
  assert.equal(applied(plan(service(), [], existing), existing).length, 1);
});

test('publishNotReadyAddresses makes every endpoint ready', () => {
  const [slice] = plan(service({ publishNotReadyAddresses: true }), [pod(1, { ready: false })]).create;
  assert.equal(slice?.endpoints?.[0]?.conditions?.ready, true);
});

test('a headless Service marks its slices and carries host names', () => {
  const [slice] = plan(service({ clusterIP: 'None' }), [pod(1, { spec: { hostname: 'a', subdomain: 'web' } })]).create;
  assert.equal(slice?.metadata.labels?.['service.kubernetes.io/headless'], '');
  assert.equal(slice?.endpoints?.[0]?.hostname, 'a');
});

test('the legacy Endpoints object holds ready and unready addresses apart, and none that is leaving', () => {
  const { subsets } = endpointsOf(service(), [pod(1), pod(2, { ready: false }), pod(3, { deleted: true })]);
  assert.equal(subsets?.length, 1);
  assert.deepEqual(
    subsets?.[0]?.addresses?.map((a) => a.ip),
    ['10.244.1.1'],
  );
  assert.deepEqual(
    subsets?.[0]?.notReadyAddresses?.map((a) => a.ip),
    ['10.244.1.2'],
  );
});
