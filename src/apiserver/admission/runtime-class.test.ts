import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Reply, TestServer } from '../testing/test-server.ts';

describe('pods with a RuntimeClass', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    const classes = '/apis/node.k8s.io/v1/runtimeclasses';
    const scheduling = { nodeSelector: { sandbox: 'yes' }, tolerations: [{ key: 'sandbox', operator: 'Exists' }] };
    const made = { metadata: { name: 'vm' }, handler: 'kata', overhead: { podFixed: { cpu: '10m', memory: '1Mi' } }, scheduling };
    assert.equal((await s.call('POST', classes, made)).status, 201);
    assert.equal((await s.call('POST', classes, { metadata: { name: 'plain' }, handler: 'runc' })).status, 201);
  });
  after(() => s.stop());

  const create = (name: string, spec: object): Promise<Reply> =>
    s.call('POST', '/api/v1/namespaces/default/pods', { metadata: { name }, spec: { containers: [{ name: 'a', image: 'i' }], ...spec } });

  test('get its overhead, its nodes and its tolerations', async () => {
    const { spec } = (await create('one', { runtimeClassName: 'vm', nodeSelector: { disk: 'ssd' } })).body;
    assert.deepEqual(spec.overhead, { cpu: '10m', memory: '1Mi' });
    assert.deepEqual(spec.nodeSelector, { disk: 'ssd', sandbox: 'yes' });
    assert.ok(spec.tolerations.some((t: { key: string }) => t.key === 'sandbox'));
    assert.equal((await create('two', { runtimeClassName: 'plain' })).body.spec.overhead, undefined);
  });

  for (const [what, spec, message] of [
    ['a class that is not there', { runtimeClassName: 'none' }, /^pods "bad" is forbidden: pod rejected: RuntimeClass "none" not found$/],
    ['an overhead of their own', { overhead: { cpu: '1' } }, /without corresponding RuntimeClass/],
    ['another overhead', { runtimeClassName: 'vm', overhead: { cpu: '1' } }, /doesn't match RuntimeClass's/],
    [
      'other nodes',
      { runtimeClassName: 'vm', nodeSelector: { sandbox: 'no' } },
      /: conflict: runtimeClass.scheduling.nodeSelector\[sandbox\] = yes; pod.spec.nodeSelector\[sandbox\] = no$/,
    ],
  ] as const) {
    test(`are refused with ${what}`, async () => {
      const reply = await create('bad', spec);
      assert.equal(reply.status, 403, reply.text);
      assert.match(reply.body.message, message);
    });
  }

  test('may say the overhead themselves, in any way to write it', async () => {
    assert.equal((await create('three', { runtimeClassName: 'vm', overhead: { cpu: '0.01', memory: '1024Ki' } })).status, 201);
  });
});
