import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { constants } from 'node:http2';
import { Agent, request } from 'node:https';
import { createConnection } from 'node:net';
import { networkInterfaces } from 'node:os';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { systemClock } from '../../clock/clock.ts';
import { eventually } from '../../clock/testing/eventually.ts';
import { silentLog } from '../../observability/log.ts';
import { FlowControl, type FlowCounts } from '../flow/flow-control.ts';
import { Http2Client } from '../testing/http2-client.ts';
import { TestPki } from '../testing/test-pki.ts';
import { listenHttps } from './https-listener.ts';
import type { RequestContext } from './request-context.ts';
import { requestInfo } from './request-info.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

describe('listenHttps()', () => {
  let pki: TestPki;
  let listener: Awaited<ReturnType<typeof listenHttps>>;
  const agent = new Agent();
  /** What is served, each ended by the test that asked for it. */
  const served: RequestContext[] = [];
  /** What happens before it is known who asks. */
  let identifying: ((req: IncomingMessage) => Promise<void>) | undefined;
  /** Of answers with 429. */
  const retryAfter: unknown[] = [];
  const flow = new FlowControl({
    clock: systemClock,
    limits: { bodies: { each: 1000, all: 1000 }, lasting: { each: 2, all: 10 } },
  });
  const listen = async (host: string): ReturnType<typeof listenHttps> =>
    listenHttps({
      listen: { host, port: 0 },
      tls: { ...(await pki.server()), clientCa: pki.ca },
      access: {
        identify: async (req) => {
          const query = new URLSearchParams(req.url?.split('?')[1]);
          const info = requestInfo(req.method ?? '', req.url?.split('?')[0] ?? '', query);
          await identifying?.(req);
          return { info, query, user: { name: 'weak', groups: ['system:serviceaccounts'] } };
        },
        authorize: () => {},
      },
      flow,
      workOf: () => ({ objects: 0, watchers: 0 }),
      connections: { ofAddress: 8, ofNetwork: 100, total: 100 },
      http2MaxStreams: 20,
      goawayChance: 0,
      clock: systemClock,
      log: silentLog,
      serve: (ctx) => {
        ctx.res.writeHead(200);
        ctx.res.flushHeaders();
        served.push(ctx);
        // Logs are read for as long as they are written.
        return ctx.info.subresource === 'log' ? new Promise((resolve) => ctx.res.once('close', resolve)) : Promise.resolve();
      },
      upgrade: () => {},
      observe: () => {},
    });
  before(async () => {
    pki = await TestPki.create();
    listener = await listen('127.0.0.1');
  });
  after(async () => {
    agent.destroy();
    await listener.app.close();
  });

  const connected = async (): Promise<TLSSocket> => {
    const socket = connect({ host: '127.0.0.1', port: listener.address.port, ca: pki.ca });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  };

  /** The status of a GET whose answer does not end by itself, or of a POST of some bytes. */
  const ask = (path: string, bytes = 0): Promise<number> =>
    new Promise((resolve, reject) => {
      const [method, headers] = bytes > 0 ? ['POST', { 'content-length': bytes }] : ['GET', {}];
      const req = request({ host: '127.0.0.1', port: listener.address.port, ca: pki.ca, agent, method, path, headers }, (res) => {
        res.on('error', () => {}).resume();
        if (res.statusCode === 429) retryAfter.push(res.headers['retry-after']);
        resolve(res.statusCode ?? 0);
      });
      req.on('error', reject);
      req.end(Buffer.alloc(bytes));
    });

  const low = (): FlowCounts => flow.counts().find(({ level }) => level === 'workload-low')!;

  const finishAll = async (): Promise<void> => {
    await Promise.all(
      served.splice(0).map(async ({ res }) => {
        const closed = once(res, 'close');
        res.end();
        await closed;
      }),
    );
  };

  for (const everywhere of ['0.0.0.0', '::'])
    test(`takes connections of both families at ${everywhere}, as Go's servers do`, {
      skip: hasIpv6 ? false : 'loopback has no IPv6 here',
    }, async () => {
      const other = await listen(everywhere);
      try {
        for (const host of ['127.0.0.1', '::1']) {
          const socket = createConnection(other.address.port, host);
          await once(socket, 'connect');
          socket.destroy();
        }
      } finally {
        await other.app.close();
      }
    });

  test('answers a connection that was opened and never used with 408, which Go takes as what it is, and nonsense with 400', async () => {
    const answers = [];
    for (const code of ['ERR_HTTP_REQUEST_TIMEOUT', 'HPE_INVALID_METHOD']) {
      const socket = new PassThrough();
      listener.app.server.emit('clientError', Object.assign(new Error(code), { code }), socket);
      answers.push((await text(socket)).split('\r\n')[0]);
    }
    assert.deepEqual(answers, ['HTTP/1.1 408 Request Timeout', 'HTTP/1.1 400 Bad Request']);
  });

  test('lets a user have so many watches, gives their seats to others, and takes the places of those that have ended', async () => {
    const watch = '/api/v1/pods?watch=true';
    assert.deepEqual([await ask(watch), await ask(watch), await ask(watch)], [200, 200, 429]);
    assert.equal(low().taken, 0);
    assert.equal(await ask('/api/v1/pods'), 200);
    await finishAll();
    assert.equal(await ask(watch), 200);
    await finishAll();
  });

  test('takes no seat for logs that are followed, nor for a body that is still to come', async () => {
    assert.equal(await ask('/api/v1/namespaces/default/pods/p/log?follow=true'), 200);
    assert.deepEqual([low().taken, low().lasting], [0, 1]);
    const socket = await connected();
    socket.write('POST /api/v1/namespaces/default/pods HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\nhalf');
    await eventually(() => low().bytes > 0);
    assert.deepEqual([low().taken, low().bytes], [0, 500]);
    socket.destroy();
    await finishAll();
    await eventually(() => low().bytes === 0);
  });

  test('keeps nothing for a client that has gone before it was known who asks', async () => {
    const requests = [
      'GET /api/v1/pods HTTP/1.1\r\nhost: x\r\n\r\n',
      'POST /api/v1/pods HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\nhalf',
    ];
    for (const text of requests) {
      const socket = await connected();
      const { promise: identified, resolve } = Promise.withResolvers<void>();
      identifying = async (req) => {
        identifying = undefined;
        socket.destroy();
        await new Promise((closed) => req.socket.once('close', closed));
        resolve();
      };
      socket.write(text);
      await identified;
      await setImmediate();
      assert.deepEqual([low().taken, low().bytes, served.length], [0, 0, 0], text);
    }
  });

  test('lets a user have so many bytes of bodies under way', async () => {
    const path = '/api/v1/namespaces/default/pods';
    retryAfter.length = 0;
    assert.deepEqual([await ask(path, 600), await ask(path, 600)], [200, 429]);
    assert.deepEqual(retryAfter, ['5']);
    await finishAll();
    assert.equal(await ask(path, 600), 200);
    await finishAll();
  });

  const http2 = (): Promise<Http2Client> => Http2Client.connect(`https://127.0.0.1:${listener.address.port}`, { ca: pki.ca });

  test('lets a connection of HTTP/2 have so many requests, and the next when one has ended', async () => {
    using client = await http2();
    const streams = Array.from({ length: 20 }, () => client.open('/api/v1/pods'));
    await Promise.all(streams.map((stream) => once(stream, 'response')));
    const next = once(client.open('/api/v1/nodes'), 'response');
    using other = await http2();
    await once(other.open('/api/v1/services'), 'response');
    assert.deepEqual(new Set(served.map(({ info }) => info.resource)), new Set(['pods', 'services']));
    served.shift()!.res.end();
    await next;
    await finishAll();
  });

  test('gives up the seat of a request of HTTP/2 that the client has taken back, and keeps its connection', async () => {
    using client = await http2();
    const log = client.open('/api/v1/namespaces/default/pods/p/log?follow=true');
    await once(log, 'response');
    const body = client.session.request({ ':path': '/api/v1/namespaces/default/pods', ':method': 'POST', 'content-length': 500 });
    body.on('error', () => {}).write('half');
    await eventually(() => low().bytes > 0);
    assert.deepEqual([low().taken, low().bytes, low().lasting], [0, 500, 1]);
    for (const stream of [log, body]) stream.close(constants.NGHTTP2_CANCEL);
    await eventually(() => low().bytes === 0 && low().lasting === 0);
    await once(client.open('/api/v1/pods'), 'response');
    served.pop()!.res.end();
    served.length = 0;
  });

  test('breaks off an answer of HTTP/2 so that nobody takes it for whole', async () => {
    using client = await http2();
    const stream = client.open('/api/v1/pods');
    await once(stream, 'response');
    const { res } = served.pop()!;
    res.write('half');
    await once(stream.resume(), 'data');
    assert.equal(res.destroyed, false);
    const closed = once(stream, 'error');
    res.destroy();
    assert.match(String(await closed), /INTERNAL_ERROR/);
    await eventually(() => res.destroyed);
  });

  test('closes unused connections of an address that has too many', async () => {
    agent.destroy();
    const { server } = listener.app;
    const count = promisify(server.getConnections.bind(server));
    await eventually(async () => (await count()) === 0);
    const open: TLSSocket[] = [];
    for (let i = 0; i < 8; i++) open.push(await connected());
    const closed = [once(open[0]!, 'close'), once(open[1]!, 'close')];
    for (let i = 0; i < 2; i++) open.push(await connected());
    await Promise.all(closed);
    assert.deepEqual(
      open.map((socket) => socket.destroyed),
      [true, true, ...Array.from({ length: 8 }, () => false)],
    );
    for (const socket of open) socket.destroy();
  });
});
