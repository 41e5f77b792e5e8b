import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointSlices, nodes, services } from '../../api/resource-types.ts';
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { labelManagedBy, labelServiceName } from '../../api/well-known.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { FakeCluster } from '../../client/testing/fake-cluster.ts';
import { silentLog } from '../../observability/log.ts';
import { Publisher } from './publisher.ts';

const mine = 'endpointslices kube-system/kube-dns-n1';

function service(selector?: Record<string, string>): Service {
  const ports = [{ name: 'dns', protocol: 'UDP', port: 53 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace: 'kube-system', uid: 'uid-svc' },
    spec: { ports, ...(selector ? { selector } : {}) },
  };
}

/** Of pods that a selector picks. */
function foreignSlice(ready: boolean): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kube-dns-x',
      namespace: 'kube-system',
      labels: { [labelServiceName]: 'kube-dns', [labelManagedBy]: 'endpointslice-controller.k8s.io' },
    },
    addressType: 'IPv4',
    ports: [{ port: 53 }],
    endpoints: [{ addresses: ['10.244.0.9'], conditions: { ready } }],
  };
}

async function start(withNode: boolean): Promise<{ cluster: FakeCluster; publisher: Publisher; pass(): Promise<string[]> }> {
  const cluster = new FakeCluster();
  if (withNode) cluster.put(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', uid: 'uid-n1' } });
  const { client, informers, clock, signal } = cluster;
  const where = { namespace: 'kube-system', service: 'kube-dns', nodeName: 'n1', address: '192.0.2.7', port: 53 };
  const publisher = new Publisher({ client, informers, clock, log: silentLog, signal, ...where });
  const pass = async (): Promise<string[]> => {
    await cluster.deliver();
    await publisher.reconcile();
    return client.took();
  };
  return { cluster, publisher, pass };
}

describe('the publisher', () => {
  test('makes a slice that its Node owns, and keeps it as it is', async () => {
    const { cluster, pass } = await start(true);
    await using _ = cluster;
    cluster.put(services, service());
    assert.deepEqual(await pass(), [`create ${mine}`]);
    const { metadata, endpoints } = cluster.client.find(endpointSlices, 'kube-system/kube-dns-n1') as EndpointSlice;
    assert.equal(metadata.ownerReferences?.[0]?.uid, 'uid-n1');
    assert.deepEqual(endpoints?.[0]?.addresses, ['192.0.2.7']);
    assert.deepEqual(await pass(), []);
  });

  test('asks for its Node again while there is none, and lets the Service own the slice until then', async () => {
    const { cluster, publisher, pass } = await start(false);
    await using _ = cluster;
    cluster.put(services, service());
    assert.deepEqual(await pass(), [`create ${mine}`]);
    assert.equal(cluster.client.find(endpointSlices, 'kube-system/kube-dns-n1')?.metadata.ownerReferences?.[0]?.uid, 'uid-svc');
    await cluster.deliver();
    assert.deepEqual(await publisher.reconcile(), { requeueAfter: 10_000 });
    cluster.client.refuse(/get nodes/, refusal(403, 'Forbidden'));
    assert.deepEqual(await publisher.reconcile(), undefined, 'who may not read Nodes does not ask for ever');
  });

  test('steps back while pods that the selector picks are ready, and comes back when none is', async () => {
    const { cluster, pass } = await start(true);
    await using _ = cluster;
    cluster.put(services, service({ 'k8s-app': 'kube-dns' }));
    assert.deepEqual(await pass(), [`create ${mine}`]);
    cluster.put(endpointSlices, foreignSlice(true));
    assert.deepEqual(await pass(), [`delete ${mine}`]);
    cluster.put(endpointSlices, foreignSlice(false));
    assert.deepEqual(await pass(), [`create ${mine}`]);
  });

  test('takes its slice away with the Service, and when the process ends', async () => {
    const { cluster, publisher, pass } = await start(true);
    await using _ = cluster;
    cluster.put(services, service());
    await pass();
    await publisher.withdraw();
    assert.deepEqual(cluster.client.took(), [`delete ${mine}`]);
    assert.deepEqual(await pass(), [`create ${mine}`]);
    cluster.client.forget(services, 'kube-system/kube-dns');
    assert.deepEqual(await pass(), [`delete ${mine}`]);
    await publisher.withdraw();
    assert.deepEqual(cluster.client.took(), [], 'nothing is left to take away');
  });
});
