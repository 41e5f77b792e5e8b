/** TCP: many connections, none of which keeps others out. */
import { createServer, type Server } from 'node:net';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import { familyOf } from '../../ip/ip.ts';
import { type ConnectionLimits, ConnectionTable } from './connection-table.ts';
import { TcpConnection } from './tcp-connection.ts';
import type { ListenOptions } from './udp.ts';

/** One client needs few: RFC 7766 §6.2.2 asks for a single one. A node's pods may come masqueraded as one. */
const limits: ConnectionLimits = { total: 1_000, perClient: 100 };

export interface TcpListener {
  readonly port: number;
  /** Accepts nothing more; resolves when each open connection has its answers. */
  drain(): Promise<void>;
  /** Ends its connections. */
  close(): Promise<void>;
}

/** Listens. Rejects with the error of the system. */
export async function listenTcp(
  options: ListenOptions & { readonly limits?: ConnectionLimits | undefined; readonly clock: Clock },
): Promise<TcpListener> {
  const { responder, clock } = options;
  const family = familyOf(options.address);
  const table = new ConnectionTable<TcpConnection>(options.limits ?? limits);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const client = { family, address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const connection = new TcpConnection({
      socket,
      respond: (message) => responder.respond(message, 'tcp', client),
      onQuestion: () => table.touch(connection),
      clock,
    });
    table.add(connection, client.address)?.destroy();
    socket.on('close', () => table.delete(connection));
  });
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  const port = await listen(server, options);
  server.on('error', (err) => options.log.warn(`TCP socket of the DNS server: ${messageOf(err)}`));
  const stopListening = (): void => {
    if (server.listening) server.close();
  };
  return {
    port,
    drain() {
      stopListening();
      for (const connection of table.connections) connection.finish();
      return closed;
    },
    close() {
      stopListening();
      for (const connection of table.connections) connection.destroy();
      return closed;
    },
  };
}

function listen(server: Server, { address, port }: { readonly address: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      const bound = server.address();
      resolve(typeof bound === 'object' && bound ? bound.port : port);
    });
  });
}
