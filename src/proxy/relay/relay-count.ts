/** What was relayed for one port of a Service. */

/** A connection to a client; a socket is one. */
export interface Metered {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export class RelayCount {
  #connections = 0;
  #refused = 0;
  #received = 0;
  #sent = 0;
  /** Those that are open are read when somebody asks. */
  readonly #open = new Set<Metered>();

  /** Connections, and flows of datagrams, that got an endpoint. */
  get connections(): number {
    return this.#connections;
  }

  get refused(): number {
    return this.#refused;
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

  refuse(): void {
    this.#refused++;
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
