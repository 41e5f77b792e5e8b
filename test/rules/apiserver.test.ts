/** The proxy as a client of an API server: its own user, RBAC, allocated addresses, watches. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointSlices, events, nodes, serviceCidrs, services } from '../../src/api/resource-types.ts';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { Client } from '../../src/client/client.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { FakeNftables } from '../../src/linux/testing/fake-nftables.ts';
import { NftablesMode } from '../../src/proxy/mode/nftables/nftables-mode.ts';
import { startProxy } from '../../src/proxy/proxy.ts';
import { FakeNodeHost } from '../../src/proxy/testing/fake-node-host.ts';
import { noFlows } from '../../src/proxy/testing/no-flows.ts';

describe('the proxy and an API server', () => {
  test('programs a Service that was allocated its addresses, and follows its endpoints', async () => {
    const server = await TestServer.start();
    const nft = new FakeNftables();
    const ending = new AbortController();
    const client = async (...certificate: Parameters<typeof server.pki.client>): Promise<Client> =>
      new Client({ server: server.url, ca: server.pki.ca, ...(await server.pki.client(...certificate)) });
    try {
      const admin = await client('admin', 'system:masters');
      const proxy = await startProxy({
        client: await client('system:kube-proxy'),
        nodeName: 'node1',
        nodeIps: ['192.168.120.11'],
        clusterCidrs: ['10.244.0.0/16'],
        serviceCidrs: ['10.96.0.0/16'],
        rules: new NftablesMode(nft),
        host: new FakeNodeHost(),
        flows: noFlows,
        signal: ending.signal,
      });
      const held = (set: string): [string, string][] => [...(nft.table('ip', 'kube-proxy')?.elements.get(set) ?? [])];
      await proxy.synced;
      const web = await admin.create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'default' },
        spec: { type: 'NodePort', ports: [{ name: 'http', port: 80 }] },
      });
      const { clusterIP = '', ports = [] } = web.spec ?? {};
      const nodePort = ports[0]?.nodePort;
      await eventually('refused node port', () => held('no-endpoint-nodeports').some(([key]) => key === `tcp . ${nodePort}`));
      const slice = await admin.create(endpointSlices, {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        endpoints: [{ addresses: ['10.244.1.2'] }, { addresses: ['10.244.2.2'] }],
      });
      await eventually('two endpoints', () =>
        held('nodeports').some(([key, data]) => key === `tcp . ${nodePort}` && data === 'goto nodeport-lb-2'),
      );
      await admin.update(endpointSlices, { ...slice, endpoints: [{ addresses: ['10.244.2.2'] }] });
      await eventually('one endpoint', () =>
        held('nodeports').some(([key, data]) => key === `tcp . ${nodePort}` && data === 'goto nodeport-lb-1'),
      );
      await admin.delete(services, 'web', { namespace: 'default' });
      await eventually('none', () => !held('endpoints').some(([key]) => key.startsWith(clusterIP)));
    } finally {
      ending.abort();
      await server.stop();
    }
  });

  test('is allowed to say why it leaves a frontend alone, and learns the Service ranges', async () => {
    const server = await TestServer.start();
    const nft = new FakeNftables();
    const ending = new AbortController();
    const client = async (...certificate: Parameters<typeof server.pki.client>): Promise<Client> =>
      new Client({ server: server.url, ca: server.pki.ca, ...(await server.pki.client(...certificate)) });
    try {
      const admin = await client('admin', 'system:masters');
      const addresses = [{ type: 'InternalIP', address: '192.0.2.9' }];
      const node = await admin.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'other' } });
      await admin.update(nodes, { ...node, status: { ...node.status, addresses } }, { subresource: 'status' });
      const ranges = (await admin.list(serviceCidrs)).items.flatMap(({ spec }) => spec?.cidrs ?? []);
      assert.ok(ranges.length > 0);
      const proxy = await startProxy({
        client: await client('system:kube-proxy'),
        nodeName: 'node1',
        nodeIps: ['192.168.120.11'],
        rules: new NftablesMode(nft),
        host: new FakeNodeHost(),
        flows: noFlows,
        signal: ending.signal,
      });
      await proxy.synced;
      const unserved = nft.table('ip', 'kube-proxy')?.chains.find(({ name }) => name === 'unserved')?.rules ?? [];
      for (const range of ranges) assert.ok(unserved.includes(`ip daddr ${range} goto refuse`), `${range}: ${unserved.join('; ')}`);
      await admin.create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'greedy', namespace: 'default' },
        spec: { externalIPs: ['192.0.2.9'], ports: [{ name: 'kubelet', port: 10_250 }] },
      });
      await eventually('an Event', async () =>
        (await admin.list(events, { namespace: 'default' })).items.some(
          ({ reason, involvedObject, message }) =>
            reason === 'FrontendReserved' && involvedObject.name === 'greedy' && /part of node "other" listens/.test(message ?? ''),
        ),
      );
    } finally {
      ending.abort();
      await server.stop();
    }
  });
});
