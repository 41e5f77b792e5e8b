/** The EndpointSlice by which kube-dns finds its servers, against a real API server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { EndpointSlice } from '../../src/api/schema/types.ts';
import type { Client } from '../../src/client/client.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { clusterDnsService } from '../../src/main/cluster-dns.ts';
import { DnsCluster, keepingLog } from './cluster.ts';

const service = '/api/v1/namespaces/kube-system/services/kube-dns';
const services = '/api/v1/namespaces/kube-system/services';
const slices = '/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices';
const merge = { type: 'application/merge-patch+json' };

let cluster: DnsCluster;
let client: Client;
const publish = { namespace: 'kube-system', service: 'kube-dns', nodeName: 'node1', address: '192.0.2.11' };

const sliceOf = async (node: string = 'node1'): Promise<EndpointSlice | undefined> => {
  const { status, body } = await cluster.api.call('GET', `${slices}/kube-dns-${node}`);
  return status === 200 ? body : undefined;
};
const isThere = async (node?: string): Promise<boolean> => (await sliceOf(node)) !== undefined;

before(async () => {
  cluster = await DnsCluster.start();
  client = await cluster.client('admin', 'system:masters');
  await cluster.api.call('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } });
  await cluster.api.call('POST', services, clusterDnsService('10.96.0.10'));
});

after(async () => await cluster?.stop());

/** Of a pod of CoreDNS, as the EndpointSlice controller writes it. */
const foreignSlice = (ready: boolean): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'kube-dns-x7xqk',
    namespace: 'kube-system',
    labels: {
      'kubernetes.io/service-name': 'kube-dns',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    },
  },
  addressType: 'IPv4',
  ports: [{ name: 'dns', port: 53, protocol: 'UDP' }],
  endpoints: [{ addresses: ['10.244.1.9'], conditions: { ready } }],
});

test('a server publishes itself, steps back from pods that are ready, comes back, outlives its Service, and leaves cleanly', async () => {
  const { stop } = await cluster.dns(client, { publish });
  await eventually('the slice is there', isThere);
  const slice = await sliceOf();
  assert.deepEqual(
    slice?.metadata.ownerReferences?.map((o) => [o.kind, o.name, o.blockOwnerDeletion]),
    [['Node', 'node1', undefined]],
  );
  assert.equal(slice?.endpoints?.[0]?.conditions?.ready, true);

  const published = slice?.metadata.uid;
  await cluster.api.call('PATCH', service, { spec: { selector: { 'k8s-app': 'kube-dns' } } }, merge);
  assert.equal((await cluster.api.call('POST', slices, foreignSlice(false))).status, 201);
  // What it sees next comes after these two.
  await cluster.api.call('PATCH', `${slices}/kube-dns-node1`, { endpoints: [{ addresses: ['192.0.2.99'] }] }, merge);
  await eventually('it went on', async () => (await sliceOf())?.endpoints?.[0]?.addresses[0] === '192.0.2.11');
  assert.equal((await sliceOf())?.metadata.uid, published, 'nobody is ready in its place');
  await cluster.api.call('PUT', `${slices}/kube-dns-x7xqk`, foreignSlice(true));
  await eventually('it stepped back', async () => !(await isThere()));
  await cluster.api.call('PUT', `${slices}/kube-dns-x7xqk`, foreignSlice(false));
  await eventually('it stands in', isThere);
  await cluster.api.call('PUT', `${slices}/kube-dns-x7xqk`, foreignSlice(true));
  await eventually('it stepped back again', async () => !(await isThere()));
  await cluster.api.call('PATCH', service, { spec: { selector: null } }, merge);
  await eventually('it came back', isThere);
  await cluster.api.call('DELETE', `${slices}/kube-dns-x7xqk`);

  await cluster.api.call('DELETE', service);
  await eventually('it went with the Service', async () => !(await isThere()));
  await cluster.api.call('POST', services, clusterDnsService('10.96.0.10'));
  await eventually('it is there for the new Service', isThere);

  await cluster.api.call('DELETE', `${slices}/kube-dns-node1`);
  await eventually('it was put back', isThere);

  await stop();
  assert.equal(await isThere(), false);
});

test('what a killed server left behind is taken over', async () => {
  const left: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kube-dns-node1',
      namespace: 'kube-system',
      labels: { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'dns.fairlead.dev' },
    },
    addressType: 'IPv4',
    ports: [{ name: 'dns', port: 53, protocol: 'UDP' }],
    endpoints: [{ addresses: ['192.0.2.9'] }],
  };
  assert.equal((await cluster.api.call('POST', slices, left)).status, 201);
  const { stop } = await cluster.dns(client, { publish });
  await eventually('it names the new address', async () => (await sliceOf())?.endpoints?.[0]?.addresses[0] === '192.0.2.11');
  await stop();
  assert.equal(await isThere(), false);
});

test('a server that steps aside before it starts removes what it had left behind', async () => {
  await cluster.api.call('POST', slices, foreignSlice(true));
  await cluster.api.call('PATCH', service, { spec: { selector: { 'k8s-app': 'kube-dns' } } }, merge);
  await cluster.api.call('POST', slices, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kube-dns-node1',
      namespace: 'kube-system',
      labels: { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'dns.fairlead.dev' },
    },
    addressType: 'IPv4',
    ports: [],
    endpoints: [],
  });
  const { stop } = await cluster.dns(client, { publish });
  await eventually('it is gone', async () => !(await isThere()));
  await stop();
  await cluster.api.call('PATCH', service, { spec: { selector: null } }, merge);
  await cluster.api.call('DELETE', `${slices}/kube-dns-x7xqk`);
});

test("the rights of a node's own DNS are enough, also for a node that is not there yet", async () => {
  const warnings: string[] = [];
  const own = await cluster.client('system:fairlead:dns:node2', 'system:fairlead:dns');
  const { stop } = await cluster.dns(own, { publish: { ...publish, nodeName: 'node2' }, log: keepingLog(warnings) });
  await eventually('the slice is there', () => isThere('node2'));
  await stop();
  assert.equal(await isThere('node2'), false);
  assert.deepEqual(warnings, []);
});
