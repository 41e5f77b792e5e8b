import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../testing/test-server.ts';

describe('the scale of a Deployment', () => {
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  const scale = `${deployments}/web/scale`;
  const merge = { type: 'application/merge-patch+json' };
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await s.call('POST', deployments, { metadata: { name: 'web' }, spec: { replicas: 2, selector: { matchLabels: labels }, template } });
  });
  after(() => s.stop());

  test('says what is wanted, what there is, and of which pods', async () => {
    const { body: web } = await s.call('GET', `${deployments}/web`);
    const { status, body } = await s.call('GET', scale);
    const { name, namespace, uid, resourceVersion, creationTimestamp } = web.metadata;
    assert.deepEqual(
      [status, body],
      [
        200,
        {
          kind: 'Scale',
          apiVersion: 'autoscaling/v1',
          metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
          spec: { replicas: 2 },
          status: { replicas: 0, selector: 'app=web' },
        },
      ],
    );
  });

  test('is changed by a patch and by a replacement, which changes nothing else', async () => {
    const before = (await s.call('GET', `${deployments}/web`)).body;
    const patched = await s.call('PATCH', scale, { spec: { replicas: 5 } }, merge);
    assert.deepEqual([patched.status, patched.body.spec], [200, { replicas: 5 }]);
    assert.deepEqual((await s.call('GET', `${deployments}/web`)).body.spec, { ...before.spec, replicas: 5 });
    const put = await s.call('PUT', scale, { metadata: { name: 'web' }, spec: { replicas: 3 } });
    assert.deepEqual([put.status, put.body.spec], [200, { replicas: 3 }]);
    const none = await s.call('PUT', scale, { metadata: { name: 'web' } });
    assert.deepEqual([none.body.spec, (await s.call('GET', `${deployments}/web`)).body.spec.replicas], [{ replicas: 0 }, 0]);
  });

  test('takes its uid and its resourceVersion as conditions', async () => {
    for (const metadata of [{ uid: 'other' }, { resourceVersion: '1' }]) {
      const { status, body } = await s.call('PUT', scale, { metadata: { name: 'web', ...metadata }, spec: { replicas: 9 } });
      assert.deepEqual([status, body.reason], [409, 'Conflict'], JSON.stringify(metadata));
    }
    const { body } = await s.call('GET', scale);
    assert.equal((await s.call('PUT', scale, body)).status, 200);
  });

  test('refuses fewer than none, other verbs, and what cannot be scaled', async () => {
    const { status, body } = await s.call('PATCH', scale, { spec: { replicas: -1 } }, merge);
    assert.deepEqual(
      [status, body.message],
      [422, 'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    );
    const table = await s.call('GET', scale, undefined, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    assert.deepEqual(
      table.body.columnDefinitions.map((column: { name: string }) => column.name),
      ['Name', 'Desired', 'Available', 'Age'],
    );
    assert.deepEqual(table.body.rows[0].cells.slice(0, 3), ['web', (await s.call('GET', scale)).body.spec.replicas, 0]);
    assert.equal((await s.call('DELETE', scale)).status, 405);
    const other = await s.call('PATCH', scale, { metadata: { name: 'other' } }, merge);
    assert.deepEqual([other.status, other.body.message], [400, 'the name of the object (other) does not match the name on the URL (web)']);
    assert.equal((await s.call('GET', '/api/v1/namespaces/default/pods/web/scale')).status, 404);
    assert.equal((await s.call('GET', `${deployments}/no/scale`)).status, 404);
  });
});
