/**
 * HTTP/2 on the port of HTTP/1.1, for clients that choose it in the handshake (ALPN): all of Go's do. The requests and watches of a client share
 * one connection, its handshake and its memory, and what the server tells many watches at once goes out in one piece.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, performServerHandshake, type SecureServerOptions, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../clock/clock.ts';
import { Http2Request, Http2Response } from './http2-exchange.ts';
import { maxHeaderSize, maxHeaders } from './request-head.ts';

/**
 * More than any client wants: a kubelet watches each Secret of its pods. Upstream's is 100, and whoever needs more opens another connection; but Node
 * counts a request that was cancelled until its next round, and refuses the one that a client at its limit sends in its place.
 */
export const defaultMaxStreams: number = 1000;
/** Of bodies that nobody has read yet: almost every object fits into the first, and one client holds no more than the second. */
const streamWindow = 256 << 10;
const connectionWindow = 1 << 20;

export interface Http2Options {
  /** Requests of one connection at a time, its watches among them. */
  readonly maxStreams: number;
  /** Without a request. */
  readonly idleMs: number;
  /** For a request to arrive. */
  readonly requestMs: number;
  /** How likely a request is to be the last that its connection takes: the client opens another, behind a load balancer at another server. */
  readonly goawayChance: number;
  readonly random: () => number;
  readonly clock: Clock;
  serve(req: IncomingMessage, res: ServerResponse): void;
}

export class Http2Sessions {
  readonly #o: Http2Options;
  readonly #open = new Map<ServerHttp2Session, TLSSocket>();

  constructor(options: Http2Options) {
    this.#o = options;
  }

  /** Comes between the handshake and the server's own HTTP/1.1. */
  stepInto(server: Server): void {
    const listeners = server.listeners('secureConnection') as ((socket: TLSSocket) => void)[];
    server.removeAllListeners('secureConnection');
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') this.#begin(socket);
      else for (const listener of listeners) listener.call(server, socket);
    });
  }

  /** Sends the clients elsewhere. Answers that are under way have `graceMs` to end. */
  async close(graceMs: number): Promise<void> {
    const closed = [...this.#open].map(([session, socket]) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(() => socket.destroy(), graceMs);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      session.close();
      return promise;
    });
    await Promise.all(closed);
  }

  #begin(socket: TLSSocket): void {
    const session = performServerHandshake(socket, sessionOptions(this.#o.maxStreams)) as ServerHttp2Session;
    this.#open.set(session, socket);
    let streams = 0;
    // Whatever a client does wrong ends its connection; there is nobody else to tell.
    session.on('error', () => {});
    session.once('close', () => this.#open.delete(session));
    session.setLocalWindowSize(connectionWindow);
    session.setTimeout(this.#o.idleMs, () => {
      if (streams === 0) session.destroy();
    });
    session.on('stream', (stream, headers, _flags, rawHeaders) => {
      streams++;
      stream.once('close', () => streams--);
      if (!stream.endAfterHeaders) this.#awaitBody(stream);
      const req = new Http2Request(stream, headers, rawHeaders, socket);
      const res = new Http2Response(stream).asServerResponse;
      if (headers.expect === '100-continue') res.writeContinue();
      this.#o.serve(req.asIncomingMessage, res);
      // Watches count, too, as with upstream: many a client has nothing else. What is under way goes on to its end.
      if (this.#o.random() < this.#o.goawayChance) session.close();
    });
  }

  /** Who never ends his request would hold what is kept for it. */
  #awaitBody(stream: ServerHttp2Stream): void {
    const timer = this.#o.clock.after(this.#o.requestMs, () => stream.close(constants.NGHTTP2_CANCEL));
    const stop = (): void => timer.cancel();
    stream.once('end', stop).once('close', stop);
  }
}

/** Beside these stand Node's own limits: on streams that are reset (1000 at once, 33 a second), pings, settings and broken frames. */
function sessionOptions(maxStreams: number): SecureServerOptions {
  return {
    maxHeaderListPairs: maxHeaders,
    // What waits to be sent is counted, too, such as many lists at once; `StalledAnswers` sees to that.
    maxSessionMemory: 1024,
    settings: { maxConcurrentStreams: maxStreams, initialWindowSize: streamWindow, maxHeaderListSize: maxHeaderSize, enablePush: false },
  };
}
