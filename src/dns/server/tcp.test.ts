import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import packet from 'dns-packet';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { addressRecord } from '../message/records.ts';
import { emptyReply, type Reply } from '../message/reply.ts';
import type { Answer } from '../plugin/plugin.ts';
import { type DnsServer, type DnsServerOptions, startDnsServer } from './server.ts';

const found: Reply = { ...emptyReply(0), authoritative: true, answers: [addressRecord(undefined, 5, '192.0.2.1')] };

async function serverOf(t: TestContext, options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const server = await startDnsServer({ address: '127.0.0.1', port: 0, log: silentLog, answer: () => found, ...options });
  t.after(() => server.close());
  return server;
}

function questions(count: number, from: number = 0): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, i) =>
      packet.streamEncode({ type: 'query', id: from + i, questions: [{ type: 'A', name: 'www.example.com' }] }),
    ),
  );
}

/** A client at `localAddress` that remembers which ids were answered. */
class TcpClient {
  readonly ids: number[] = [];
  readonly socket: Socket;
  hasEnded = false;
  #pending: Buffer = Buffer.alloc(0);

  private constructor(t: TestContext, port: number, localAddress: string) {
    this.socket = connect({ port, host: '127.0.0.1', localAddress });
    t.after(() => this.socket.destroy());
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.hasEnded = true;
    });
    this.socket.on('data', (chunk) => {
      this.#pending = Buffer.concat([this.#pending, chunk]);
      while (this.#pending.length >= 2 && this.#pending.length >= 2 + this.#pending.readUInt16BE(0)) {
        this.ids.push(this.#pending.readUInt16BE(2));
        this.#pending = this.#pending.subarray(2 + this.#pending.readUInt16BE(0));
      }
    });
  }

  static async open(t: TestContext, port: number, localAddress: string = '127.0.0.1'): Promise<TcpClient> {
    const client = new TcpClient(t, port, localAddress);
    await once(client.socket, 'connect');
    return client;
  }
}

test('one client with many idle connections pays for them itself, and others are answered', async (t) => {
  const { port } = await serverOf(t, { tcpLimits: { total: 40, perClient: 10 } });
  const modest = await TcpClient.open(t, port, '127.0.0.2');
  const greedy: TcpClient[] = [];
  for (let i = 0; i < 60; i++) greedy.push(await TcpClient.open(t, port, '127.0.0.3'));
  await eventually('fifty were ended', () => greedy.filter((c) => c.hasEnded).length === 50);
  assert.ok(greedy.slice(-10).every((c) => !c.hasEnded));
  modest.socket.write(questions(1));
  await eventually('an answer to the one that was there before', () => modest.ids.length === 1);
  const fresh = await TcpClient.open(t, port, '127.0.0.4');
  fresh.socket.write(questions(1));
  await eventually('an answer to a new one', () => fresh.ids.length === 1);
});

test('many clients with idle connections together keep no new one out', async (t) => {
  const { port } = await serverOf(t, { tcpLimits: { total: 20, perClient: 10 } });
  const idle: TcpClient[] = [];
  for (let i = 0; i < 20; i++) idle.push(await TcpClient.open(t, port, `127.0.1.${i + 1}`));
  idle[0]?.socket.write(questions(1));
  await eventually('an answer to the first', () => idle[0]?.ids.length === 1);
  for (let i = 20; i < 30; i++) idle.push(await TcpClient.open(t, port, `127.0.1.${i + 1}`));
  await eventually('ten were ended', () => idle.filter((c) => c.hasEnded).length === 10);
  assert.deepEqual(
    idle.map((c) => c.hasEnded),
    idle.map((_, i) => i >= 1 && i <= 10),
    'the idlest ones: the first has asked',
  );
  const fresh = await TcpClient.open(t, port, '127.0.0.4');
  fresh.socket.write(questions(1));
  await eventually('an answer', () => fresh.ids.length === 1);
});

test('single bytes keep no connection open, questions do, and one that waits for an answer is not idle', async (t) => {
  const clock = new FakeClock();
  const slow = Promise.withResolvers<Answer>();
  const { port } = await serverOf(t, { clock, answer: ({ query }) => (query.id === 7 ? slow.promise : found) });
  const dripping = await TcpClient.open(t, port);
  const asking = await TcpClient.open(t, port);
  const waiting = await TcpClient.open(t, port);
  asking.socket.write(questions(1));
  await eventually('the server knows them all', () => asking.ids.length === 1);
  waiting.socket.write(questions(1, 7));
  const whole = questions(1);
  for (let i = 1; i <= 3; i++) {
    // By what is answered one sees that the byte sent before was read.
    dripping.socket.write(whole.subarray(i - 1, i));
    await clock.advance(4_000);
    asking.socket.write(questions(1, i));
    await eventually('an answer', () => asking.ids.length === i + 1);
  }
  await eventually('the one that sent bytes was ended', () => dripping.hasEnded);
  assert.deepEqual([asking.hasEnded, waiting.hasEnded], [false, false]);
  slow.resolve(found);
  await eventually('the slow answer', () => waiting.ids.length === 1);
  await clock.advance(11_000);
  await eventually('all of them were idle', () => asking.hasEnded && waiting.hasEnded);
});

