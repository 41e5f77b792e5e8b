/**
 * Limits on connections: of one address, of one network of IPv6, and of all. Beyond them one without a request makes room: first one that
 * has never had any, and of those that do not differ the one that has been idle for longest. Who opens thousands closes his own, and who
 * shares his address (a pod that speaks with its node's) still gets in.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { clientNetwork } from './client-network.ts';

export interface ConnectionLimits {
  readonly ofAddress: number;
  readonly ofNetwork: number;
  readonly total: number;
}

/**
 * A kubelet without HTTP/2 has a connection for every Secret that it watches. An idle connection costs some 40 kB. All nodes of a cluster
 * may be in one network, which therefore gets all but the room of one address.
 */
const connectionLimits: ConnectionLimits = { ofAddress: 2000, ofNetwork: 8000, total: 10_000 };

interface Connection {
  readonly socket: Socket;
  readonly key: string;
  /** Those that it counts in, the smallest first. */
  readonly groups: readonly Group[];
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

/** Connections that have a limit together. */
class Group {
  readonly name: string;
  readonly limit: number;
  readonly idle = new Idle();
  open = 0;

  constructor(name: string, limit: number) {
    this.name = name;
    this.limit = limit;
  }
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #open = new Map<string, Connection>();
  readonly #all: Group;
  readonly #groups = new Map<string, Group>();

  constructor(limits: ConnectionLimits = connectionLimits) {
    this.#limits = limits;
    this.#all = new Group('', limits.total);
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
    const connection = { socket, key, groups: this.#groupsOf(address), requests: 0, used: false };
    this.#open.set(key, connection);
    for (const group of connection.groups) group.open++;
    this.#rest(connection);
    socket.once('close', () => this.#remove(connection));
    this.#evict(connection.groups.find(({ open, limit }) => open > limit)?.idle.first);
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

  #groupsOf(address: string): Group[] {
    const network = clientNetwork(address);
    const ofAddress = this.#group(address, this.#limits.ofAddress);
    return network === address ? [ofAddress, this.#all] : [ofAddress, this.#group(network, this.#limits.ofNetwork), this.#all];
  }

  #group(name: string, limit: number): Group {
    const group = this.#groups.get(name) ?? new Group(name, limit);
    this.#groups.set(name, group);
    return group;
  }

  #rest(connection: Connection): void {
    for (const { idle } of connection.groups) idle.add(connection);
  }

  #unrest(connection: Connection): void {
    for (const { idle } of connection.groups) idle.delete(connection);
  }

  #evict(connection: Connection | undefined): void {
    if (!connection) return;
    this.#remove(connection);
    connection.socket.destroy();
  }

  #remove(connection: Connection): void {
    if (this.#open.get(connection.key) !== connection) return;
    this.#open.delete(connection.key);
    this.#unrest(connection);
    for (const group of connection.groups) if (--group.open === 0) this.#groups.delete(group.name);
  }
}

function peerKey({ remoteAddress, remotePort }: Peer): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}
