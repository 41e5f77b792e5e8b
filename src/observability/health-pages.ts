/**
 * Small pages for probes, load balancers and Prometheus (/healthz, /ready, /metrics …), over plain HTTP. What is not there is answered as Go's
 * servers do, which upstream's parts have.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { KnownError, messageOf, systemCode } from '../errors/known-error.ts';
import { http } from './plain-http.ts';

export interface Page {
  readonly code: number;
  readonly body: string | Uint8Array;
  /** Default `text/plain; charset=utf-8`. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** By path; `*` is answered for every other. */
export type Pages = Readonly<Record<string, (request: IncomingMessage) => Page | Promise<Page>>>;

interface PageServerOptions {
  /** HTTPS. PEM; `ca` is whose clients' certificates count. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** What is answered in place of a page, to who may not read it. */
  readonly allows?: (request: IncomingMessage) => Promise<Page | undefined>;
}

/** Pages at one address. Never keeps a process alive. */
export class PageServer {
  readonly #server: Server;
  /** May become others while it listens. */
  pages: Pages;

  constructor(pages: Pages, { tls, allows }: PageServerOptions = {}) {
    this.pages = pages;
    const answer = (request: IncomingMessage, response: ServerResponse): void => void respond(request, response, this.pages, allows);
    // A certificate is asked for and not required: a probe has none.
    this.#server = tls
      ? createSecureServer({ ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: false }, answer)
      : http.createServer(answer);
    this.#server.unref();
  }

  /** Listens at `HOST:PORT` (`:8080` and, as Go's servers do, `0.0.0.0:8080` in both families, `127.0.0.1:0`, `[::1]:8080`). Gives the port. Throws PORT_TAKEN. */
  listen(address: string): Promise<number> {
    const { host, port } = split(address);
    return new Promise((resolve, reject) => {
      // Also later, when there is nobody to tell: an error without a listener would end the process.
      this.#server.on('error', (err) => reject(systemCode(err) === 'EADDRINUSE' ? portTaken(address, err) : err));
      this.#server.listen(port, host === '' || host === '0.0.0.0' ? undefined : host, () =>
        resolve((this.#server.address() as AddressInfo).port),
      );
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

export interface HealthPages {
  /** By the address that was asked for, which may have left the port open. */
  readonly ports: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** Serves each page at its address; those of one address share a server. Without an address a page is not served. Throws PORT_TAKEN. */
export async function servePages(
  pages: readonly (readonly [address: string | undefined, path: string, page: Pages[string]])[],
): Promise<HealthPages> {
  const servers: PageServer[] = [];
  const ports = new Map<string, number>();
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close()));
  };
  try {
    for (const [address, own] of Map.groupBy(pages, ([address]) => address)) {
      if (address === undefined) continue;
      const server = new PageServer(Object.fromEntries(own.map(([, path, page]) => [path, page])));
      ports.set(address, await server.listen(address));
      servers.push(server);
    }
  } catch (err) {
    await close();
    throw err;
  }
  return { ports, close };
}

/** `HOST:PORT` with the port that was taken; a loopback address where it listens everywhere. */
export function boundAddress(address: string, port: number): string {
  return `${address.slice(0, address.lastIndexOf(':')) || '127.0.0.1'}:${port}`;
}

function split(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

function portTaken(address: string, cause: Error): KnownError {
  return new KnownError('PORT_TAKEN', `Cannot listen on "${address}": another program does`, { hint: 'Choose another address', cause });
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  pages: Pages,
  allows?: PageServerOptions['allows'],
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const page = Object.hasOwn(pages, path) ? pages[path] : pages['*'];
  let answer: Page = { code: 404, body: '404 page not found\n' };
  try {
    const refused = await allows?.(request);
    if (refused) answer = refused;
    else if (page) answer = await page(request);
  } catch (err) {
    answer = { code: 500, body: `${messageOf(err)}\n` };
  }
  const { code, body, type = 'text/plain; charset=utf-8', headers } = answer;
  response.writeHead(code, { 'content-type': type, 'x-content-type-options': 'nosniff', ...headers }).end(body);
}
