/**
 * Begins TLS for new connections, for a few milliseconds of each round of the event loop: each network in its turn, and in a network each
 * address. A handshake costs this thread half a millisecond at least, and who opens thousands of connections asks for hundreds of them at
 * once. A connection that has not said anything yet takes nobody's turn.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { FairQueue } from '../flow/fair-queue.ts';
import type { Pace } from '../flow/pace.ts';
import { clientNetwork } from './client-network.ts';

/** For the first byte; TLS itself has Node's `handshakeTimeout`. */
const patienceMs = 10_000;

export class Handshakes {
  readonly #pace: Pace;
  /** By network, then by address; a network stands there as often as it has handshakes to begin. */
  readonly #queue = new FairQueue<FairQueue<() => void>>();
  #awaitsRound = false;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** Comes between the server and its own listener, which wraps a connection in TLS. */
  stepInto(server: Server): void {
    const listeners = server.listeners('connection') as ((socket: Socket) => void)[];
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      this.add(socket, () => {
        for (const listener of listeners) listener.call(server, socket);
      });
    });
  }

  /** Calls `begin` in its turn, when the client has said something. */
  add(socket: Socket, begin: () => void): void {
    const end = (): void => void socket.destroy();
    socket.setTimeout(patienceMs, end);
    socket.once('error', end);
    socket.once('readable', () => {
      this.#push(socket.remoteAddress ?? '', () => {
        if (socket.destroyed) return;
        socket.setTimeout(0);
        socket.off('timeout', end);
        socket.off('error', end);
        begin();
      });
      this.#next();
    });
  }

  #push(address: string, begin: () => void): void {
    const network = clientNetwork(address);
    const addresses = this.#queue.firstOf(network) ?? new FairQueue<() => void>();
    addresses.push(address, begin);
    this.#queue.push(network, addresses);
  }

  #next(): void {
    if (this.#awaitsRound) return;
    while (this.#queue.size > 0) {
      if (!this.#pace.mayBegin()) {
        this.#awaitsRound = true;
        this.#pace.later(() => {
          this.#awaitsRound = false;
          this.#next();
        });
        return;
      }
      this.#queue.shift()?.shift()?.();
    }
  }
}
