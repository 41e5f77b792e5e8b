import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../testing/test-server.ts';

describe('a pod that is replaced by what it was made from', () => {
  const pods = '/api/v1/namespaces/default/pods';
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
    await s.call('POST', classes, { metadata: { name: 'usual' }, value: 7, preemptionPolicy: 'Never' });
  });
  after(() => s.stop());

  test('keeps its priority and its way through trouble of a node', async () => {
    const spec = {
      containers: [{ name: 'a', image: 'i' }],
      automountServiceAccountToken: false,
      serviceAccountName: 'default',
      priorityClassName: 'usual',
    };
    const made = (await s.call('POST', pods, { metadata: { name: 'one' }, spec })).body;
    assert.deepEqual([made.spec.priority, made.spec.preemptionPolicy, made.spec.tolerations.length], [7, 'Never', 2]);
    const same = await s.call('PUT', `${pods}/one`, { metadata: { name: 'one' }, spec });
    assert.equal(same.status, 200, same.text);
    assert.deepEqual(same.body.spec, made.spec);
    assert.equal(same.body.metadata.generation, 1);
  });

  test('gets more tolerations without losing these', async () => {
    const { body } = await s.call('GET', `${pods}/one`);
    const own = { key: 'a', operator: 'Exists' };
    const { status, body: next } = await s.call('PUT', `${pods}/one`, { ...body, spec: { ...body.spec, tolerations: [own] } });
    assert.deepEqual([status, next.spec.tolerations[0], next.spec.tolerations.length, next.metadata.generation], [200, own, 3, 2]);
  });
});
