import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { writeShared } from './shared-chunks.ts';

/** All that a server says to such a head of a request, from the end of its own head. */
async function bodyOnWire(t: TestContext, head: string, answer: (res: ServerResponse) => void): Promise<string> {
  const server = createServer((_req, res) => {
    res.writeHead(200);
    res.flushHeaders();
    answer(res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(`${head}\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const said = await text(socket);
  return said.slice(said.indexOf('\r\n\r\n') + 4);
}

const bytes = Buffer.from('x'.repeat(26));

test('writeShared() writes a chunk, between those that Node writes, before the end', async (t) => {
  const said = await bodyOnWire(t, 'GET / HTTP/1.1', (res) => {
    writeShared(res, bytes);
    res.write('ab');
    writeShared(res, Buffer.alloc(0));
    writeShared(res, bytes);
    res.end();
  });
  assert.equal(said, `1a\r\n${bytes}\r\n2\r\nab\r\n1a\r\n${bytes}\r\n0\r\n\r\n`);
});

test('writeShared() writes the bytes alone to a client that knows no chunks', async (t) => {
  const said = await bodyOnWire(t, 'GET / HTTP/1.0', (res) => {
    writeShared(res, bytes);
    res.end();
  });
  assert.equal(said, String(bytes));
});

test('writeShared() says that there is no room, and the answer tells of room later, as with any write', async (t) => {
  const large = Buffer.alloc(1 << 20, 'x');
  await bodyOnWire(t, 'GET / HTTP/1.1', (res) => {
    assert.deepEqual([writeShared(res, large), res.writableNeedDrain], [false, true]);
    res.once('drain', () => res.end());
  });
});
