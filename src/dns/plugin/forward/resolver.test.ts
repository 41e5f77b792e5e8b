import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import test from 'node:test';
import { systemClock } from '../../../clock/clock.ts';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { encodeName } from '../../message/names.ts';
import { Resolver } from './resolver.ts';

test('who guesses ids does not get many tries at one port', async (t) => {
  const server = createSocket('udp4');
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const resolver = new Resolver({ address: '127.0.0.1', port: server.address().port }, systemClock);
  t.after(() => {
    resolver.close();
    server.close();
  });
  const question = Buffer.concat([encodeName('bank.example'), Buffer.from([0, 1, 0, 1])]);
  const ask = (): Promise<unknown> =>
    resolver.ask(Buffer.concat([Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), question]), 12 + question.length);
  const answer = (to: RemoteInfo, asked: Buffer, id: number): void => {
    const reply = Buffer.from(asked);
    reply.writeUInt16BE(id & 0xffff, 0);
    reply[2] = 0x81;
    server.send(reply, to.port, to.address);
  };

  const first = once(server, 'message') as Promise<[Buffer, RemoteInfo]>;
  const refused = assert.rejects(ask(), /answers that nobody asked for/);
  const [asked, from] = await first;
  for (let i = 1; i <= 64; i++) answer(from, asked, asked.readUInt16BE(0) + i);
  await refused;

  const second = once(server, 'message') as Promise<[Buffer, RemoteInfo]>;
  const reply = ask();
  const [again, next] = await second;
  assert.notEqual(next.port, from.port);
  answer(next, again, again.readUInt16BE(0) + 1);
  answer(next, again, again.readUInt16BE(0));
  await reply;
});

test('a socket is used for as long as it is said to be, and waits for its last answers', async (t) => {
  const server = createSocket('udp4');
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const clock = new FakeClock();
  const resolver = new Resolver({ address: '127.0.0.1', port: server.address().port }, clock, 10_000);
  t.after(() => {
    resolver.close();
    server.close();
  });
  const question = Buffer.concat([encodeName('bank.example'), Buffer.from([0, 1, 0, 1])]);
  const ask = async (): Promise<{ from: RemoteInfo; asked: Buffer; reply: Promise<unknown> }> => {
    const seen = once(server, 'message') as Promise<[Buffer, RemoteInfo]>;
    const message = Buffer.concat([Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), question]);
    const reply = resolver.ask(message, 12 + question.length);
    const [asked, from] = await seen;
    return { from, asked, reply };
  };
  const answer = async ({ from, asked, reply }: Awaited<ReturnType<typeof ask>>): Promise<void> => {
    const bytes = Buffer.from(asked);
    bytes[2] = 0x81;
    server.send(bytes, from.port, from.address);
    await reply;
  };
  const first = await ask();
  await answer(first);
  await clock.advance(9_000);
  const late = await ask();
  assert.equal(late.from.port, first.from.port);
  await clock.advance(1_000);
  const fresh = await ask();
  assert.notEqual(fresh.from.port, first.from.port);
  await answer(late);
  await answer(fresh);
});
