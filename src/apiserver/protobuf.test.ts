/** Answers in protobuf, as client-go programs ask for them: they say what JSON says. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { decodeProtobuf, encodeProtobuf, wrapMessage } from '../api/codec/protobuf.ts';
import { type Json, TestServer } from './testing/test-server.ts';

const type = 'application/vnd.kubernetes.protobuf';
const clientGo = `${type},application/json`;
const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';
const pod = { metadata: { name: 'web', labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'c:1', args: ['a'] }] } };

/** The events of a watch in protobuf: four bytes of length, then a WatchEvent. */
class PackedWatch {
  readonly answer: IncomingMessage;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(answer: IncomingMessage) {
    this.answer = answer;
    this.#chunks = answer[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async next(): Promise<Json> {
    const length = (await this.#take(4)).readUInt32BE();
    return decodeProtobuf(wrapMessage('', '', await this.#take(length)), { apiVersion: 'v1', kind: 'WatchEvent' });
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#rest.length < count) {
      const { value, done } = await this.#chunks.next();
      assert.ok(!done, 'the watch has ended');
      this.#rest = Buffer.concat([this.#rest, value]);
    }
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }
}

describe('protobuf answers', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    await s.call('POST', pods, pod);
    for (const name of ['a', 'b']) await s.call('POST', maps, { metadata: { name }, data: { key: name.repeat(200) } });
  });
  after(() => s.stop());

  async function ask(method: string, path: string, accept: string, body?: object): Promise<{ status: number; type: string; object: Json }> {
    const answer = await s.open(method, path, body, { headers: { accept } });
    const bytes = Buffer.concat(await answer.toArray());
    const contentType = answer.headers['content-type'] ?? '';
    const object = contentType === type ? decodeProtobuf(bytes) : JSON.parse(bytes.toString());
    return { status: answer.statusCode ?? 0, type: contentType, object };
  }

  async function watch(path: string, accept: string): Promise<PackedWatch> {
    const answer = await s.open('GET', path, undefined, { headers: { accept } });
    assert.equal(answer.headers['content-type'], `${type};stream=watch`);
    return new PackedWatch(answer);
  }

  test('are what JSON says, of one object and of a list', async () => {
    for (const path of [`${pods}/web`, '/api/v1/namespaces/default', '/api/v1/namespaces', pods, maps, '/apis/apps/v1/deployments']) {
      const [plain, packed] = [await ask('GET', path, 'application/json'), await ask('GET', path, clientGo)];
      assert.deepEqual([plain.status, plain.type, packed.status, packed.type], [200, 'application/json', 200, type]);
      // The items of a list say in JSON what they are, which a message does not.
      for (const item of plain.object.items ?? []) {
        delete item.apiVersion;
        delete item.kind;
      }
      // No items are a list of none in JSON, and nothing in a message.
      if (plain.object.items?.length === 0) delete plain.object.items;
      if (plain.object.kind.endsWith('List')) plain.object.metadata.resourceVersion = packed.object.metadata.resourceVersion;
      assert.deepEqual(packed.object, plain.object, path);
    }
  });

  test('come in pages, too', async () => {
    const { object } = await ask('GET', `${maps}?limit=1`, clientGo);
    assert.deepEqual([object.items.length, object.metadata.remainingItemCount], [1, 1]);
    const rest = await ask('GET', `${maps}?limit=1&continue=${object.metadata.continue}`, clientGo);
    assert.equal(rest.object.items[0].metadata.name, 'b');
  });

  test('may be of another version than the one that is stored', async () => {
    const time = '2026-01-01T00:00:00Z';
    const involvedObject = { kind: 'Pod', namespace: 'default', name: 'web' };
    const event = { metadata: { name: 'e' }, involvedObject, reason: 'Said', message: 'so', firstTimestamp: time, lastTimestamp: time };
    assert.equal((await s.call('POST', '/api/v1/namespaces/default/events', event)).status, 201);
    const other = '/apis/events.k8s.io/v1/namespaces/default/events';
    for (const { kind, note } of [
      (await ask('GET', `${other}/e`, clientGo)).object,
      { kind: 'Event', ...(await ask('GET', other, clientGo)).object.items[0] },
    ]) {
      assert.deepEqual({ kind, note }, { kind: 'Event', note: 'so' });
    }
  });

