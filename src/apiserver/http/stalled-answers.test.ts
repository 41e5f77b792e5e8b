import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { StalledAnswers } from './stalled-answers.ts';

/** A server that answers as many bytes as it is asked for, to clients that read nothing unless they are told to. */
async function serving(
  t: TestContext,
  maxBytes?: number,
): Promise<{
  readonly clock: FakeClock;
  readonly answers: readonly ServerResponse[];
  ask(bytes?: number): Promise<IncomingMessage>;
}> {
  const clock = new FakeClock();
  const stalled = new StalledAnswers(clock, maxBytes);
  const answers: ServerResponse[] = [];
  const server = createServer((req, res) => {
    stalled.add(res);
    answers.push(res);
    res.writeHead(200).write(Buffer.alloc(Number(req.url?.slice(1))));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    stalled.stop();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ask = async (bytes = 64 << 20): Promise<IncomingMessage> => {
    const [answer] = (await once(get({ port, path: `/${bytes}`, agent: false }), 'response')) as [IncomingMessage];
    return answer.on('error', () => {});
  };
  return { clock, answers, ask };
}

test('an answer that nobody reads is cut after a minute, one that is read goes on, however slowly', async (t) => {
  const { clock, answers, ask } = await serving(t);
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

test('answers that nobody reads hold so much together: those that hold most are cut at the second look', async (t) => {
  const { clock, answers, ask } = await serving(t, 100 << 20);
  await ask(48 << 20);
  await ask(64 << 20);
  await ask(32 << 20);
  await clock.advance(10_000);
  assert.deepEqual(
    answers.map((answer) => answer.destroyed),
    [false, false, false],
  );
  await clock.advance(10_000);
  assert.deepEqual(
    answers.map((answer) => answer.destroyed),
    [false, true, false],
  );
});
