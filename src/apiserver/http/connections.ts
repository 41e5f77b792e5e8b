/**
 * Limits on connections: of one address, and of all. Beyond them one without a request makes room: first one that has never had any, and of
 * those that do not differ the one that has been idle for longest. Who opens thousands closes his own, and who shares his address (a pod
 * that speaks with its node's) still gets in.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';

export interface ConnectionLimits {
  readonly ofAddress: number;
  readonly total: number;
}

/** A kubelet without HTTP/2 has a connection for every Secret that it watches. An idle connection costs some 40 kB. */
const connectionLimits: ConnectionLimits = { ofAddress: 2000, total: 10_000 };

interface Connection {
  readonly socket: Socket;
  readonly address: string;
  readonly key: string;
  /** Under way. */
  requests: number;
  used: boolean;
}

/** Connections without a request under way, in the order in which they make room. */
class Idle {
  readonly #unused = new Map<string, Connection>();
  readonly #used = new Map<string, Connection>();

  get size(): number {
    return this.#unused.size + this.#used.size;
  }

  get first(): Connection | undefined {
    return this.#unused.values().next().value ?? this.#used.values().next().value;
  }

  add(connection: Connection): void {
    (connection.used ? this.#used : this.#unused).set(connection.key, connection);
  }

  delete({ key }: Connection): void {
    this.#unused.delete(key);
    this.#used.delete(key);
  }
}

/** What names a connection on its TCP and on its TLS socket. */
type Peer = Pick<Socket, 'remoteAddress' | 'remotePort'>;

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #open = new Map<string, Connection>();
  readonly #counts = new Map<string, number>();
  readonly #idle = new Idle();
  readonly #idleOf = new Map<string, Idle>();

  constructor(limits: ConnectionLimits = connectionLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Before TLS: a connection that is not wanted costs no handshake. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.add(socket));
  }

  add(socket: Socket): void {
    const { remoteAddress: address } = socket;
    const key = peerKey(socket);
    if (address === undefined || key === undefined) return;
    const connection = { socket, address, key, requests: 0, used: false };
    this.#open.set(key, connection);
    this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
    this.#rest(connection);
    socket.once('close', () => this.#remove(connection));
    if ((this.#counts.get(address) ?? 0) > this.#limits.ofAddress) this.#evict(this.#idleOf.get(address));
    else if (this.#open.size > this.#limits.total) this.#evict(this.#idle);
  }

  /** A request has come in whole: until what is returned is called, the connection stays. Half a request is no reason to stay. */
  begin(peer: Peer): () => void {
    const connection = this.#open.get(peerKey(peer) ?? '');
    if (!connection) return () => {};
    connection.requests++;
    connection.used = true;
    this.#unrest(connection);
    return () => {
      if (--connection.requests === 0 && this.#open.get(connection.key) === connection) this.#rest(connection);
    };
  }

  #rest(connection: Connection): void {
    this.#idle.add(connection);
    const of = this.#idleOf.get(connection.address) ?? new Idle();
    this.#idleOf.set(connection.address, of);
    of.add(connection);
  }

  #unrest(connection: Connection): void {
    this.#idle.delete(connection);
    const of = this.#idleOf.get(connection.address);
    of?.delete(connection);
    if (of?.size === 0) this.#idleOf.delete(connection.address);
  }

  #evict(idle: Idle | undefined): void {
    const connection = idle?.first;
    if (!connection) return;
    this.#remove(connection);
    connection.socket.destroy();
  }

  #remove(connection: Connection): void {
    const { key, address } = connection;
    if (this.#open.get(key) !== connection) return;
    this.#open.delete(key);
    this.#unrest(connection);
    const left = (this.#counts.get(address) ?? 0) - 1;
    if (left > 0) this.#counts.set(address, left);
    else this.#counts.delete(address);
  }
}

function peerKey({ remoteAddress, remotePort }: Peer): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}
