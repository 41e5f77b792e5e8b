import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../../clock/testing/eventually.ts';
import { joinTunnel } from './tunnel.ts';

test('joinTunnel() reads no more from a pod than the client takes', async (t) => {
  const runtime = createServer().listen(0, '127.0.0.1');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.after(() => {
    server.close();
    runtime.close();
  });
  await Promise.all([once(runtime, 'listening'), once(server, 'listening')]);
  const near = connect((runtime.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(runtime, 'connection')) as [Socket];
  server.on('connection', (ws) => joinTunnel(ws, near, Buffer.alloc(0)));
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(client, 'open');
  t.after(() => {
    client.terminate();
    far.destroy();
    near.destroy();
  });
  client.pause();

  const total = 64 << 20;
  for (let sent = 0; sent < total; sent += 1 << 20) far.write(Buffer.alloc(1 << 20));
  await eventually('nothing moves', async () => {
    const before = far.writableLength;
    await sleep(10);
    return far.writableLength === before;
  });
  assert.ok(far.writableLength > total / 2, `only ${far.writableLength} bytes wait at the runtime`);
  let received = 0;
  client.on('message', (data: Buffer) => {
    received += data.length;
  });
  client.resume();
  await eventually('all has come', () => received === total);
  client.terminate();
  await once(far.resume(), 'close');
});
