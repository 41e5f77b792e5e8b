import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Json, type Reply, TestServer } from '../testing/test-server.ts';

describe('the eviction of a pod', () => {
  const ns = '/api/v1/namespaces/default';
  const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  const merge = { type: 'application/merge-patch+json' };
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', `${ns}/serviceaccounts`, { metadata: { name: 'default' } });
  });
  after(() => s.stop());

  /** A pod on a node, which stays for its grace when it is deleted. */
  async function run(name: string, ready = true): Promise<void> {
    const spec = { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }] };
    await s.call('POST', `${ns}/pods`, { metadata: { name, labels: { app: name } }, spec });
    const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
    assert.equal((await s.call('PATCH', `${ns}/pods/${name}/status`, { status: { phase: 'Running', conditions } }, merge)).status, 200);
  }

  async function protect(app: string, status: object): Promise<void> {
    await s.call('POST', budgets, { metadata: { name: app }, spec: { minAvailable: 1, selector: { matchLabels: { app } } } });
    const counts = { observedGeneration: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, disruptionsAllowed: 1, ...status };
    assert.equal((await s.call('PATCH', `${budgets}/${app}/status`, { status: counts }, merge)).status, 200);
  }

  const evict = (name: string, body: object = {}, query = ''): Promise<Reply> =>
    s.call('POST', `${ns}/pods/${name}/eviction${query}`, body);
  const get = async (path: string): Promise<Json> => (await s.call('GET', path)).body;

  test('deletes it, and says on it why', async () => {
    await run('free');
    const { status, body } = await evict('free', { deleteOptions: { gracePeriodSeconds: 7 } });
    assert.deepEqual([status, body.status], [201, 'Success']);
    const pod = await get(`${ns}/pods/free`);
    assert.equal(pod.metadata.deletionGracePeriodSeconds, 7);
    const [ready, { lastTransitionTime, ...target }, ...others] = pod.status.conditions;
    assert.match(lastTransitionTime, /^\d{4}-.*Z$/);
    assert.deepEqual([ready.type, others], ['Ready', []]);
    assert.deepEqual(target, {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    });
  });

  test('takes a disruption of its budget, and is refused when there is none', async () => {
    for (const name of ['shop', 'bar']) await run(name);
    await protect('shop', {});
    assert.equal((await evict('shop')).status, 201);
    const { disruptionsAllowed, disruptedPods } = (await get(`${budgets}/shop`)).status;
    assert.deepEqual([disruptionsAllowed, Object.keys(disruptedPods)], [0, ['shop']]);
    await protect('bar', { disruptionsAllowed: 0, currentHealthy: 1 });
    const refused = await evict('bar');
    assert.deepEqual([refused.status, refused.body.details.causes[0].reason], [429, 'DisruptionBudget']);
    assert.equal((await get(`${ns}/pods/bar`)).metadata.deletionTimestamp, undefined);
  });

  test('costs nothing where the pod is not ready and the others are enough', async () => {
    await run('sick', false);
    await protect('sick', {});
    assert.equal((await evict('sick')).status, 201);
    assert.equal((await get(`${budgets}/sick`)).status.disruptionsAllowed, 1);
    assert.ok((await get(`${ns}/pods/sick`)).metadata.deletionTimestamp);
  });

  for (const [how, body, query] of [
    ['the query', {}, '?dryRun=All'],
    ['the body', { deleteOptions: { dryRun: ['All'] } }, ''],
  ] as const)
    test(`changes nothing in a dry run of ${how}`, async () => {
      await run('dry');
      await protect('dry', {});
      const before = [await get(`${ns}/pods/dry`), await get(`${budgets}/dry`)];
      assert.equal((await evict('dry', body, query)).status, 201);
      assert.deepEqual([await get(`${ns}/pods/dry`), await get(`${budgets}/dry`)], before);
    });

  test('holds to its preconditions, its name and its verb', async () => {
    await run('named');
    const { resourceVersion } = (await get(`${ns}/pods/named`)).metadata;
    for (const preconditions of [{ uid: 'other' }, { resourceVersion: '1' }])
      assert.equal((await evict('named', { deleteOptions: { preconditions } })).status, 409, JSON.stringify(preconditions));
    assert.match(
      (await evict('named', { metadata: { name: 'x' } })).body.message,
      /name in URL does not match name in Eviction object: named != x/,
    );
    assert.equal((await evict('named', { deleteOptions: { propagationPolicy: 'No' } })).status, 422);
    assert.equal((await s.call('PUT', `${ns}/pods/named/eviction`, {})).status, 405);
    assert.equal((await get(`${ns}/pods/named`)).metadata.resourceVersion, resourceVersion);
    assert.equal((await evict('named', { deleteOptions: { preconditions: { resourceVersion } } })).status, 201);
    assert.ok((await get(`${ns}/pods/named`)).metadata.deletionTimestamp);
    assert.equal((await evict('nobody')).status, 404);
  });
});
