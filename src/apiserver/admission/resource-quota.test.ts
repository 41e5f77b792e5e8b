/** Charges of ResourceQuotas, over a store that several servers share. `test/interop/resource-quotas.test.ts` compares answers with kube-apiserver's. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Json, type Reply, TestServer } from '../testing/test-server.ts';

const type = 'application/merge-patch+json';
const admission = { enabled: [], disabled: ['ServiceAccount'] };

describe('ResourceQuota', () => {
  let one: TestServer;
  let two: TestServer;
  let made = 0;

  before(async () => {
    one = await TestServer.start(undefined, { admission });
    two = await TestServer.start(one.store, { admission, beside: one });
  });
  after(async () => {
    await two.server.close();
    two.disconnect();
    await one.stop();
  });

  /** A namespace of its own with these quotas, counted as `used` says. */
  async function namespaceWith(...quotas: readonly { hard: object; used?: object; spec?: object }[]): Promise<string> {
    made++;
    const namespace = `quota-${made}`;
    assert.equal((await one.call('POST', '/api/v1/namespaces', { metadata: { name: namespace } })).status, 201);
    for (const [i, { hard, used, spec }] of quotas.entries()) {
      const path = `/api/v1/namespaces/${namespace}/resourcequotas`;
      assert.equal((await one.call('POST', path, { metadata: { name: `q${i}` }, spec: { hard, ...spec } })).status, 201);
      assert.equal(
        (await one.call('PATCH', `${path}/q${i}/status`, { status: { hard, ...(used ? { used } : {}) } }, { type })).status,
        200,
      );
    }
    // Read through it, so that its cache has them.
    await two.call('GET', `/api/v1/namespaces/${namespace}/resourcequotas`);
    return namespace;
  }
  const used = async (namespace: string, quota = 'q0'): Promise<Json> =>
    (await two.call('GET', `/api/v1/namespaces/${namespace}/resourcequotas/${quota}`)).body.status.used;
  const create = (server: TestServer, namespace: string, resource: string, body: Json = {}, query = ''): Promise<Reply> => {
    made++;
    return server.call('POST', `/api/v1/namespaces/${namespace}/${resource}${query}`, { metadata: { name: `o${made}` }, ...body });
  };
  const podSpec = (cpu: string): object => ({ spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }] } });

  test('lets in as many as there may be, whatever number of servers are asked at once', async () => {
    const namespace = await namespaceWith({ hard: { 'count/configmaps': '10' }, used: { 'count/configmaps': '3' } });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => create(i % 2 ? one : two, namespace, 'configmaps')));
    assert.deepEqual([answers.filter((a) => a.status === 201).length, answers.filter((a) => a.status === 403).length], [7, 33]);
    const { items } = (await one.call('GET', `/api/v1/namespaces/${namespace}/configmaps`)).body;
    assert.equal(items.length, 7);
    assert.deepEqual(await used(namespace), { 'count/configmaps': '10' });
    const refused = answers.find((a) => a.status === 403)!.body;
    assert.match(
      refused.message,
      /^configmaps "o\d+" is forbidden: exceeded quota: q0, requested: count\/configmaps=1, used: count\/configmaps=\d+, limited: count\/configmaps=10$/,
    );
  });

  test('charges all quotas that a pod is in, and none when one has too little', async () => {
    const namespace = await namespaceWith(
      { hard: { pods: '5' }, used: { pods: '0' } },
      { hard: { 'requests.cpu': '1' }, used: { 'requests.cpu': '0' }, spec: { scopes: ['NotBestEffort'] } },
    );
    assert.equal((await create(one, namespace, 'pods', podSpec('600m'))).status, 201);
    assert.equal((await create(two, namespace, 'pods', podSpec('600m'))).status, 403);
    assert.equal((await create(two, namespace, 'pods', { spec: { containers: [{ name: 'c', image: 'i' }] } })).status, 201);
    assert.deepEqual([await used(namespace), await used(namespace, 'q1')], [{ pods: '2' }, { 'requests.cpu': '600m' }]);
  });

  test('holds a dry run to what is left, and charges nothing for it', async () => {
    const namespace = await namespaceWith({ hard: { pods: '1' }, used: { pods: '0' } });
    assert.equal((await create(one, namespace, 'pods', podSpec('1'), '?dryRun=All')).status, 201);
    assert.deepEqual(await used(namespace), { pods: '0' });
    await create(one, namespace, 'pods', podSpec('1'));
    assert.equal((await create(one, namespace, 'pods', podSpec('1'), '?dryRun=All')).status, 403);
  });

  test('takes no more than a change asks for in addition, and gives nothing back by itself', async () => {
    const namespace = await namespaceWith({ hard: { 'services.nodeports': '2' }, used: { 'services.nodeports': '0' } });
    const { body } = await create(one, namespace, 'services', { spec: { type: 'NodePort', ports: [{ port: 80 }] } });
    const path = `/api/v1/namespaces/${namespace}/services/${body.metadata.name}`;
    const ports = (n: number): object => ({ spec: { ports: Array.from({ length: n }, (_, i) => ({ name: `p${i}`, port: 80 + i })) } });
    assert.equal((await two.call('PATCH', path, ports(2), { type })).status, 200);
    assert.deepEqual(await used(namespace), { 'services.nodeports': '2' });
    assert.match(
      (await two.call('PATCH', path, ports(3), { type })).body.message,
      /requested: services.nodeports=1, used: services.nodeports=2, limited/,
    );
    assert.equal((await one.call('PATCH', path, ports(1), { type })).status, 200);
    assert.deepEqual(await used(namespace), { 'services.nodeports': '2' });
  });

  test('hears before it refuses of what somebody has freed through another server', async () => {
    const namespace = await namespaceWith({ hard: { pods: '1' }, used: { pods: '1' } });
    const free = { status: { used: { pods: '0' } } };
    assert.equal((await one.call('PATCH', `/api/v1/namespaces/${namespace}/resourcequotas/q0/status`, free, { type })).status, 200);
    assert.equal((await create(two, namespace, 'pods', podSpec('1'))).status, 201);
  });

  test('refuses what nobody has counted yet, and asks nothing of other objects', async () => {
    const namespace = await namespaceWith({ hard: { pods: '1' } });
    assert.match((await create(one, namespace, 'pods', podSpec('1'))).body.message, /status unknown for quota: q0, resources: pods$/);
    assert.equal((await create(one, namespace, 'configmaps')).status, 201);
    assert.equal((await create(one, namespace, 'events', { involvedObject: { namespace } })).status, 201);
  });

  test('is no more once it is deleted', async () => {
    const namespace = await namespaceWith({ hard: { pods: '0' }, used: { pods: '0' } });
    assert.equal((await create(one, namespace, 'pods', podSpec('1'))).status, 403);
    await one.call('DELETE', `/api/v1/namespaces/${namespace}/resourcequotas/q0`);
    assert.equal((await create(two, namespace, 'pods', podSpec('1'))).status, 201);
  });
});
