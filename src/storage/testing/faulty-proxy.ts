/** A TCP proxy in front of a server, which loses answers when a test says so, or takes its time. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class FaultyProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections that carry nothing any more. */
  readonly #stalled = new WeakSet<Socket>();
  #isCut = false;
  #losing: ((answer: Buffer) => boolean) | undefined;

  private constructor(targetPort: number, delayMs: number) {
    this.#server = createServer((client) => {
      const target = connect(targetPort, '127.0.0.1');
      if (this.#isCut) this.#stalled.add(client);
      for (const socket of [client, target]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          target.destroy();
        });
      }
      client.on('data', (bytes) => {
        if (!this.#stalled.has(client)) target.write(bytes);
      });
      target.on('data', (bytes) => {
        if (this.#stalled.has(client)) return;
        if (this.#losing?.(bytes)) {
          this.#losing = undefined;
          client.destroy();
        } else if (delayMs > 0) setTimeout(() => client.write(bytes), delayMs);
        else client.write(bytes);
      });
    });
  }

  /** Every answer takes `delayMs` longer. */
  static async start(targetPort: number, { delayMs = 0 }: { readonly delayMs?: number } = {}): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(targetPort, delayMs);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** What is sent on the connections that there are now goes nowhere, and nobody is told. */
  stall(): void {
    for (const socket of this.#sockets) this.#stalled.add(socket);
  }

  /** The same with new ones, until `mend`. */
  cut(): void {
    this.#isCut = true;
    this.stall();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Ends the connections that there are now. */
  endAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The next answer that `isIt` is lost, and its connection with it: the server has done what was asked. */
  loseAnswer(isIt: (answer: Buffer) => boolean): void {
    this.#losing = isIt;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.endAll();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
