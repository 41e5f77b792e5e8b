import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Reply, TestServer } from '../testing/test-server.ts';

describe('the binding of a pod', () => {
  const ns = '/api/v1/namespaces/default';
  const target = { kind: 'Node', name: 'n1' };
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', `${ns}/serviceaccounts`, { metadata: { name: 'default' } });
    for (const name of ['web', 'old', 'free']) await make(name);
    await make('gated', { schedulingGates: [{ name: 'x/y' }] });
  });
  after(() => s.stop());
  const make = (name: string, more: object = {}): Promise<Reply> =>
    s.call('POST', `${ns}/pods`, { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }], ...more } });
  const bind = (name: string, body: object): Promise<Reply> => s.call('POST', `${ns}/pods/${name}/binding`, body);

  test('gives it its node, the annotations of the binding, and the condition', async () => {
    const before = (await s.call('GET', `${ns}/pods/web`)).body;
    const bound = await bind('web', { metadata: { name: 'web', annotations: { a: 'b' } }, target });
    assert.deepEqual([bound.status, bound.body.status], [201, 'Success']);
    const { metadata, spec, status } = (await s.call('GET', `${ns}/pods/web`)).body;
    assert.deepEqual(spec, { ...before.spec, nodeName: 'n1' });
    assert.deepEqual([metadata.annotations, metadata.generation], [{ a: 'b' }, before.metadata.generation]);
    const [{ type, status: isTrue }, ...others] = status.conditions;
    assert.deepEqual([type, isTrue, others], ['PodScheduled', 'True', []]);
    const again = await bind('web', { target });
    assert.deepEqual(
      [again.status, again.body.message],
      [409, 'Operation cannot be fulfilled on pods/binding "web": pod web is already assigned to node "n1"'],
    );
  });

  test('goes by the older path, and by a target without a kind', async () => {
    assert.equal((await s.call('POST', `${ns}/bindings`, { metadata: { name: 'old' }, target: { name: 'n2' } })).status, 201);
    assert.equal((await s.call('GET', `${ns}/pods/old`)).body.spec.nodeName, 'n2');
  });

  for (const [what, name, body, code, why] of [
    [
      'another name',
      'free',
      { metadata: { name: 'x' }, target },
      400,
      /name of the object \(x\) does not match the name on the URL \(free\)/,
    ],
    [
      'another pod of that name',
      'free',
      { metadata: { uid: 'x' }, target },
      409,
      /UID in precondition: x, UID in object meta: [0-9a-f-]{36}$/,
    ],
    ['no target', 'free', {}, 422, /target.name: Required value/],
    ['a target that is no node', 'free', { target: { kind: 'Pod', name: 'n' } }, 422, /target.name: Required value/],
    ['a gate', 'gated', { target }, 409, /pod gated has non-empty .spec.schedulingGates/],
  ] as const)
    test(`is refused with ${what}`, async () => {
      const { status, body: reply } = await bind(name, body);
      assert.equal(status, code);
      assert.match(reply.message, why);
      assert.equal((await s.call('GET', `${ns}/pods/${name}`)).body.spec.nodeName, undefined);
    });

  test('changes nothing in a dry run, and is made, never replaced', async () => {
    assert.equal((await s.call('POST', `${ns}/pods/free/binding?dryRun=All`, { target })).status, 201);
    assert.equal((await s.call('GET', `${ns}/pods/free`)).body.spec.nodeName, undefined);
    assert.equal((await s.call('PUT', `${ns}/pods/free/binding`, { target })).status, 405);
  });
});
