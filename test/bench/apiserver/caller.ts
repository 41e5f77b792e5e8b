/** The client of the measurements, over TLS with a certificate: as little work as possible for each answer. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { Agent, request } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Pem } from '../../../src/apiserver/testing/test-pki.ts';
import { withIssuers } from '../../../src/x509/chain.ts';

const newline = 10;

interface Call {
  readonly body?: string;
  readonly type?: string;
  readonly accept?: string;
}

/** The watches of a connection. */
export interface Watcher {
  close(): void;
}

export class Caller {
  readonly #url: string;
  /** Of all connections: to read certificates and key for each of them would take longer than the rest of a handshake. */
  readonly #secureContext: SecureContext;
  readonly #agent: Agent;
  /** A connection for each request. No session of TLS is taken up again: other clients have none. */
  readonly #watching: Agent;

  constructor(url: string, { cert, key, ca }: Pem & { readonly ca: string }) {
    this.#url = url;
    this.#secureContext = createSecureContext({ key, ca, cert: withIssuers(cert, ca) });
    this.#agent = new Agent({ keepAlive: true, secureContext: this.#secureContext });
    this.#watching = new Agent({ secureContext: this.#secureContext, maxCachedSessions: 0 });
  }

  /** Gives the body. Throws what is no success. */
  call(method: string, path: string, { body, type = 'application/json', accept = 'application/json' }: Call = {}): Promise<Buffer> {
    const content = body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const req = request(this.#url + path, { method, agent: this.#agent, headers: { accept, ...content } }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const answer = Buffer.concat(chunks);
          if ((res.statusCode ?? 500) < 300) resolve(answer);
          else reject(new Error(`${method} ${path} answers ${res.statusCode}: ${answer.toString().slice(0, 500)}`));
        });
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  /** Resolves when the answer has begun. `onEvents` hears how many events have come. */
  watch(path: string, onEvents: (count: number) => void): Promise<Watcher> {
    return new Promise((resolve, reject) => {
      const req = request(this.#url + path, { agent: this.#watching, headers: { accept: 'application/json' } }, (res) => {
        if (res.statusCode !== 200) return reject(new Error(`${path} answers ${res.statusCode}`));
        res.on('data', (chunk: Buffer) => tellEvents(chunk, onEvents));
        res.on('error', () => {});
        resolve({ close: () => req.destroy() });
      });
      req.on('error', reject);
      req.end();
    });
  }

  /** The same for several watches over one connection of HTTP/2, as a process of client-go has them. */
  async watchTogether(path: string, watches: number, onEvents: (count: number) => void): Promise<Watcher> {
    const session = connect(this.#url, { secureContext: this.#secureContext });
    // It is torn down with watches on it.
    session.on('error', () => {});
    await once(session, 'remoteSettings');
    const begin = async (): Promise<void> => {
      const stream = session.request({ ':path': path, accept: 'application/json' });
      const [head] = await once(stream, 'response');
      if (head[':status'] !== 200) throw new Error(`${path} answers ${head[':status']}`);
      stream.on('error', () => {});
      stream.on('data', (chunk: Buffer) => tellEvents(chunk, onEvents));
    };
    await Promise.all(Array.from({ length: watches }, begin));
    return { close: () => session.destroy() };
  }

  close(): void {
    this.#agent.destroy();
    this.#watching.destroy();
  }
}

function tellEvents(chunk: Buffer, onEvents: (count: number) => void): void {
  let count = 0;
  for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) count++;
  if (count > 0) onEvents(count);
}
