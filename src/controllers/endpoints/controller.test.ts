import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpoints, pods, services } from '../../api/resource-types.ts';
import type { Endpoints, Pod, Service } from '../../api/schema/types.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { podOf } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { EndpointsController } from './controller.ts';
import { endpointsOf, planEndpoints } from './desired.ts';

const key = 'default/web';
const web: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  spec: { clusterIP: '10.96.0.7', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
};

function pod(name: string, isReady: boolean = true): Pod {
  const made = podOf(undefined, name, { node: 'w1', ...(isReady ? { readyAt: 0 } : {}) });
  return { ...made, status: { ...made.status, podIP: `10.244.1.${name.length}` } };
}

async function start(bed: TestBed, service: Service = web): Promise<EndpointsController> {
  bed.put(services, service);
  bed.put(pods, pod('a'));
  const controller = new EndpointsController(bed.context);
  await bed.deliver();
  return controller;
}

test('a Service with a selector gets Endpoints, which are written anew only when they differ', async () => {
  await using bed = new TestBed();
  const controller = await start(bed);
  assert.deepEqual((await bed.pass(controller, key)).writes, ['create endpoints default/web']);
  const made = bed.client.find(endpoints, key);
  assert.deepEqual(made?.subsets?.[0]?.ports, [{ port: 8080, protocol: 'TCP' }]);
  assert.deepEqual(made?.metadata.labels, { app: 'web', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' });
  // Also before the informer has shown what was made.
  assert.deepEqual((await bed.pass(controller, key)).writes, []);
  bed.put(pods, pod('bb', false));
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, ['update endpoints default/web']);
  assert.equal(bed.client.find(endpoints, key)?.subsets?.[0]?.notReadyAddresses?.length, 1);
});

test('a Service without a selector keeps what others wrote, and one that is gone takes along only what was made for it', async () => {
  await using bed = new TestBed();
  const { selector: _, ...bare } = web.spec ?? {};
  const controller = await start(bed, { ...web, spec: bare });
  assert.deepEqual((await bed.pass(controller, key)).writes, []);
  const written: Endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'web', namespace: 'default' } };
  bed.put(endpoints, written);
  bed.client.forget(services, key);
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, []);
  bed.put(endpoints, {
    ...written,
    metadata: { ...written.metadata, labels: { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' } },
  });
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, ['delete endpoints default/web']);
});

test('a refusal brings the key back', async () => {
  await using bed = new TestBed();
  const controller = await start(bed);
  bed.client.refuse(/create endpoints/, refusal(500, 'InternalError', 'no'), 1);
  assert.equal((await bed.pass(controller, key)).error, 'no');
  assert.deepEqual((await bed.pass(controller, key)).writes, ['create endpoints default/web']);
});

test('news of a pod brings the Services that select it, and Endpoints that somebody deleted come back', async () => {
  await using bed = new TestBed();
  const controller = await start(bed);
  const news = bed.listen(controller);
  await news.deliver();
  bed.put(pods, { ...pod('a'), status: { ...pod('a').status, message: 'no news' } });
  assert.deepEqual(await news.deliver(), []);
  bed.put(pods, pod('a', false));
  assert.deepEqual(await news.deliver(), [key]);
  await bed.pass(controller, key);
  await news.deliver();
  bed.client.forget(endpoints, key);
  assert.deepEqual(await news.deliver(), [key]);
});

test('planEndpoints() takes a thousand addresses, and marks an object that had to do without some', () => {
  const many = (n: number): Pod[] => Array.from({ length: n }, (_, i) => pod(`p${i}`));
  const said = (of: Endpoints | undefined): unknown => [of?.subsets?.[0]?.addresses?.length, of?.metadata.annotations];
  const full = planEndpoints(web, many(1000), undefined);
  assert.deepEqual(said(full), [1000, {}]);
  const cut = planEndpoints(web, many(1001), full);
  assert.deepEqual(said(cut), [1000, { 'endpoints.kubernetes.io/over-capacity': 'truncated' }]);
  assert.deepEqual(said(planEndpoints(web, many(999), cut)), [999, {}]);
});

test('endpointsOf() leaves out pods that have no number for any port, and groups by the ports that they have', () => {
  const named: Service = { ...web, spec: { ...web.spec, ports: [{ name: 'http', port: 80, targetPort: 'http' }] } };
  const withPort = (name: string, containerPort: number): Pod => ({
    ...pod(name),
    spec: { containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort }] }] },
  });
  const { subsets } = endpointsOf(named, [withPort('a', 8080), withPort('bb', 9090), pod('ccc')]);
  assert.deepEqual(
    subsets?.map(({ ports, addresses }) => [ports?.[0]?.port, addresses?.map(({ ip }) => ip)]),
    [
      [8080, ['10.244.1.1']],
      [9090, ['10.244.1.2']],
    ],
  );
});
