/** A kubelet's HTTPS server for tests: logs that say what was asked, and an echo behind every upgrade. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Pem } from './test-pki.ts';

export class FakeKubelet {
  readonly port: number;
  /** `GET /containerLogs/… as CN` of every request. */
  readonly seen: string[] = [];
  /** Lines of a followed log, to be written by the test. */
  readonly following: ServerResponse[] = [];
  lastUpgradeHeaders: IncomingHttpHeaders = {};
  /** The next request ends its connection instead of being answered. */
  hangUp = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(tls: Pem & { readonly ca: string }, host = '127.0.0.1'): Promise<FakeKubelet> {
    const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true });
    server.listen(0, host);
    await once(server, 'listening');
    const kubelet = new FakeKubelet(server);
    kubelet.#serve();
    return kubelet;
  }

  #serve(): void {
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('request', (req, res) => {
      const { CN } = (req.socket as TLSSocket).getPeerCertificate().subject;
      this.seen.push(`${req.method} ${req.url} as ${String(CN)}`);
      if (this.hangUp) {
        this.hangUp = false;
        req.socket.destroy();
      } else if (req.url?.includes('/broken')) {
        res.writeHead(404).end('container "broken" is not there\n');
      } else if (req.url === '/page/') {
        res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': 25 }).end('<a href="/logs/">Ä</a>\r\n');
      } else if (req.url === '/moved') {
        res.writeHead(302, { location: `https://${req.headers.host}/logs/` }).end();
      } else if (req.url?.includes('follow=true')) {
        res.writeHead(200).write('first\n');
        this.following.push(res);
      } else {
        res.writeHead(200).end('a line\n');
      }
    });
    this.#server.on('upgrade', (req, socket) => {
      this.lastUpgradeHeaders = req.headers;
      this.seen.push(`${req.method} ${req.url} ${req.headers.upgrade} authorization=${req.headers.authorization ?? 'none'}`);
      if (req.url?.includes('refuse-upgrade')) {
        socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\nnot today');
        // Whatever follows would be served as another request of the same client.
        socket.on('data', (chunk: Buffer) => this.seen.push(chunk.toString()));
        return;
      }
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: ${req.headers.upgrade}\r\nconnection: upgrade\r\n\r\nhello `);
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
      socket.on('end', () => socket.end());
    });
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}
