import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Stream, constants, sensitiveHeaders } from 'node:http2';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { connect } from 'node:tls';
import { eventually } from '../clock/testing/eventually.ts';
import { Http2Client } from './testing/http2-client.ts';
import type { Pem } from './testing/test-pki.ts';
import { TestServer, TestWatch } from './testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const json = { 'content-type': 'application/json' };
const configMap = (name: string, data = {}): string => JSON.stringify({ metadata: { name }, data });

describe('the API server over HTTP/2', () => {
  let s: TestServer;
  let admin: Pem;
  let client: Http2Client;
  const connected = (pem: Pem | undefined = admin): Promise<Http2Client> => Http2Client.connect(s.url, { ca: s.pki.ca, ...pem });
  before(async () => {
    s = await TestServer.start();
    admin = await s.pki.client('admin', 'system:masters');
    client = await connected();
  });
  after(async () => {
    client.session.destroy();
    await s.stop();
  });

  const opened = async (on: Http2Client): Promise<ClientHttp2Stream> => {
    const { resourceVersion } = JSON.parse((await on.ask(maps)).text).metadata;
    const watch = on.open(`${maps}?watch=true&resourceVersion=${resourceVersion}`);
    await once(watch, 'response');
    return watch;
  };
  const watching = async (on: Http2Client): Promise<TestWatch> => new TestWatch(await opened(on));

  test('is spoken with who offers it, and HTTP/1.1 with everybody else', async () => {
    const spoken = [['h2', 'http/1.1'], ['http/1.1', 'h2'], ['http/1.1'], undefined].map(async (ALPNProtocols) => {
      const offer = ALPNProtocols ? { ALPNProtocols } : {};
      const socket = connect({ host: '127.0.0.1', port: s.server.address.port, ca: s.pki.ca, ...offer });
      await once(socket, 'secureConnect');
      socket.destroy();
      return socket.alpnProtocol;
    });
    assert.deepEqual(await Promise.all(spoken), ['h2', 'h2', 'http/1.1', false]);
    assert.equal(client.session.remoteSettings.maxConcurrentStreams, 1000);
  });

  for (const [method, path, headers, body] of [
    ['GET', '/api/v1/namespaces/default'],
    ['GET', '/api/v1/namespaces/default', { accept: 'application/vnd.kubernetes.protobuf' }],
    ['GET', '/api/v1/namespaces/default', { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }],
    ['HEAD', '/api/v1/namespaces/default'],
    ['GET', `${maps}/missing`],
    ['GET', '/no/such/path'],
    ['GET', '/api/v1/%zz'],
    ['TRACE', '/api/v1/namespaces'],
    ['POST', maps, json, '{"metadata":{"name":"UPPER"}}'],
    ['POST', `${maps}?dryRun=All`, json, '{"metadata":{"name":"warned"},"unknown":1}'],
    ['POST', maps, json, Buffer.alloc(4 << 20)],
    ['DELETE', `${maps}/missing`, json, '{}'],
    ['DELETE', `${maps}/missing`],
  ] as const satisfies readonly (readonly [string, string, Record<string, string>?, (Buffer | string)?])[]) {
    test(`answers as over HTTP/1.1: ${method} ${path} ${JSON.stringify(headers ?? {})}`, async () => {
      const one = await s.call(method, path, body as string, {
        headers: headers ?? {},
        ...(headers && 'content-type' in headers ? { type: headers['content-type'] } : {}),
      });
      const two = await client.ask(path, { ':method': method, ...headers }, body);
      const { date: _, connection: _c, 'keep-alive': _k, ...head } = one.headers;
      const { ':status': status, date: _d, ...rest } = two.head;
      delete (rest as Record<symbol, unknown>)[sensitiveHeaders];
      // Made anew by each answer.
      const steady = (content: string): string => content.replace(/"(uid|creationTimestamp|time)":"[^"]*",?/g, '');
      assert.deepEqual({ status, head: rest, text: steady(two.text) }, { status: one.status, head, text: steady(one.text) });
    });
  }

  test('reads a body that tells no length, one that waits to be asked for, and one that is larger than the windows', async () => {
    for (const [name, headers] of [
      ['unknown', {}],
      ['expected', { expect: '100-continue' }],
    ] as const) {
      const stream = client.session.request({ ':path': `${maps}?dryRun=All`, ':method': 'POST', ...json, ...headers });
      if (name === 'expected') await once(stream, 'continue');
      const body = configMap(name, { a: 'x'.repeat(500_000) });
      stream.write(body.slice(0, 100));
      stream.end(body.slice(100));
      const [head] = await once(stream, 'response');
      assert.equal(head[':status'], 201, await text(stream));
    }
    const lengths = await Promise.all(
      ['a', 'b', 'c', 'd'].map(
        async (name) =>
          (
            await client.ask(
              `${maps}?dryRun=All`,
              { ':method': 'POST', ...json },
              configMap(`large-${name}`, { name: 'x'.repeat(900_000) }),
            )
          ).status,
      ),
    );
    assert.deepEqual(lengths, [201, 201, 201, 201]);
  });

  test('knows the user by the certificate of the connection, and each header of that in whose name he asks', async () => {
    using jane = await connected(await s.pki.client('jane'));
    const forbidden = await jane.ask(maps);
    assert.match(forbidden.text, /User \\"jane\\" cannot list resource \\"configmaps\\"/);
    const review = await client.ask(
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { ':method': 'POST', ...json, 'impersonate-user': 'joe', 'impersonate-group': ['a, b', 'c'] },
      '{}',
    );
    const { username, groups } = JSON.parse(review.text).status.userInfo;
    assert.deepEqual([username, groups], ['joe', ['a, b', 'c', 'system:authenticated']]);
  });

  test('sends an event to all watches of a connection, and ends one without the others', async () => {
    const watches = [await watching(client), await watching(client), await watching(client)];
    await client.ask(maps, { ':method': 'POST', ...json }, configMap('told'));
    assert.deepEqual(
      await Promise.all(watches.map((watch) => watch.names(1))),
      Array.from({ length: 3 }, () => ['ADDED told']),
    );
    const [first, ...others] = watches;
    first?.close();
    await client.ask(`${maps}/told`, { ':method': 'DELETE' });
    assert.deepEqual(await Promise.all(others.map((watch) => watch.names(1))), [['DELETED told'], ['DELETED told']]);
    for (const watch of others) watch.close();
    await eventually(async () => /longrunning_requests\{verb="WATCH",resource="configmaps"\} 0/.test((await client.ask('/metrics')).text));
  });

  test('has a watch that nobody reads keep the others of its connection from nothing', async () => {
    using other = await connected();
    await opened(other);
    const read = await watching(other);
    const names = Array.from({ length: 8 }, (_, i) => `unread-${i}`);
    // The window of a watch at the client is 64 kB.
    for (const name of names) await s.call('POST', maps, { metadata: { name }, data: { a: 'x'.repeat(50_000) } });
    assert.deepEqual(
      await read.names(8),
      names.map((name) => `ADDED ${name}`),
    );
    assert.equal((await other.ask(`${maps}/unread-7`)).status, 200);
  });

  test('ends a connection after a request of somebody whom it does not know', async () => {
    for (const [path, status] of [
      ['/version', 200],
      ['/api/v1/namespaces', 401],
    ] as const) {
      using stranger = await Http2Client.connect(s.url, { ca: s.pki.ca });
      const gone = once(stranger.session, 'close');
      const told = once(stranger.session, 'goaway');
      assert.equal((await stranger.ask(path)).status, status);
      assert.deepEqual((await told).slice(0, 1), [0]);
      await gone;
    }
  });

  test('ends a connection that opens and resets requests without end (CVE-2023-44487)', async () => {
    using attacker = await connected();
    let told: number | undefined;
    attacker.session.once('goaway', (code) => {
      told = code;
    });
    while (!attacker.session.destroyed) {
      const requests = Array.from({ length: 100 }, () => attacker.open('/api/v1/namespaces'));
      // They are on their way by then.
      await setImmediate();
      for (const request of requests) request.close(constants.NGHTTP2_CANCEL);
      await setImmediate();
    }
    assert.equal(told, constants.NGHTTP2_INTERNAL_ERROR);
    assert.equal((await client.ask('/version')).status, 200);
  });
});

test('a server that closes sends the clients of HTTP/2 elsewhere, and ends their watches as if their time were over', async () => {
  const s = await TestServer.start();
  using client = await Http2Client.connect(s.url, { ca: s.pki.ca, ...(await s.pki.client('admin', 'system:masters')) });
  const watch = client.open('/api/v1/namespaces?watch=true&resourceVersion=1');
  await once(watch, 'response');
  const told = once(client.session, 'goaway');
  watch.resume();
  const ended = once(watch, 'end');
  const stopped = s.stop();
  assert.deepEqual((await told).slice(0, 1), [0]);
  await ended;
  assert.equal(watch.rstCode, 0);
  await stopped;
});
