/** TCP: messages with their length in front (RFC 7766), as many as the client sends. */
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf } from '../../errors/known-error.ts';
import { familyOf } from '../../ip/ip.ts';
import type { Log } from '../../observability/log.ts';
import type { Responder } from './responder.ts';

const IDLE_MS = 10_000;
const MAX_CONNECTIONS = 1_000;
/** A client that asks and does not read is let go. */
const MAX_UNREAD = 1024 * 1024;
const MAX_WAITING = 100;

/** Listens. Rejects with the error of the system. Closing it ends its connections. */
export function listenTcp(options: {
  readonly address: string;
  readonly port: number;
  readonly responder: Responder;
  readonly log: Log;
}): Promise<Server> {
  const open = new Set<Socket>();
  // A client may end its side and still wait for the answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (open.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serve(socket, options.responder, familyOf(options.address));
  });
  const close = server.close.bind(server);
  server.close = (done) => {
    for (const socket of open) socket.destroy();
    return close(done);
  };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.address, () => {
      server.off('error', reject);
      server.on('error', (err) => options.log.warn(`TCP socket of the DNS server: ${messageOf(err)}`));
      resolve(server);
    });
  });
}

function serve(socket: Socket, responder: Responder, family: 4 | 6): void {
  let pending: Buffer = Buffer.alloc(0);
  let waiting = 0;
  let hasEnded = false;
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  const endWhenDone = (): void => {
    if (hasEnded && waiting === 0) socket.end();
  };
  const send = (bytes: Buffer): void => {
    if (socket.destroyed) return;
    const head = Buffer.alloc(2);
    head.writeUInt16BE(bytes.length, 0);
    socket.write(Buffer.concat([head, bytes]));
    if (socket.writableLength > MAX_UNREAD) socket.destroy();
  };
  socket.on('end', () => {
    hasEnded = true;
    endWhenDone();
  });
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk;
    while (!socket.destroyed && pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const length = pending.readUInt16BE(0);
      const reply = responder.respond(pending.subarray(2, 2 + length), 'tcp', family);
      pending = pending.subarray(2 + length);
      if (!(reply instanceof Promise)) {
        if (reply) send(reply);
        continue;
      }
      if (++waiting > MAX_WAITING) socket.destroy();
      void reply.then((bytes) => {
        waiting--;
        send(bytes);
        endWhenDone();
      });
    }
  });
}
