import assert from 'node:assert/strict';
import test from 'node:test';
import type { WebSocket } from 'ws';
import { pacedSend } from './paced-send.ts';

test('pacedSend() pauses its source past a megabyte that waits for the client, until half of it has left', () => {
  const said: string[] = [];
  const callbacks: (() => void)[] = [];
  const ws = { bufferedAmount: 0, send: (_message: Buffer, left: () => void) => void callbacks.push(left) };
  const send = pacedSend(ws as unknown as WebSocket, { pause: () => void said.push('pause'), resume: () => void said.push('resume') });
  const sendWith = (waiting: number): void => {
    ws.bufferedAmount = waiting;
    send(Buffer.alloc(1));
  };
  const leaves = (waiting: number): void => {
    ws.bufferedAmount = waiting;
    callbacks.shift()?.();
  };
  sendWith(1 << 20);
  assert.deepEqual(said, []);
  sendWith((1 << 20) + 1);
  sendWith((1 << 20) + 2);
  assert.deepEqual(said, ['pause'], 'once');
  leaves((1 << 19) + 1);
  assert.deepEqual(said, ['pause']);
  leaves(1 << 19);
  leaves(0);
  assert.deepEqual(said, ['pause', 'resume'], 'once');
});
