/** HTTPS to one server with connections kept alive. Knows bytes and headers, not Kubernetes. */
import { readFile } from 'node:fs/promises';
import type { ClientRequest, IncomingMessage } from 'node:http';
import https from 'node:https';
import { finished } from 'node:stream';
import { termHeader } from '../api/leader-term.ts';
import { KnownError, messageOf, systemCode } from '../errors/known-error.ts';
import { http } from '../observability/plain-http.ts';
import type { ClientConfig, Credentials } from './client-config.ts';
import { Connections } from './connections.ts';
import type { Term } from './term.ts';

interface TransportRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
  /** 0 for none. */
  readonly timeoutMs?: number;
}

const tokenFreshMs = 60_000;
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);
const reads: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** How a connection that the other end has closed already answers. */
const broken: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** A response whose head is there. */
export interface Exchange {
  readonly response: IncomingMessage;
  /** Aborts when other credentials have taken the place of those it came with. */
  readonly retired: AbortSignal;
}

export class Transport {
  readonly config: ClientConfig;
  readonly #base: URL;
  #credentials: Credentials;
  #connections: Connections;
  readonly #underWay = new Set<ClientRequest>();
  #isClosed = false;
  #token: { readonly text: string; readonly readAt: number } | undefined;

  constructor(config: ClientConfig) {
    this.config = config;
    this.#base = new URL(config.server);
    this.#credentials = config;
    this.#connections = new Connections(config);
  }

  /** Whoever holds a connection for long looks whether it is still the right one. */
  async #renew(): Promise<void> {
    const credentials = await this.config.renewed?.();
    if (!credentials || this.#isClosed) return;
    const before = this.#connections;
    this.#connections = new Connections({ ...this.config, ...credentials });
    this.#credentials = credentials;
    this.#token = undefined;
    before.retire();
  }

  /** The token to show; undefined for none. */
  async #bearer(): Promise<string | undefined> {
    const { token, tokenFile } = this.#credentials;
    if (token !== undefined || tokenFile === undefined) return token;
    if (!this.#token || performance.now() - this.#token.readAt > tokenFreshMs) {
      this.#token = { text: (await readFile(tokenFile, 'utf8')).trim(), readAt: performance.now() };
    }
    return this.#token.text;
  }

  /** Sends a request; resolves with the response once its head is there. Throws API_UNREACHABLE when there is none. */
  async send(request: TransportRequest): Promise<IncomingMessage> {
    return (await this.exchange(request)).response;
  }

  /** The same for what lasts: the connection may have to be left before the response ends. */
  async exchange(request: TransportRequest): Promise<Exchange> {
    await this.#renew();
    // What is wrong when none is given is no matter of this request.
    const given = await this.config.tokens?.text();
    // A server that ends a kept connection and a request that takes it may cross. What may be said twice is said again;
    // every idle connection may be stale after a restart, so the last attempt opens one of its own.
    const attempts = idempotent.has(request.method) ? 3 : 1;
    for (let attempt = 1; ; attempt++) {
      const sent = { reused: false };
      const { tls, agent, retired } = this.#connections;
      try {
        // Without an agent the connection is made for this request alone, by the same options.
        return { response: await this.#attempt(request, given, sent, attempt === 3 ? { ...tls, agent: false } : { agent }), retired };
      } catch (err) {
        if (request.signal?.aborted) throw err;
        if (attempt < attempts && sent.reused && broken.has(systemCode(err) ?? '')) continue;
        throw this.unreachable(request, err);
      }
    }
  }

  async #attempt(
    request: TransportRequest,
    given: string | undefined,
    sent: { reused: boolean },
    by: https.RequestOptions,
  ): Promise<IncomingMessage> {
    const bearer = given ?? (await this.#bearer());
    if (this.#isClosed) throw new Error('the client was closed');
    const within = reads.has(request.method) ? undefined : this.config.term;
    const termText = within?.text();
    const headers: Record<string, string | number> = {
      'user-agent': this.config.userAgent ?? 'fairlead',
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(termText === undefined ? {} : { [termHeader]: termText }),
      ...request.headers,
    };
    if (request.body !== undefined) headers['content-length'] = Buffer.byteLength(request.body);
    const timeoutMs = request.timeoutMs ?? this.config.timeoutMs ?? 30_000;
    return new Promise((resolve, reject) => {
      const client = this.#base.protocol === 'http:' ? http : https;
      const req = client.request(new URL(this.#base.pathname.replace(/\/$/, '') + request.path, this.#base), {
        method: request.method,
        ...by,
        headers,
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
      this.#underWay.add(req);
      req.on('close', () => this.#underWay.delete(req));
      if (timeoutMs > 0) {
        req.setTimeout(timeoutMs, () => req.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
      }
      req.on('response', (response) => {
        if (response.statusCode === 401 && given !== undefined) this.config.tokens?.refused(given);
        resolve(response);
      });
      req.on('error', (err) => {
        sent.reused = req.reusedSocket;
        reject(err);
      });
      if (within) this.#endWithin(within, req, request.body);
      else req.end(request.body);
    });
  }

  /** Sends a write, unless its term is over: asked after all that may take time, connecting too, for a process that was frozen may wake up anywhere. */
  #endWithin(term: Pick<Term, 'mayAct'>, req: ClientRequest, body: TransportRequest['body']): void {
    const send = (): void => {
      if (term.mayAct()) req.end(body);
      else req.destroy(new Error('this process may not write any more'));
    };
    const connected = this.#base.protocol === 'http:' ? 'connect' : 'secureConnect';
    req.on('socket', (socket) => (req.reusedSocket ? send() : socket.once(connected, send)));
  }

  /** `err` as what a user reads: the connection could not be made, or broke. */
  unreachable(request: Pick<TransportRequest, 'method' | 'path'>, err: unknown): KnownError {
    const code = systemCode(err);
    const hint =
      code === 'ECONNREFUSED'
        ? 'Nothing listens there: is the API server running?'
        : code?.includes('CERT') || code?.includes('TLS') || code?.includes('SIGNATURE')
          ? 'The certificates do not fit: does the kubeconfig belong to this cluster?'
          : 'Check the address in the kubeconfig and the route to it';
    const [path] = request.path.split('?');
    return new KnownError('API_UNREACHABLE', `Cannot ${request.method} ${this.config.server}${path}: ${messageOf(err) || code}`, {
      hint,
      cause: err,
    });
  }

  /** Cuts what is under way; nothing is sent from now on. */
  close(): void {
    this.#isClosed = true;
    this.#connections.close();
    // Those of connections that were retired, or made for one request, as well.
    for (const req of this.#underWay) req.destroy(new Error('the client was closed'));
  }
}

/** The whole body as text. Rejects when the connection breaks before its end. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return (chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)).toString('utf8');
}

/**
 * Hands on the lines of a body as they come, without their ends: in the turn of the event loop in which they were read. Resolves at the end of the body; rejects
 * when it breaks off, and with what `onLine` throws, after which no line comes.
 */
export function eachLine(response: IncomingMessage, onLine: (line: string) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let begun = '';
  const take = (chunk: string): void => {
    let from = 0;
    for (let at = chunk.indexOf('\n'); at >= 0; at = chunk.indexOf('\n', from)) {
      const line = begun + chunk.slice(from, at);
      begun = '';
      from = at + 1;
      if (line) onLine(line);
    }
    begun += chunk.slice(from);
  };
  finished(response, (err) => (err ? reject(err) : resolve()));
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    try {
      take(chunk);
    } catch (err) {
      reject(err);
      response.destroy();
    }
  });
  return promise;
}
