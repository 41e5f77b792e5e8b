/**
 * In front of several API servers: takes a connection, and carries its bytes to a server that answers. TLS goes through it from end to end. What
 * kubeadm asks for as `--control-plane-endpoint`; it runs on none of the control planes, so that any of them may die.
 */
import { connect, type Server, type Socket } from 'node:net';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { type Answer, Backends } from './backends.ts';

export interface BalancerOptions {
  /** Addresses of the API servers. */
  readonly servers: readonly string[];
  readonly port: number;
  /** Asks one of them how it is. */
  readonly probe: (server: string) => Promise<Answer>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const probeEveryMs = 1_000;
/** A machine that has vanished refuses nothing: the next one is tried. */
const connectWithinMs = 1_000;

export class Balancer {
  readonly #options: BalancerOptions;
  readonly #backends: Backends;
  /** Open connections, by server. */
  readonly #carried = new Map<string, Set<Socket>>();

  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#backends = new Backends(options.servers);
    for (const server of options.servers) this.#carried.set(server, new Set());
  }

  /** Takes connections from `listener`, which has `allowHalfOpen` and `pauseOnConnect`. */
  serve(listener: Server): void {
    listener.on('connection', (client) => void this.#carry(client));
    for (const server of this.#options.servers) void this.#watch(server);
  }

  async #watch(server: string): Promise<void> {
    const { clock, log, probe, signal } = this.#options;
    while (!signal.aborted) {
      const next = clock.sleep(probeEveryMs, signal).catch(() => {});
      const answer = await probe(server);
      const news = this.#backends.report(server, answer);
      if (news !== undefined) log.info(`API server is ${news}`, { server });
      if (news === 'silent') this.#cut(server);
      await next;
    }
  }

  /** Who waits for an answer of a dead server shall ask another one now, not when TCP gives up. */
  #cut(server: string): void {
    for (const socket of this.#carried.get(server) ?? []) socket.resetAndDestroy();
  }

  async #carry(client: Socket): Promise<void> {
    client.on('error', () => client.destroy());
    for (const server of this.#backends.order()) {
      const upstream = await this.#connect(server);
      if (!upstream) continue;
      if (client.destroyed) return void upstream.destroy();
      return this.#join(client, upstream, server);
    }
    client.resetAndDestroy();
  }

  #connect(server: string): Promise<Socket | undefined> {
    const { port, log } = this.#options;
    return new Promise((resolve) => {
      const socket = connect({ host: server, port, allowHalfOpen: true, timeout: connectWithinMs });
      const fail = (why: string): void => {
        log.debug('Cannot reach API server', { server, why });
        socket.destroy();
        resolve(undefined);
      };
      socket.once('timeout', () => fail('no answer'));
      socket.once('error', (err) => fail(messageOf(err)));
      socket.once('connect', () => {
        socket.removeAllListeners('timeout').removeAllListeners('error').setTimeout(0);
        resolve(socket);
      });
    });
  }

  #join(client: Socket, upstream: Socket, server: string): void {
    const carried = this.#carried.get(server);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      carried?.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.resetAndDestroy());
      from.on('close', () => {
        carried?.delete(from);
        // Whoever went without a word takes the other side along.
        if (!from.readableEnded) to.destroy();
      });
      from.pipe(to);
    }
  }
}
