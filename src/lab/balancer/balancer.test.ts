/** A balancer before servers of this process, on addresses of loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { freePort } from '../../ip/testing/free-port.ts';
import { silentLog } from '../../observability/log.ts';
import type { Answer } from './backends.ts';
import { Balancer } from './balancer.ts';

const [front, a, b] = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];

describe('the balancer', () => {
  const clock = new FakeClock();
  let port = 0;
  let answers = new Map<string, Answer>();
  /** Connections by address. */
  let accepted = new Map<string, number>();
  let listeners: Server[] = [];
  let sockets: Socket[] = [];
  let stop = new AbortController();

  async function listen(server: Server, address: string): Promise<void> {
    listeners.push(server);
    server.on('connection', (socket) => {
      sockets.push(socket);
      accepted.set(address, (accepted.get(address) ?? 0) + 1);
      socket.on('error', () => {});
    });
    server.listen(port, address);
    await once(server, 'listening');
  }

  /** Answers with its name when the question has ended, as one does who reads to the end. */
  const backend = (address: string, name: string): Promise<void> =>
    listen(
      createServer({ allowHalfOpen: true }, (socket) => {
        void text(socket).then(
          (question) => socket.end(`${name} heard ${question}`),
          () => {},
        );
      }),
      address,
    );

  beforeEach(async () => {
    [port, answers, accepted, listeners, sockets, stop] = [await freePort(), new Map(), new Map(), [], [], new AbortController()];
    const probe = async (server: string): Promise<Answer> => answers.get(server) ?? 'ready';
    const balancer = new Balancer({ servers: [a, b], port, probe, clock, log: silentLog, signal: stop.signal });
    const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    balancer.serve(listener);
    await listen(listener, front);
  });

  afterEach(() => {
    stop.abort();
    for (const socket of sockets) socket.destroy();
    for (const listener of listeners) listener.close();
  });

  async function open(): Promise<Socket> {
    const socket = connect({ port, host: front, allowHalfOpen: true });
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  async function ask(question: string): Promise<string> {
    const socket = await open();
    socket.end(question);
    return await text(socket);
  }

  test('gives connections to the servers by turns, and carries both directions to their ends', async () => {
    await backend(a, 'a');
    await backend(b, 'b');
    const said = [await ask('one'), await ask('two')];
    assert.deepEqual(said, ['a heard one', 'b heard two']);
  });

  test('passes over a server that refuses, without its client noticing', async () => {
    await backend(b, 'b');
    for (const question of ['one', 'two', 'three']) assert.equal(await ask(question), `b heard ${question}`);
  });

  test('carries more bytes than fit into any buffer', async () => {
    await backend(a, 'a');
    const much = 'x'.repeat(8 << 20);
    assert.equal(await ask(much), `a heard ${much}`);
  });

  test('resets a connection when no server takes it', async () => {
    const socket = await open();
    const [err] = await once(socket.resume(), 'error');
    assert.equal(err.code, 'ECONNRESET');
  });

  test('cuts the connections to a server that falls silent, and no others', async () => {
    await backend(a, 'a');
    await backend(b, 'b');
    const held = [await open(), await open()];
    for (const socket of held) socket.write('x');
    await eventually('both servers to have a connection', () => accepted.get(a) === 1 && accepted.get(b) === 1);
    const cut = held.map((socket) => once(socket.resume(), 'error').then(() => socket));
    answers.set(a, 'silent');
    for (let i = 0; i < 2; i++) await clock.advance(1_000);
    const gone = await Promise.race(cut);
    const other = held.find((socket) => socket !== gone)!;
    other.end('y');
    assert.equal(await text(other), 'b heard xy');
  });

  test('takes the other side along when one breaks off', async () => {
    const server = createServer();
    await listen(server, a);
    const connected = once(server, 'connection') as Promise<[Socket]>;
    const client = await open();
    const [served] = await connected;
    const closed = new Promise((resolve) => served.on('close', resolve));
    client.resetAndDestroy();
    await closed;
  });
});
