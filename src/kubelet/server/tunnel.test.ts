import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually } from '../../clock/testing/eventually.ts';
import { joinTunnel } from './tunnel.ts';

/** An end of a tunnel that notes what is asked of it. */
class FakeEnd extends EventEmitter {
  readonly asked: string[] = [];
  readonly bufferedAmount = 0;
  /** Whether there is room for more. */
  room = true;
  send = (bytes: Buffer): void => void this.asked.push(`send ${bytes}`);
  write = (bytes: Buffer): boolean => {
    this.asked.push(`write ${bytes}`);
    return this.room;
  };
  pause = (): void => void this.asked.push('pause');
  resume = (): void => void this.asked.push('resume');
  destroy = (): void => void this.asked.push('destroy');
  close = (code: number): void => void this.asked.push(`close ${code}`);
}

for (const head of ['', 'a'])
  test(`joinTunnel() joins two ends, after ${head === '' ? 'nothing' : 'something'} was said already`, () => {
    const [ws, runtime] = [new FakeEnd(), new FakeEnd()];
    joinTunnel(ws as unknown as WebSocket, runtime as unknown as Socket, Buffer.from(head));
    runtime.emit('data', Buffer.from('b'));
    assert.deepEqual(ws.asked.splice(0), head === '' ? ['send b'] : ['send a', 'send b']);
    ws.emit('message', Buffer.from('c'));
    runtime.room = false;
    ws.emit('message', Buffer.from('d'));
    assert.deepEqual(runtime.asked.splice(0), ['resume', 'write c', 'write d']);
    assert.deepEqual(ws.asked.splice(0), ['pause']);
    runtime.emit('drain');
    runtime.emit('error', new Error('reset'));
    runtime.emit('close');
    assert.deepEqual(ws.asked, ['resume', 'close 1000']);
    ws.emit('close');
    assert.deepEqual(runtime.asked, ['destroy', 'destroy']);
  });

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
