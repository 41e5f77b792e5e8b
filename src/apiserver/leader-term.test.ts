/** What a leader asks for in the name of its term, over two API servers: done while the term lasts, and never after it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { termHeader, termText } from '../api/leader-term.ts';
import { type Json, type Reply, TestServer } from './testing/test-server.ts';

const ns = '/api/v1/namespaces/default';
const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
const merge = 'application/merge-patch+json';
const acquired = '2026-01-01T00:00:00.000000Z';

describe('a write that names the term of a leader', () => {
  let s: TestServer;
  let other: TestServer;
  let pods = 0;
  before(async () => {
    s = await TestServer.start();
    other = await TestServer.start(s.store, { beside: s, advertiseAddress: '192.0.2.2' });
    await s.call('POST', `${ns}/serviceaccounts`, { metadata: { name: 'default' } });
  });
  after(async () => {
    await other.server.close();
    other.disconnect();
    await s.stop();
  });

  /** The Lease of the name, held by the holder: written through the other server. */
  async function held(name: string, holderIdentity: string, acquireTime = acquired): Promise<void> {
    const spec = { holderIdentity, acquireTime };
    const made = await other.call('POST', leases, { metadata: { name }, spec });
    const { status } = made.status === 409 ? await other.call('PATCH', `${leases}/${name}`, { spec }, { type: merge }) : made;
    assert.ok(status < 300, String(status));
  }

  const termOf = (name: string, holder: string): Record<string, string> => ({
    [termHeader]: termText({ namespace: 'kube-system', name, holder, acquired }),
  });

  async function pod(spec: object = {}): Promise<string> {
    const name = `pod-${pods++}`;
    const made = await s.call('POST', `${ns}/pods`, { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } });
    assert.equal(made.status, 201, made.text);
    return name;
  }

  type Write = (name: string, headers: Record<string, string>) => Promise<Reply>;
  const writes: Readonly<Record<string, Write>> = {
    create: (name, headers) => s.call('POST', `${ns}/configmaps`, { metadata: { name } }, { headers }),
    'create with claims': (name, headers) =>
      s.call('POST', `${ns}/services`, { metadata: { name }, spec: { ports: [{ port: 80 }] } }, { headers }),
    update: async (name, headers) => {
      const { body } = await s.call('GET', `${ns}/pods/${name}`);
      return s.call('PUT', `${ns}/pods/${name}`, { ...body, metadata: { ...body.metadata, labels: { a: 'b' } } }, { headers });
    },
    patch: (name, headers) => s.call('PATCH', `${ns}/pods/${name}`, { metadata: { labels: { a: 'b' } } }, { headers, type: merge }),
    'patch of a status': (name, headers) =>
      s.call('PATCH', `${ns}/pods/${name}/status`, { status: { phase: 'Failed' } }, { headers, type: merge }),
    binding: (name, headers) => s.call('POST', `${ns}/pods/${name}/binding`, { target: { kind: 'Node', name: 'n1' } }, { headers }),
    eviction: (name, headers) => s.call('POST', `${ns}/pods/${name}/eviction`, {}, { headers }),
    delete: (name, headers) => s.call('DELETE', `${ns}/pods/${name}`, undefined, { headers }),
    'delete of a collection': (name, headers) => s.call('DELETE', `${ns}/pods?fieldSelector=metadata.name=${name}`, undefined, { headers }),
  };

  for (const [what, write] of Object.entries(writes))
    test(`${what}: is done while the term lasts, and refused when it is over, with nothing changed`, async () => {
      const lease = what.replaceAll(' ', '-');
      await held(lease, 'a');
      const late = await pod();
      const { body: before } = await s.call('GET', `${ns}/pods/${late}`);
      // Whatever the caches of the server know by then.
      const done = await write(await pod(), termOf(lease, 'a'));
      assert.ok(done.status < 300, done.text);
      await other.call('PATCH', `${leases}/${lease}`, { spec: { renewTime: '2026-01-01T00:01:00.000000Z' } }, { type: merge });
      const renewed = await write(await pod(), termOf(lease, 'a'));
      assert.ok(renewed.status < 300, renewed.text);
      await held(lease, 'b');
      const { status, body } = await write(late, termOf(lease, 'a'));
      assert.deepEqual([status, body.reason], [409, 'Conflict']);
      assert.match(body.message, /the term of "a" is over$/);
      assert.deepEqual((await s.call('GET', `${ns}/pods/${late}`)).body, before);
      const gone: Json[] = [];
      for (const resource of ['configmaps', 'services']) gone.push((await s.call('GET', `${ns}/${resource}/${late}`)).status);
      assert.deepEqual(gone, [404, 404]);
    });

  test('is refused alike where the Lease is held again by who lost it, by nobody, and where there is none', async () => {
    const answers: unknown[] = [];
    for (const [name, holder, since] of [
      ['again', 'a', '2026-02-01T00:00:00.000000Z'],
      ['nobody', '', acquired],
    ] as const) {
      await held(name, holder, since);
      answers.push((await writes.create!('late', termOf(name, 'a'))).body.reason);
    }
    answers.push((await writes.create!('late', termOf('none', 'a'))).body.reason);
    assert.deepEqual(answers, ['Conflict', 'Conflict', 'Conflict']);
  });

  test('is done by a server that has not heard of the term yet', async () => {
    for (let i = 0; i < 10; i++) {
      await held('young', `a-${i}`);
      const { status, text } = await writes.create!(`young-${i}`, termOf('young', `a-${i}`));
      assert.equal(status, 201, text);
    }
  });

  test('names it rightly, or is refused as a bad request', async () => {
    for (const text of [
      '',
      'x',
      'namespace=a&name=b&holder=c',
      termText({ namespace: 'a', name: '../../secrets/b', holder: 'c', acquired }),
    ])
      assert.equal((await writes.create!('bad', { [termHeader]: text })).status, 400, text);
  });

  test('gives no right: who may not write may not write so either', async () => {
    await held('rights', 'a');
    const agent = s.agent(await s.pki.client('jane'));
    const { status } = await s.call('POST', `${ns}/configmaps`, { metadata: { name: 'jane' } }, { agent, headers: termOf('rights', 'a') });
    assert.equal(status, 403);
  });

  test('takes nothing from a read', async () => {
    const { status } = await s.call('GET', `${ns}/configmaps`, undefined, { headers: termOf('none', 'a') });
    assert.equal(status, 200);
  });
});
