/** /health, /ready and /metrics, each on an address of its own as CoreDNS has them; the same address may be given for several. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KnownError, systemCode } from '../errors/known-error.ts';

export interface Page {
  readonly code: number;
  readonly body: string;
  readonly type?: string;
}

type Pages = Map<string, () => Page | Promise<Page>>;

/** Serves `pages` (path → page) at `address` (`:8080`, `127.0.0.1:0`, `[::1]:8080`). Gives the port. Throws PORT_TAKEN. */
async function listen(address: string, pages: Pages): Promise<{ readonly server: Server; readonly port: number }> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const server = createServer((request, response) => {
    const page = pages.get((request.url ?? '/').split('?')[0] ?? '/');
    void Promise.resolve(page?.() ?? { code: 404, body: '404 page not found\n' })
      .catch(() => ({ code: 500, body: 'internal error\n' }))
      .then(({ code, body, ...rest }: Page) =>
        response.writeHead(code, { 'content-type': rest.type ?? 'text/plain; charset=utf-8' }).end(body),
      );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (err) =>
      reject(
        systemCode(err) === 'EADDRINUSE'
          ? new KnownError('PORT_TAKEN', `Cannot listen on "${address}": the port is in use`, {
              hint: 'Choose another address',
              cause: err,
            })
          : err,
      ),
    );
    server.listen(Number(address.slice(colon + 1)), host || undefined, resolve);
  });
  server.unref();
  return { server, port: (server.address() as AddressInfo).port };
}

export interface HealthPages {
  /** By address. */
  readonly ports: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** `pages`: address (undefined: not served), path and page. */
export async function servePages(
  pages: readonly (readonly [address: string | undefined, path: string, page: () => Page | Promise<Page>])[],
): Promise<HealthPages> {
  const byAddress = new Map<string, Pages>();
  for (const [address, path, page] of pages)
    if (address !== undefined) byAddress.set(address, (byAddress.get(address) ?? new Map()).set(path, page));
  const servers: Server[] = [];
  const ports = new Map<string, number>();
  const close = async (): Promise<void> => {
    for (const server of servers) server.closeAllConnections();
    await Promise.all(servers.map((server) => new Promise<void>((done) => server.close(() => done()))));
  };
  try {
    for (const [address, own] of byAddress) {
      const { server, port } = await listen(address, own);
      servers.push(server);
      ports.set(address, port);
    }
  } catch (err) {
    await close();
    throw err;
  }
  return { ports, close };
}