  test('are given to writes, refusals and reviews', async () => {
    const created = await ask('POST', maps, clientGo, { metadata: { name: 'c' } });
    assert.deepEqual([created.status, created.type, created.object.metadata.name], [201, type, 'c']);
    const deleted = await ask('DELETE', `${maps}/c`, clientGo);
    assert.deepEqual([deleted.type, deleted.object.kind, deleted.object.status], [type, 'Status', 'Success']);
    const gone = await ask('GET', `${maps}/c`, clientGo);
    assert.deepEqual([gone.status, gone.type, gone.object.reason, gone.object.code], [404, type, 'NotFound', 404]);
    const review = await ask('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', clientGo, {});
    assert.deepEqual([review.status, review.type, review.object.status.userInfo.username], [201, type, 'admin']);
    const refused = await ask('GET', pods, 'text/plain');
    assert.deepEqual([refused.status, refused.type, refused.object.reason], [406, 'application/json', 'NotAcceptable']);
  });

  test('show metadata alone to who asks for that', async () => {
    const as = (kind: string): string =>
      `${type};as=${kind};g=meta.k8s.io;v=v1,application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`;
    const one = (await ask('GET', `${pods}/web`, as('PartialObjectMetadata'))).object;
    assert.deepEqual(
      [one.apiVersion, one.kind, one.spec, one.metadata.labels],
      ['meta.k8s.io/v1', 'PartialObjectMetadata', undefined, { app: 'web' }],
    );
    const list = (await ask('GET', pods, as('PartialObjectMetadataList'))).object;
    assert.deepEqual([list.kind, list.items.length], ['PartialObjectMetadataList', 1]);
    assert.deepEqual(list.items[0], { metadata: one.metadata });
    const table = `${type};as=Table;g=meta.k8s.io;v=v1,application/json;as=Table;g=meta.k8s.io;v=v1`;
    assert.deepEqual((await ask('GET', pods, table)).object.kind, 'Table');
  });

  test('are watched, with the bookmark that ends a streamed list', async () => {
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const both = [await watch(`${maps}?${query}`, clientGo), await watch(`${maps}?${query}`, `${type};stream=watch`)];
    for (const one of both) {
      const first = [await one.next(), await one.next(), await one.next()];
      assert.deepEqual(
        first.map(({ type, object }: Json) => [type, object.kind, object.metadata.name ?? object.metadata.annotations]),
        [
          ['ADDED', 'ConfigMap', 'a'],
          ['ADDED', 'ConfigMap', 'b'],
          ['BOOKMARK', 'ConfigMap', { 'k8s.io/initial-events-end': 'true' }],
        ],
      );
    }
    const { object: changed } = await ask('PUT', `${maps}/a`, clientGo, { metadata: { name: 'a' }, data: { key: 'new' } });
    await s.call('DELETE', `${maps}/b`);
    for (const one of both) {
      assert.deepEqual(await one.next(), { type: 'MODIFIED', object: changed });
      const { type, object } = await one.next();
      assert.deepEqual([type, object.metadata.name, object.data.key.length], ['DELETED', 'b', 200]);
      one.answer.destroy();
    }
  });

  test('are taken as bodies, too', async () => {
    const body = encodeProtobuf({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'packed' }, data: { a: 'b' } } as never);
    const answer = await s.open('POST', maps, body, { headers: { accept: clientGo }, type });
    const object = decodeProtobuf(Buffer.concat(await answer.toArray())) as Json;
    assert.deepEqual([answer.statusCode, object.data], [201, { a: 'b' }]);
  });
});
