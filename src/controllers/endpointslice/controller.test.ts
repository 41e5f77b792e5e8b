import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointSlices, endpoints, nodes, pods, services } from '../../api/resource-types.ts';
import type { EndpointSlice, Endpoints, Node, Pod, Service } from '../../api/schema/types.ts';
import { labelTopologyZone } from '../../api/well-known.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { EndpointSliceMirroringController } from '../endpointslice-mirroring/controller.ts';
import { podOf } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { EndpointSliceController } from './controller.ts';

const key = 'default/web';
const web: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', uid: 'uid-web' },
  spec: { clusterIP: '10.96.0.7', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
};

function pod(name: string): Pod {
  const made = podOf(undefined, name, { node: 'w1', readyAt: 0 });
  return { ...made, status: { ...made.status, podIP: `10.244.1.${name.length}`, podIPs: [{ ip: `10.244.1.${name.length}` }] } };
}

function node(zone: string, cpu: string = '4'): Node {
  const metadata = { name: 'w1', labels: { [labelTopologyZone]: zone } };
  return { apiVersion: 'v1', kind: 'Node', metadata, status: { allocatable: { cpu }, conditions: [{ type: 'Ready', status: 'True' }] } };
}

async function start(bed: TestBed): Promise<EndpointSliceController> {
  bed.put(services, web);
  bed.put(nodes, node('z1'));
  bed.put(pods, pod('a'));
  const controller = new EndpointSliceController(bed.context);
  await bed.deliver();
  return controller;
}

function slices(bed: TestBed): EndpointSlice[] {
  return bed.client.all(endpointSlices);
}

test('a Service gets a slice, and no second one before the informer has shown the first', async () => {
  await using bed = new TestBed();
  const controller = await start(bed);
  assert.deepEqual((await bed.pass(controller, key)).writes, ['create endpointslices default/web-1']);
  assert.deepEqual((await bed.pass(controller, key)).writes, []);
  const [made] = slices(bed);
  assert.deepEqual([made?.endpoints?.[0]?.addresses, made?.endpoints?.[0]?.zone], [['10.244.1.1'], 'z1']);
  assert.ok(made?.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time']);
  bed.put(pods, pod('bb'));
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, ['update endpointslices default/web-1']);
});

test('a Service that loses its selector loses its slices; those of one that is gone are the garbage collector’s', async () => {
  await using bed = new TestBed();
  const controller = await start(bed);
  await bed.pass(controller, key);
  const { selector: _, ...bare } = web.spec ?? {};
  bed.put(services, { ...web, spec: bare });
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, ['delete endpointslices default/web-1']);
  bed.client.forget(services, key);
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, []);
});

test('a refusal is told to the Service, a conflict is not, and both bring the key back', async () => {
  await using bed = new TestBed();
  const controller = await start(bed);
  bed.client.refuse(/create endpointslices/, refusal(403, 'Forbidden', 'exceeded quota'), 1);
  const refused = await bed.pass(controller, key);
  assert.equal(refused.error, 'exceeded quota');
  const told = 'Error updating Endpoint Slices for Service default/web: exceeded quota';
  assert.deepEqual(refused.events, [`Warning FailedToUpdateEndpointSlices ${told}`]);
  bed.client.refuse(/create endpointslices/, refusal(409, 'Conflict', 'modified'), 1);
  assert.deepEqual([(await bed.pass(controller, key)).events, (await bed.pass(controller, key)).writes.length], [[], 1]);
});

test('news of a slice, of a pod and of a node’s zone brings the Service, a heartbeat does not', async () => {
  await using bed = new TestBed();
  const controller = await start(bed);
  const news = bed.listen(controller);
  await news.deliver();
  bed.put(nodes, node('z1', '8'));
  assert.deepEqual(await news.deliver(), []);
  bed.put(nodes, node('z2', '8'));
  assert.deepEqual(await news.deliver(), [key]);
  bed.put(pods, pod('bb'));
  assert.deepEqual(await news.deliver(), [key]);
  await bed.pass(controller, key);
  await news.deliver();
  bed.client.forget(endpointSlices, 'default/web-1');
  assert.deepEqual(await news.deliver(), [key]);
  bed.put(services, { ...web, metadata: { ...web.metadata, annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } } });
  await news.deliver();
  bed.put(nodes, node('z2', '16'));
  assert.deepEqual(await news.deliver(), [key]);
});

test('Endpoints written by hand are mirrored while their Service has no selector', async () => {
  await using bed = new TestBed();
  const { selector: _, ...bare } = web.spec ?? {};
  bed.put(services, { ...web, spec: bare });
  const written: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-written' },
    subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80, protocol: 'TCP' }] }],
  };
  bed.put(endpoints, written);
  const controller = new EndpointSliceMirroringController(bed.context);
  const news = bed.listen(controller);
  assert.deepEqual([...new Set(await news.deliver())], [key]);
  assert.deepEqual((await bed.pass(controller, key)).writes, ['create endpointslices default/web-1']);
  assert.deepEqual((await bed.pass(controller, key)).writes, []);
  assert.deepEqual(slices(bed)[0]?.endpoints?.[0]?.addresses, ['192.0.2.1']);
  bed.put(services, web);
  await news.deliver();
  assert.deepEqual((await bed.pass(controller, key)).writes, ['delete endpointslices default/web-1']);
});
