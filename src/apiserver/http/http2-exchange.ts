/** A request of HTTP/2 and its answer, as handlers know them of HTTP/1.1. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  constants,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';

/** What is said of a connection has no place in HTTP/2, though a node or a pod behind a proxy may say it (RFC 9113, 8.2.2). */
const connectionHeaders: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

/** The connection takes no request after those that are under way: the client is told, and comes again on another. HTTP/1.1 stays as it is. */
export function endHttp2(req: object): void {
  if (req instanceof Http2Request) endSession(req.stream);
}

function endSession({ session }: ServerHttp2Stream): void {
  session?.close();
}

export class Http2Request extends Http2ServerRequest {
  readonly #stream: ServerHttp2Stream;
  readonly #socket: TLSSocket;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[], socket: TLSSocket) {
    headers.host ??= headers[':authority'];
    // CONNECT has none.
    headers[':path'] ??= '/';
    // HTTP/1.1 says so of a body that tells no length, and all that reads bodies goes by it.
    if (!stream.endAfterHeaders && headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
    super(stream, headers, {}, rawHeaders);
    this.#stream = stream;
    this.#socket = socket;
  }

  static {
    // Node's own stands for the connection and the stream together, another one for each request: nothing could be kept by it.
    Object.defineProperty(Http2Request.prototype, 'socket', {
      get(this: Http2Request) {
        return this.#socket;
      },
    });
  }

  /** As of Node's IncomingMessage. */
  get headersDistinct(): Record<string, string[]> {
    const distinct: Record<string, string[]> = Object.create(null);
    for (let i = 0; i < this.rawHeaders.length; i += 2) {
      const name = this.rawHeaders[i]!;
      if (name.startsWith(':')) continue;
      distinct[name] ??= [];
      distinct[name].push(this.rawHeaders[i + 1]!);
    }
    return distinct;
  }

  /** The rest of the body is wanted no more; other requests of the connection go on. */
  override _destroy(err: Error | null, done: (err?: Error | null) => void): void {
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
    done(err);
  }

  get asIncomingMessage(): IncomingMessage {
    return this as unknown as IncomingMessage;
  }
}

export class Http2Response extends Http2ServerResponse {
  static {
    // As of Node's ServerResponse: nobody is left who could be answered.
    Object.defineProperty(Http2Response.prototype, 'destroyed', {
      get(this: Http2Response) {
        return this.stream.destroyed || this.stream.closed;
      },
    });
  }

  /** Node's own waits for trailers, which costs each answer a frame and a system call of its own. */
  override writeHead(code: number, given: unknown = {}): this {
    const { stream } = this;
    if (this.destroyed) return this;
    const headers: OutgoingHttpHeaders = { ':status': code };
    for (const name of this.getHeaderNames()) headers[name] = this.getHeader(name);
    for (const [name, value] of Object.entries(given as OutgoingHttpHeaders))
      if (!connectionHeaders.has(name.toLowerCase())) headers[name] = value;
    this.statusCode = code;
    if (code === 401) endSession(stream);
    stream.respond(headers);
    return this;
  }

  /** What was sent is not all. By an error the client is told so: `close()` of the stream would send an end first, as of a whole answer. */
  override destroy(err: Error = new Error('the answer was broken off')): this {
    this.stream.destroy(err);
    return this;
  }

  get asServerResponse(): ServerResponse {
    return this as unknown as ServerResponse;
  }
}
