import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { FakeClock } from '../../clock/clock.ts';
import { StalledAnswers } from './stalled-answers.ts';

test('an answer that nobody reads is cut after a minute, one that is read goes on, however slowly', async (t) => {
  const clock = new FakeClock();
  const stalled = new StalledAnswers(clock);
  const answers: ServerResponse[] = [];
  const server = createServer((_req, res) => {
    stalled.add(res);
    answers.push(res);
    res.writeHead(200).write(Buffer.alloc(64 << 20));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    stalled.stop();
    server.closeAllConnections();
    server.close();
  });
  const ask = async (): Promise<IncomingMessage> => {
    const [answer] = (await once(get({ port: (server.address() as AddressInfo).port, agent: false }), 'response')) as [IncomingMessage];
    return answer.on('error', () => {});
  };

  await ask();
  const reader = await ask();
  const cut = once(answers[0]!, 'close');
  await clock.advance(20_000);
  reader.resume();
  await once(answers[1]!, 'drain');
  // The next piece is as large, and gets a minute of its own.
  answers[1]!.write(Buffer.alloc(1 << 20));
  await clock.advance(60_000);
  await cut;
  assert.equal(answers[1]!.destroyed, false);
});
