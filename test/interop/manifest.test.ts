/** What `fairlead manifest` prints, on kube-apiserver with RBAC: enough for each part, and with the limits no more than its own node. */
import assert from 'node:assert/strict';
import type { Agent } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { nodePartGroup, nodeParts, nodePartUser } from '../../src/api/node-parts.ts';
import type { KubeObject } from '../../src/api/resource-types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { manifest } from '../../src/main/manifest.ts';
import { manifestLimits } from '../../src/main/manifest-limits.ts';
import { administratorBindings } from './testing/administrator-bindings.ts';
import { type Answer, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';

const skip = lacksProgram('etcd', 'kube-apiserver');
const slices = '/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices';

function pathOf({ apiVersion, kind, metadata }: KubeObject): string {
  const plural = kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`;
  const at = metadata.namespace ? `namespaces/${metadata.namespace}/` : '';
  return `/${apiVersion === 'v1' ? 'api' : 'apis'}/${apiVersion}/${at}${plural.toLowerCase()}`;
}

function slice(node: string, on: string = node): object {
  const labels = { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'dns.fairlead.dev' };
  const endpoints = [{ addresses: ['192.0.2.1'], nodeName: on }];
  return { metadata: { name: `kube-dns-${node}`, labels }, addressType: 'IPv4', endpoints, ports: [] };
}

describe('fairlead manifest on kube-apiserver', { skip }, () => {
  let server: KubeApiServer;
  const agents: Agent[] = [];
  const as = async (user: string, ...groups: string[]): Promise<(method: string, path: string, body?: object) => Promise<Answer>> => {
    const agent = await server.agent(user, ...groups);
    agents.push(agent);
    const type = 'application/strategic-merge-patch+json';
    return (method, path, body) => server.call(method, path, body, method === 'PATCH' ? { agent, type } : { agent });
  };
  const lease = { metadata: { annotations: { 'flannel.alpha.coreos.com/public-ip': '192.0.2.9' } } };

  before(async () => {
    server = await KubeApiServer.start({ authorization: 'Node,RBAC' });
    const objects = [...administratorBindings, ...manifest({ parts: nodeParts, clusterDns: '10.96.0.10' }), ...manifestLimits(nodeParts)];
    for (const object of objects)
      await eventually(`${object.kind} ${object.metadata.name}`, async () => {
        const { status, body } = await server.call('POST', pathOf(object), object);
        assert.ok(status === 201 || status === 409, JSON.stringify(body));
      });
    for (const name of ['n1', 'n2']) assert.equal((await server.call('POST', '/api/v1/nodes', { metadata: { name } })).status, 201);
  });
  after(async () => {
    for (const agent of agents) agent.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  test('the administrator is one by a binding, and the API server may ask kubelets, nothing else', async () => {
    const admin = await as('kubernetes-admin', 'kubeadm:cluster-admins');
    await eventually('the binding', async () => assert.equal((await admin('GET', '/api/v1/secrets')).status, 200));
    const review = async (user: string, attributes: object): Promise<boolean> =>
      (
        await admin('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
          spec: { user, groups: ['system:authenticated'], resourceAttributes: attributes },
        })
      ).body.status.allowed;
    const user = 'kube-apiserver-kubelet-client';
    await eventually('the role', async () =>
      assert.equal(await review(user, { resource: 'nodes', subresource: 'proxy', verb: 'create' }), true),
    );
    assert.equal(await review(user, { resource: 'secrets', verb: 'list' }), false);
  });

  test('each part may what it needs', async () => {
    for (const [part, paths] of [
      ['proxy', ['/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices', '/api/v1/nodes/n1']],
      ['net-agent', ['/api/v1/nodes']],
      ['dns', ['/api/v1/services', '/api/v1/namespaces', '/apis/discovery.k8s.io/v1/endpointslices', '/api/v1/nodes/n1']],
    ] as const) {
      const ask = await as(nodePartUser(part, 'n1'), nodePartGroup(part));
      for (const path of paths) await eventually(`${part} ${path}`, async () => assert.equal((await ask('GET', path)).status, 200));
    }
  });

  test('the net-agent writes its own Node, and of it no addresses', async () => {
    const netAgent = await as(nodePartUser('net-agent', 'n1'), nodePartGroup('net-agent'));
    const patch = (node: string, body: object): Promise<Answer> => netAgent('PATCH', `/api/v1/nodes/${node}/status`, body);
    // A policy works a moment after it is made.
    await eventually('the policy', async () => {
      const { body } = await patch('n2', lease);
      assert.match(body.message, /a net-agent may only write its own Node/);
    });
    const own = await patch('n1', lease);
    assert.equal(own.status, 200, JSON.stringify(own.body));
    const moved = await patch('n1', { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.66' }] } });
    assert.match(moved.body.message, /may not change the addresses/);
  });

  test('the DNS writes its own slice', async () => {
    const dns = await as(nodePartUser('dns', 'n1'), nodePartGroup('dns'));
    await eventually('the policy', async () => {
      const { body } = await dns('POST', slices, slice('n2'));
      assert.match(body.message, /may only write its own EndpointSlice/);
    });
    assert.match((await dns('POST', slices, slice('n1', 'n2'))).body.message, /endpoints on its own node/);
    const own = await dns('POST', slices, slice('n1'));
    assert.equal(own.status, 201, JSON.stringify(own.body));
    assert.equal((await server.call('POST', slices, slice('n2'))).status, 201);
    assert.match((await dns('DELETE', `${slices}/kube-dns-n2`)).body.message, /may only write its own EndpointSlice/);
    assert.equal((await dns('DELETE', `${slices}/kube-dns-n1`)).status, 200);
  });
});
