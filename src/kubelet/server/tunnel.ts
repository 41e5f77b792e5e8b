/** port-forward over WebSocket: the client speaks SPDY inside the frames; its bytes go to the runtime as they are. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { pacedSend } from './paced-send.ts';

/** Joins the two until either ends. `head` is what the runtime has said already. */
export function joinTunnel(ws: WebSocket, runtime: Socket, head: Buffer): void {
  const send = pacedSend(ws, runtime);
  if (head.length > 0) send(head);
  runtime.on('data', send);
  runtime.on('close', () => ws.close(1000));
  runtime.on('error', () => runtime.destroy());
  runtime.on('drain', () => ws.resume());
  ws.on('message', (data) => {
    if (!runtime.write(data as Buffer)) ws.pause();
  });
  ws.on('close', () => runtime.destroy());
  runtime.resume();
}
