/** A TCP proxy in front of a server, which loses answers or everything when a test says so. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class FaultyProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #losing: ((answer: Buffer) => boolean) | undefined;

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      const target = connect(targetPort, '127.0.0.1');
      for (const socket of [client, target]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          target.destroy();
        });
      }
      client.on('data', (bytes) => target.write(bytes));
      target.on('data', (bytes) => {
        if (this.#losing?.(bytes)) {
          this.#losing = undefined;
          client.destroy();
        } else client.write(bytes);
      });
    });
  }

  static async start(targetPort: number): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** The next answer that `isIt` is lost, and its connection with it: the server has done what was asked. */
  loseAnswer(isIt: (answer: Buffer) => boolean): void {
    this.#losing = isIt;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
