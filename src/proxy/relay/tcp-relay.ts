/** TCP connections of one address and port, carried to endpoints by this process. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { KnownError, systemCode } from '../../errors/known-error.ts';
import type { EndpointAddress } from '../plan/service-plan.ts';
import type { Route, SocketAddress } from './relay.ts';

/** How long each attempt waits for an answer, as kube-proxy's userspace mode had it. Each tries an endpoint that did not fail yet. */
const dialTimeoutsMs = [250, 500, 1000, 2000];

export class TcpRelay {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  #route: Route;

  private constructor(route: Route) {
    this.#route = route;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => void this.#accept(client));
    this.#server.unref();
  }

  /** Throws PORT_TAKEN. */
  static async listen({ ip, port }: SocketAddress, route: Route): Promise<TcpRelay> {
    const relay = new TcpRelay(route);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', (err) => {
        if (systemCode(err) !== 'EADDRINUSE') return reject(err);
        const hint = 'End the program that listens there, or give the Service another port';
        reject(new KnownError('PORT_TAKEN', `Cannot relay ${ip} port ${port}/tcp: another program listens there`, { cause: err, hint }));
      });
      // The ports of a proxy that goes are those of the next: both listen until the one has nothing to do.
      relay.#server.listen({ host: ip, port, ipv6Only: true, backlog: 1024, reusePort: true }, resolve);
    });
    // Later errors are of single connections, such as too many open files: whoever comes next may have more luck.
    relay.#server.on('error', () => {});
    return relay;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Open connections stay where they are. */
  reroute(route: Route): void {
    this.#route = route;
  }

  /** Takes no new connections; open ones go on. */
  close(): void {
    this.#server.close();
  }

  /** Cuts open connections, too. */
  cut(): void {
    this.close();
    for (const socket of this.#connections) socket.destroy();
  }

  async #accept(client: Socket): Promise<void> {
    this.#hold(client);
    // Until it is relayed, nobody else would hear that it broke.
    client.on('error', () => {});
    const route = this.#route;
    const from = client.remoteAddress;
    // Who has reset the connection by now: nobody knows any more who that was.
    if (from === undefined) {
      client.destroy();
      return;
    }
    const list = route.listFor(from);
    const failed = new Set<string>();
    for (const timeout of list === undefined ? [] : dialTimeoutsMs) {
      const endpoint = route.balancer.choose(list ?? 'cluster', from, failed);
      if (endpoint === undefined || client.destroyed) break;
      const upstream = await connected(endpoint, timeout);
      if (upstream) return this.#join(client, upstream, endpoint, route);
      failed.add(endpoint.name);
    }
    if (!client.destroyed) route.balancer.count.refuse();
    client.resetAndDestroy();
  }

  #join(client: Socket, upstream: Socket, { name }: EndpointAddress, { balancer }: Route): void {
    this.#hold(upstream);
    balancer.opened(name);
    upstream.once('close', () => balancer.closed(name));
    const meter = balancer.count.of(name);
    meter.follow(client);
    client.once('close', () => meter.closed(client));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.resetAndDestroy());
      one.on('close', () => other.destroySoon());
      one.pipe(other);
    }
    if (client.destroyed) upstream.destroy();
  }

  #hold(socket: Socket): void {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
  }
}

/** Undefined when the endpoint does not answer in time. */
function connected({ ip, port }: EndpointAddress, timeoutMs: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = dial({ host: ip, port, allowHalfOpen: true, noDelay: true });
    const fail = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    // Timers come before what arrived meanwhile: where this process was busy all the while, the answer may be there.
    socket.setTimeout(timeoutMs, () => setImmediate(() => socket.connecting && fail()));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}
