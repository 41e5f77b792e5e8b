/** What was relayed for one port of a Service, and to each of its endpoints. */

/** A connection to a client; a socket is one. */
export interface Metered {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** What was relayed to one endpoint. */
export class Meter {
  #connections = 0;
  #received = 0;
  #sent = 0;
  /** Those that are open are read when somebody asks. */
  readonly #open = new Set<Metered>();

  /** Connections, and flows of datagrams. */
  get connections(): number {
    return this.#connections;
  }

  /** Bytes from clients. */
  get received(): number {
    return [...this.#open].reduce((sum, { bytesRead }) => sum + bytesRead, this.#received);
  }

  /** Bytes to clients. */
  get sent(): number {
    return [...this.#open].reduce((sum, { bytesWritten }) => sum + bytesWritten, this.#sent);
  }

  opened(): void {
    this.#connections++;
  }

  follow(client: Metered): void {
    this.#open.add(client);
  }

  closed(client: Metered): void {
    if (!this.#open.delete(client)) return;
    this.#received += client.bytesRead;
    this.#sent += client.bytesWritten;
  }

  datagram(direction: 'received' | 'sent', bytes: number): void {
    if (direction === 'received') this.#received += bytes;
    else this.#sent += bytes;
  }
}

export class RelayCount {
  #refused = 0;
  /** By the endpoint's name. */
  readonly #meters = new Map<string, Meter>();
  /** Of endpoints that were forgotten. */
  readonly #past = { connections: 0, received: 0, sent: 0 };

  get refused(): number {
    return this.#refused;
  }

  get connections(): number {
    return this.#sum('connections');
  }

  get received(): number {
    return this.#sum('received');
  }

  get sent(): number {
    return this.#sum('sent');
  }

  #sum(what: 'connections' | 'received' | 'sent'): number {
    return [...this.#meters.values()].reduce((sum, meter) => sum + meter[what], this.#past[what]);
  }

  refuse(times = 1): void {
    this.#refused += times;
  }

  of(endpoint: string): Meter {
    const meter = this.#meters.get(endpoint) ?? new Meter();
    this.#meters.set(endpoint, meter);
    return meter;
  }

  /** Forgets by whom an endpoint was used: it is gone, and nothing is open to it any more. */
  forget(endpoint: string): void {
    const meter = this.#meters.get(endpoint);
    if (!meter) return;
    this.#meters.delete(endpoint);
    for (const what of ['connections', 'received', 'sent'] as const) this.#past[what] += meter[what];
  }

  get endpoints(): ReadonlyMap<string, Meter> {
    return this.#meters;
  }
}