test('hundreds of slow questions in a row on one connection are all answered, a hundred at a time', async (t) => {
  const open: ((answer: Answer) => void)[] = [];
  let most = 0;
  const { port } = await serverOf(t, {
    answer: () => {
      const { promise, resolve } = Promise.withResolvers<Answer>();
      open.push(resolve);
      most = Math.max(most, open.length);
      return promise;
    },
  });
  const client = await TcpClient.open(t, port);
  client.socket.write(questions(350));
  // The end of the client's side does not cut what waits unread.
  client.socket.end();
  await eventually('a hundred wait', () => open.length === 100);
  while (client.ids.length < 350) {
    for (const resolve of open.splice(0, 60)) resolve(found);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(most, 100);
  assert.deepEqual(
    client.ids.toSorted((a, b) => a - b),
    Array.from({ length: 350 }, (_, i) => i),
  );
  await eventually('the server ended its side', () => client.hasEnded);
});

test('of a client that asks and does not read, no more is read than a bounded backlog of answers', async (t) => {
  let asked = 0;
  const long: Reply = { ...found, answers: Array.from({ length: 1_000 }, () => found.answers[0] ?? Buffer.alloc(0)) };
  const { port } = await serverOf(t, {
    answer: () => {
      asked++;
      return long;
    },
  });
  const client = await TcpClient.open(t, port);
  client.socket.pause();
  client.socket.write(questions(5_000));
  let before = -1;
  await eventually('it stopped', () => {
    const isStill = asked > 0 && asked === before;
    before = asked;
    return isStill;
  });
  // 16 kB each: 80 MB in all; the kernel's own buffers take a few.
  assert.ok(asked < 2_500, `${asked} of 5000 were answered`);
  client.socket.resume();
  await eventually('the rest, once it reads', () => client.ids.length === 5_000);
});

test('drain() answers what is under way by UDP and TCP, and takes nothing new', async (t) => {
  const open: ((answer: Answer) => void)[] = [];
  const server = await serverOf(t, {
    answer: () => {
      const { promise, resolve } = Promise.withResolvers<Answer>();
      open.push(resolve);
      return promise;
    },
  });
  const client = await TcpClient.open(t, server.port);
  const idle = await TcpClient.open(t, server.port);
  client.socket.write(questions(27));
  const udp = createSocket('udp4');
  t.after(() => udp.close());
  let overUdp = 0;
  udp.on('message', () => overUdp++);
  const ask = (id: number): void =>
    udp.send(packet.encode({ type: 'query', id, questions: [{ type: 'A', name: 'www.example.com' }] }), server.port, '127.0.0.1');
  for (let i = 0; i < 27; i++) ask(i);
  await eventually('all are under way', () => open.length === 54);
  let isDrained = false;
  const drained = server.drain().then(() => {
    isDrained = true;
  });
  ask(99);
  client.socket.write(questions(1));
  await eventually('a connection without questions ends at once', () => idle.hasEnded);
  await assert.rejects(TcpClient.open(t, server.port), { code: 'ECONNREFUSED' });
  assert.deepEqual([isDrained, open.length], [false, 54]);
  for (const resolve of open) resolve(found);
  await drained;
  await eventually('every answer', () => overUdp === 27 && client.ids.length === 27);
  await eventually('and the end', () => client.hasEnded);
});

test('drain() waits for questions by UDP alone', async (t) => {
  const slow = Promise.withResolvers<Answer>();
  let isAsked = false;
  const server = await serverOf(t, {
    answer: () => {
      isAsked = true;
      return slow.promise;
    },
  });
  const udp = createSocket('udp4');
  t.after(() => udp.close());
  udp.send(packet.encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'www.example.com' }] }), server.port, '127.0.0.1');
  await eventually('the question', () => isAsked);
  let isDrained = false;
  const drained = server.drain().then(() => {
    isDrained = true;
  });
  // The TCP side has nothing to wait for, and would be through by now.
  await assert.rejects(TcpClient.open(t, server.port), { code: 'ECONNREFUSED' });
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isDrained, false);
  const answer = once(udp, 'message');
  slow.resolve(found);
  await drained;
  await answer;
});
