import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemExec } from '../linux/exec.ts';
import { listenForCalls } from './server.ts';

describe('listenForCalls()', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fl-server-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  test('lets go of a caller that ends before it has asked', async () => {
    const server = await listenForCalls(join(dir, 's'), async () => assert.fail());
    const socket = connect(join(dir, 's'));
    const closed = once(socket, 'close');
    socket.end('{"plugin"');
    await closed;
    await new Promise((resolve) => server.close(resolve));
  });

  test('answers a caller that has said all it has to say', async () => {
    const server = await listenForCalls(join(dir, 's'), async ({ stdin }) => ({ code: 0, stdout: stdin }));
    const socket = connect(join(dir, 's'));
    socket.end('{"stdin":"x"}\n');
    assert.equal(String((await once(socket, 'data'))[0]), '{"code":0,"stdout":"x"}\n');
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('a caller that will say whether it took the answer', () => {
  const add = `${JSON.stringify({ env: { CNI_COMMAND: 'ADD' }, stdin: '', confirms: true })}\n`;

  /** Asks for an ADD, does `then` with the answer, and gives the commands that the plugin had, `count` at least, when the server had closed. */
  async function commandsOf(count: number, then: (socket: Socket) => void): Promise<unknown[]> {
    const dir = mkdtempSync(join(tmpdir(), 'fl-server-'));
    const commands: unknown[] = [];
    const all = Promise.withResolvers<void>();
    const server = await listenForCalls(join(dir, 's'), async ({ env }) => {
      if (commands.push(env.CNI_COMMAND) === count) all.resolve();
      return { code: 0, stdout: '{}' };
    });
    const socket = connect(join(dir, 's'));
    socket.write(add);
    await once(socket, 'data');
    then(socket);
    await Promise.all([all.promise, new Promise((resolve) => server.close(resolve))]);
    await new Promise((resolve) => setImmediate(resolve));
    rmSync(dir, { recursive: true });
    return commands;
  }

  test('keeps what it was given when it says so', async () => {
    assert.deepEqual(await commandsOf(1, (socket) => socket.end('\n')), ['ADD']);
  });

  test('has an ADD taken back when it ends without a word, though the answer had come', async () => {
    assert.deepEqual(await commandsOf(2, (socket) => socket.destroy()), ['ADD', 'DEL']);
  });
});

describe('the client in Node.js', () => {
  test('ends with its answer though the agent stops right after it has written it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'fl-client-'));
    const path = join(dir, 's');
    // Takes the call, answers, and does not end the connection.
    const server = createServer((socket) => socket.once('data', () => socket.write('{"code":0,"stdout":"{}"}\n')));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      const client = fileURLToPath(new URL('../../cni-bin/fairlead.cjs', import.meta.url));
      const env = { CNI_COMMAND: 'ADD', FAIRLEAD_CNI_TIMEOUT: '120' };
      const result = await systemExec.run(process.execPath, [client, 'fairlead', path, dir], { env, input: '{}', timeoutMs: 60_000 });
      assert.deepEqual(result, { code: 0, stdout: '{}', stderr: '' });
    } finally {
      server.close();
      rmSync(dir, { recursive: true });
    }
  });
});
