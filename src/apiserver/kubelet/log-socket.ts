/** `pods/log` over a WebSocket, for browsers: what the kubelet sends becomes messages, in one direction (upstream's wsstream). */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type LogRequest, openLog } from './log.ts';

const base64 = 'base64.binary.k8s.io';
const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  // Nobody has anything to say here.
  maxPayload: 1024,
  handleProtocols: (offered) => ['binary.k8s.io', base64].find((p) => offered.has(p)) ?? false,
});

/** Throws what the kubelet refuses with, before the request has left HTTP. */
export async function serveLogSocket(log: LogRequest, req: IncomingMessage, socket: Duplex, head: Buffer, end: AbortSignal): Promise<void> {
  // Nobody would hear of its close.
  if (socket.destroyed) return;
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const answer = await openLog(log, AbortSignal.any([gone.signal, end]));
  if (!answer) {
    // As without a WebSocket: a pod that waits for a node has nothing to show, and that is no mistake.
    socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n');
    return;
  }
  sockets.handleUpgrade(req, socket, head, (ws) => {
    ws.on('error', () => ws.terminate());
    // A log that breaks off leaves nobody to tell.
    pump(answer, ws).then(
      () => ws.close(1000),
      () => ws.terminate(),
    );
  });
}

async function pump(answer: IncomingMessage, ws: WebSocket): Promise<void> {
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const message = ws.protocol === base64 ? chunk.toString('base64') : chunk;
    // One after the other: a reader that is slow makes the kubelet wait, and fills no memory here.
    await new Promise<void>((resolve, reject) => ws.send(message, (err) => (err ? reject(err) : resolve())));
  }
}
