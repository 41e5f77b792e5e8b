import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { type Json, TestServer } from '../testing/test-server.ts';

/** The body, once `check` holds for it. */
function bodyOf(s: TestServer, path: string, check: (body: Json) => boolean): Promise<Json> {
  return eventually(async () => {
    const { body } = await s.call('GET', path);
    assert.ok(check(body), `${path} is ${JSON.stringify(body).slice(0, 300)}`);
    return body;
  });
}

describe('what the server keeps in the cluster', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
  });
  after(() => s.stop());

  test('puts default/kubernetes back as soon as it is deleted', async () => {
    await s.call('DELETE', '/api/v1/namespaces/default/services/kubernetes');
    await s.call('DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes');
    const service = await bodyOf(s, '/api/v1/namespaces/default/services/kubernetes', (b) => b.kind === 'Service');
    assert.equal(service.spec.clusterIP, '10.96.0.1');
    await bodyOf(s, '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes', (b) => b.kind === 'EndpointSlice');
  });

  test('keeps the ServiceCIDR of its own range, ready from the beginning', async () => {
    const path = '/apis/networking.k8s.io/v1/servicecidrs/kubernetes';
    const { body } = await s.call('GET', path);
    assert.deepEqual(body.spec, { cidrs: ['10.96.0.0/16'] });
    assert.deepEqual([body.status.conditions[0].type, body.status.conditions[0].status], ['Ready', 'True']);
  });

  test('keeps an IPAddress for every ClusterIP, and none for what is gone', async () => {
    const services = '/api/v1/namespaces/default/services';
    const path = '/apis/networking.k8s.io/v1/ipaddresses';
    await bodyOf(s, `${path}/10.96.0.1`, (b) => b.spec?.parentRef.name === 'kubernetes');
    const spec = { ports: [{ port: 80 }], clusterIP: '10.96.0.77' };
    await s.call('POST', services, { metadata: { name: 'one' }, spec });
    const shown = await bodyOf(s, `${path}/10.96.0.77`, (b) => b.kind === 'IPAddress');
    assert.deepEqual(shown.spec, { parentRef: { group: '', resource: 'services', namespace: 'default', name: 'one' } });
    assert.deepEqual(shown.metadata.labels, {
      'ipaddress.kubernetes.io/ip-family': 'IPv4',
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
    });
    await s.call('DELETE', `${path}/10.96.0.77`);
    await bodyOf(s, `${path}/10.96.0.77`, (b) => b.kind === 'IPAddress' && b.metadata.uid !== shown.metadata.uid);
    await s.call('DELETE', `${services}/one`);
    await s.call('POST', services, { metadata: { name: 'two' }, spec });
    await bodyOf(s, `${path}/10.96.0.77`, (b) => b.spec?.parentRef.name === 'two');
    await s.call('DELETE', `${services}/two`);
    await bodyOf(s, `${path}/10.96.0.77`, (b) => b.code === 404);
  });

  test('gathers the rules of aggregated roles', async () => {
    const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
    await bodyOf(s, `${roles}/view`, (role) => role.rules?.length > 3);
    await s.call('POST', roles, {
      metadata: { name: 'extra', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
      rules: [{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['get'] }],
    });
    await bodyOf(s, `${roles}/view`, (role) => role.rules.some((r: Json) => r.apiGroups?.includes('example.com')));
  });

  test('publishes the CAs of clients and of front proxies, which are two', async () => {
    const { body } = await s.call('GET', '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication');
    assert.match(body.data['client-ca-file'], /BEGIN CERTIFICATE/);
    assert.match(body.data['requestheader-client-ca-file'], /BEGIN CERTIFICATE/);
    assert.notEqual(body.data['requestheader-client-ca-file'], body.data['client-ca-file']);
    assert.deepEqual(JSON.parse(body.data['requestheader-allowed-names']), ['front-proxy-client']);
  });
});
