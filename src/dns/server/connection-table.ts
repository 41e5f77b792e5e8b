/** Which connections there are, of whom, and which one goes when a new one wants the room: pure. */

export interface Evictable {
  /** Nothing that was asked is unanswered. */
  readonly isIdle: boolean;
}

export interface ConnectionLimits {
  /** Of all clients together. */
  readonly total: number;
  readonly perClient: number;
}

/** Sets keep the order in which things were added: the first one is the longest without a question. */
export class ConnectionTable<T extends Evictable> {
  readonly #limits: ConnectionLimits;
  readonly #all = new Map<T, string>();
  readonly #byClient = new Map<string, Set<T>>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get connections(): Iterable<T> {
    return this.#all.keys();
  }

  get size(): number {
    return this.#all.size;
  }

  /** Takes a connection in; gives the one that has to go for it. A client over its limit pays itself, not others. */
  add(connection: T, client: string): T | undefined {
    const own = this.#byClient.get(client) ?? new Set<T>();
    const victim =
      own.size >= this.#limits.perClient ? idlest(own) : this.#all.size >= this.#limits.total ? idlest(this.#all.keys()) : undefined;
    if (victim) this.delete(victim);
    this.#put(connection, client);
    return victim;
  }

  #put(connection: T, client: string): void {
    this.#all.set(connection, client);
    this.#byClient.set(client, (this.#byClient.get(client) ?? new Set<T>()).add(connection));
  }

  /** A question came on it. */
  touch(connection: T): void {
    const client = this.#all.get(connection);
    if (client === undefined) return;
    this.delete(connection);
    this.#put(connection, client);
  }

  delete(connection: T): void {
    const client = this.#all.get(connection);
    if (client === undefined) return;
    this.#all.delete(connection);
    const own = this.#byClient.get(client);
    own?.delete(connection);
    if (own?.size === 0) this.#byClient.delete(client);
  }
}

/** The one that has asked nothing for the longest time; one that waits for an answer only when all do. */
function idlest<T extends Evictable>(connections: Iterable<T>): T | undefined {
  let first: T | undefined;
  for (const connection of connections) {
    if (connection.isIdle) return connection;
    first ??= connection;
  }
  return first;
}
