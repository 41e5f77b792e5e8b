import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { Http2Client } from '../testing/http2-client.ts';
import { TestPki } from '../testing/test-pki.ts';
import { Http2Sessions } from './http2-sessions.ts';

type Serve = (req: IncomingMessage, res: ServerResponse) => void;

/** A server of sessions with a clock of the test, and a client of it. */
async function serving(
  t: TestContext,
  serve: Serve,
  { idleMs = 60_000, goawayChance = 0, random = Math.random } = {},
): Promise<{ readonly clock: FakeClock; readonly sessions: Http2Sessions; connect(): Promise<Http2Client> }> {
  const pki = await TestPki.create();
  const clock = new FakeClock();
  const server: Server = createServer({ ...(await pki.server()), ALPNProtocols: ['h2'] });
  const sessions = new Http2Sessions({ maxStreams: 10, idleMs, requestMs: 60_000, goawayChance, random, clock, serve });
  sessions.stepInto(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clients: Http2Client[] = [];
  t.after(async () => {
    for (const { session } of clients) session.destroy();
    server.close();
    await sessions.close(0);
  });
  const { port } = server.address() as AddressInfo;
  const connect = async (): Promise<Http2Client> => {
    const client = await Http2Client.connect(`https://127.0.0.1:${port}`, { ca: pki.ca });
    clients.push(client);
    return client;
  };
  return { clock, sessions, connect };
}

test('a request that does not come to its end is given up, the others of its connection are not', async (t) => {
  const { clock, connect } = await serving(
    t,
    (req, res) =>
      void text(req).then(
        (body) => res.end(body),
        () => {},
      ),
  );
  const client = await connect();
  const post = { ':path': '/', ':method': 'POST' };
  const [slow, other] = [client.session.request(post), client.session.request(post)];
  slow.on('error', () => {}).write('a');
  other.write('a');
  // By this answer both have come.
  await client.ask('/');
  other.end();
  const answer = once(other, 'response').then(() => text(other));
  const closed = once(slow, 'close');
  await clock.advance(60_000);
  await closed;
  assert.equal(slow.rstCode, constants.NGHTTP2_CANCEL);
  assert.equal(await answer, 'a');
  assert.equal((await client.ask('/')).status, 200);
});

test('a connection without a request is ended after a while, one with a watch is not', async (t) => {
  const { connect } = await serving(t, (_req, res) => void res.writeHead(200), { idleMs: 200 });
  const watching = await connect();
  const watch = watching.open('/');
  await once(watch, 'response');
  const idle = await connect();
  await once(idle.session, 'close');
  assert.deepEqual([watching.session.closed, watch.closed], [false, false]);
});

test('what a node or a pod says of its connection is not passed on', async (t) => {
  const { connect } = await serving(t, (_req, res) => {
    res.setHeader('x-own', 'a');
    res
      .writeHead(200, {
        connection: 'close',
        'Keep-Alive': 'timeout=5',
        'transfer-encoding': 'chunked',
        upgrade: 'h2c',
        'x-other': ['b', 'c'],
      })
      .end();
  });
  const { head } = await (await connect()).ask('/');
  assert.deepEqual(Object.keys(head).sort(), [':status', 'date', 'x-other', 'x-own']);
  assert.deepEqual([head['x-own'], head['x-other']], ['a', 'b, c']);
});

test('close() lets an answer come to its end, and waits no longer than it is told', async (t) => {
  const begun = new Map<string, ServerResponse>();
  const { sessions, connect } = await serving(t, ({ url }, res) => {
    res.writeHead(200);
    begun.set(url!, res);
  });
  const [one, two] = [await connect(), await connect()];
  const [ends, stays] = [one.open('/ends'), two.open('/stays')];
  await Promise.all([once(ends, 'response'), once(stays, 'response')]);
  const told = [one, two].map(({ session }) => once(session, 'goaway'));
  const closed = sessions.close(500);
  await Promise.all(told);
  begun.get('/ends')!.end('whole');
  assert.equal(await text(ends), 'whole');
  await closed;
});

test('a connection is told by chance to take no more requests, and those under way go on', async (t) => {
  const draws = [0.5, 0.02, 0.0199];
  const waiting = new Map<string, ServerResponse>();
  const serve: Serve = ({ url }, res) => {
    res.writeHead(200);
    if (url === '/asked') res.end('answered');
    else waiting.set(url!, res);
    res.flushHeaders();
  };
  const { connect } = await serving(t, serve, { goawayChance: 0.02, random: () => draws.shift() ?? 1 });
  const client = await connect();
  let told = false;
  client.session.once('goaway', () => {
    told = true;
  });
  const watch = client.open('/watch');
  await once(watch, 'response');
  assert.equal((await client.ask('/asked')).text, 'answered');
  // By the answer to a ping all has come that was sent before.
  const ping = Promise.withResolvers<void>();
  client.session.ping(() => ping.resolve());
  await ping.promise;
  assert.equal(told, false);

  const goaway = once(client.session, 'goaway');
  const last = client.open('/last');
  const [code, lastStream] = await goaway;
  assert.deepEqual([code, lastStream], [constants.NGHTTP2_NO_ERROR, last.id]);
  assert.equal((await (await connect()).ask('/asked')).text, 'answered');
  for (const [path, stream] of [['/watch', watch] as const, ['/last', last] as const]) {
    waiting.get(path)!.end(`end of ${path}`);
    assert.equal(await text(stream), `end of ${path}`);
  }
});
