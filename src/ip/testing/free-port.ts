/** Ports of loopback on which nobody listens, for servers of tests. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Below those that the kernel gives to whoever asks for any (from 32768): a connection of another test would have taken one before the server is up. */
const [first, count] = [20_000, 10_000];
/** Files that run at the same time look at different ports. */
let next = process.pid * 20;

async function listenSomewhere(): Promise<Server> {
  for (;;) {
    const server = createServer().listen(first + (next++ % count), '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (isFree) return server;
  }
}

/** All different. */
export async function freePorts(wanted: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: wanted }, listenSomewhere));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}
