/** What a kubelet does, as the user that a kubelet is. */
import assert from 'node:assert/strict';
import type { Agent } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { type Reply, TestServer } from './testing/test-server.ts';

const inDefault = (resource: string): string => `/api/v1/namespaces/default/${resource}`;
const strategic = { type: 'application/strategic-merge-patch+json' };

describe('a kubelet', () => {
  let s: TestServer;
  let agent: Agent;
  const as = (method: string, path: string, body?: object, more: object = {}): Promise<Reply> =>
    s.call(method, path, body, { agent, ...more });

  before(async () => {
    s = await TestServer.start();
    agent = s.agent(await s.pki.client('system:node:n1', 'system:nodes'));
    await s.call('POST', inDefault('serviceaccounts'), { metadata: { name: 'default' } });
    await s.call('POST', inDefault('configmaps'), { metadata: { name: 'used' } });
    await s.call('POST', inDefault('configmaps'), { metadata: { name: 'unused' } });
    const containers = [{ name: 'c', image: 'i', envFrom: [{ configMapRef: { name: 'used' } }] }];
    await s.call('POST', inDefault('pods'), { metadata: { name: 'p' }, spec: { nodeName: 'n1', containers } });
    await s.call('POST', inDefault('pods'), { metadata: { name: 'other' }, spec: { nodeName: 'n2', containers } });
  });
  after(() => s.stop());

  test('registers its node, which is not ready yet, and renews its lease', async () => {
    const node = await as('POST', '/api/v1/nodes', { metadata: { name: 'n1' }, status: { capacity: { cpu: '1' } } });
    assert.equal(node.status, 201, node.text);
    assert.deepEqual(node.body.spec.taints, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }]);
    assert.equal(node.body.status.capacity.cpu, '1');
    assert.equal(
      (await as('PATCH', '/api/v1/nodes/n1/status', { status: { conditions: [{ type: 'Ready', status: 'True' }] } }, strategic)).status,
      200,
    );
    const lease = { metadata: { name: 'n1' }, spec: { holderIdentity: 'n1' } };
    assert.equal((await as('POST', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', lease)).status, 201);
  });

  for (const [path, status] of [
    ['/api/v1/pods?fieldSelector=spec.nodeName%3Dn1', 200],
    ['/api/v1/pods', 403],
    ['/api/v1/nodes?fieldSelector=metadata.name%3Dn1', 200],
    ['/api/v1/nodes/n2', 403],
    ['/api/v1/services', 200],
    [inDefault('configmaps/used'), 200],
    [inDefault('configmaps?fieldSelector=metadata.name%3Dused'), 200],
    [inDefault('configmaps/unused'), 403],
    [inDefault('configmaps'), 403],
    [inDefault('secrets/any'), 403],
  ] as const) {
    test(`is answered ${status} for ${path}`, async () => {
      const reply = await as('GET', path);
      assert.equal(reply.status, status, reply.text);
    });
  }

  test('gets tokens for its pods, and says how they are', async () => {
    const { metadata } = (await s.call('GET', inDefault('pods/p'))).body;
    const bound = { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: metadata.uid };
    const token = await as('POST', inDefault('serviceaccounts/default/token'), { spec: { audiences: [], boundObjectRef: bound } });
    assert.equal(token.status, 201, token.text);
    const review = await s.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: token.body.status.token } });
    assert.equal(review.body.status.user.username, 'system:serviceaccount:default:default');
    assert.equal((await as('PATCH', inDefault('pods/p/status'), { status: { phase: 'Running' } }, strategic)).status, 200);
    assert.equal((await as('PATCH', inDefault('pods/other/status'), { status: { phase: 'Running' } }, strategic)).status, 403);
    assert.equal((await as('DELETE', inDefault('pods/other?gracePeriodSeconds=0'))).status, 403);
    assert.equal((await as('DELETE', inDefault('pods/p?gracePeriodSeconds=0'))).status, 200);
    const ended = await s.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: token.body.status.token } });
    assert.equal(ended.body.status.authenticated, false, 'a token ends with its pod');
  });

  test('tells of each address once', async () => {
    const address = { type: 'InternalIP', address: '192.0.2.7' };
    const { body } = await as('GET', '/api/v1/nodes/n1');
    const put = (addresses: object[]): Promise<Reply> =>
      as('PUT', '/api/v1/nodes/n1/status', { ...body, status: { ...body.status, addresses } });
    const twice = await put([address, address]);
    assert.equal(twice.status, 422, twice.text);
    assert.match(twice.body.message, /status\.addresses\[1\]: Duplicate value/);
    assert.equal((await put([address, { ...address, type: 'Hostname' }])).status, 200);
  });

  test('cannot give itself more', async () => {
    const binding = {
      metadata: { name: 'more' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'system:node:n1' }],
    };
    assert.equal((await as('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', binding)).status, 403);
    assert.equal(
      (await as('PATCH', '/api/v1/nodes/n1', { metadata: { labels: { 'node-restriction.kubernetes.io/x': 'y' } } }, strategic)).status,
      403,
    );
  });
});

describe('the other parts of a node', () => {
  let s: TestServer;
  const agents = new Map<string, Agent>();
  const as = (part: string, method: string, path: string, body?: object): Promise<Reply> =>
    s.call(method, path, body, { agent: agents.get(part)!, ...(method === 'PATCH' ? strategic : {}) });
  const lease = { metadata: { annotations: { 'flannel.alpha.coreos.com/public-ip': '192.0.2.9' } } };

  before(async () => {
    s = await TestServer.start();
    for (const part of ['proxy', 'net-agent', 'dns', 'speaker'])
      agents.set(part, s.agent(await s.pki.client(`system:fairlead:${part}:n1`, `system:fairlead:${part}`)));
    agents.set('shared', s.agent(await s.pki.client('system:fairlead:net-agent')));
    for (const name of ['n1', 'n2']) await s.call('POST', '/api/v1/nodes', { metadata: { name } });
  });
  after(() => s.stop());

  for (const [part, method, path, status, body] of [
    ['net-agent', 'GET', '/api/v1/nodes', 200],
    ['net-agent', 'PATCH', '/api/v1/nodes/n1/status', 200, lease],
    ['net-agent', 'PATCH', '/api/v1/nodes/n2/status', 403, lease],
    ['net-agent', 'PATCH', '/api/v1/nodes/n1/status', 403, { status: { addresses: [{ type: 'InternalIP', address: '192.0.2.9' }] } }],
    ['net-agent', 'PATCH', '/api/v1/nodes/n1', 403, lease],
    ['net-agent', 'GET', '/api/v1/pods', 403],
    ['shared', 'PATCH', '/api/v1/nodes/n2/status', 403, lease],
    ['proxy', 'GET', '/api/v1/services', 200],
    ['proxy', 'GET', '/apis/discovery.k8s.io/v1/endpointslices', 200],
    ['proxy', 'PATCH', '/api/v1/nodes/n1/status', 403, lease],
    ['dns', 'GET', '/api/v1/services', 200],
    ['dns', 'PATCH', '/api/v1/nodes/n1/status', 403, lease],
    ['dns', 'DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes', 403],
  ] as [string, string, string, number, object?][]) {
    test(`${part}: ${method} ${path} is answered ${status}`, async () => {
      const reply = await as(part, method, path, body);
      assert.equal(reply.status, status, reply.text);
    });
  }
});
