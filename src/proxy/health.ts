/** /healthz, /livez, /metrics, /proxyMode, and the ports at which load balancers ask for a Service's local endpoints. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KnownError, messageOf, systemCode } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import type { ListenAddress } from './options.ts';
import type { ServicePlan } from './plan/service-plan.ts';

export interface Answer {
  readonly code: number;
  readonly body: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers GET requests from a table of paths. */
export class HealthServer {
  readonly #server: Server;

  constructor(routes: Readonly<Record<string, () => Answer | Promise<Answer>>>) {
    this.#server = createServer((request, response) => void respond(request, response, routes));
    this.#server.unref();
  }

  /** Listens; gives the address. Throws PORT_TAKEN. */
  listen(address: ListenAddress): Promise<string> {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    const port = Number(address.slice(colon + 1));
    return new Promise((resolve, reject) => {
      // Also later, when there is nobody to tell: an error without a listener would end the process.
      this.#server.on('error', (err) =>
        reject(
          systemCode(err) === 'EADDRINUSE'
            ? new KnownError('PORT_TAKEN', `Cannot listen on "${address}": another program does`, {
                hint: 'Choose another address',
                cause: err,
              })
            : err,
        ),
      );
      this.#server.listen(port, host || undefined, () => {
        const bound = this.#server.address() as AddressInfo;
        resolve(`${host || '127.0.0.1'}:${bound.port}`);
      });
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  routes: Readonly<Record<string, () => Answer | Promise<Answer>>>,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const route = routes[path] ?? routes['*'];
  let answer: Answer = { code: 404, body: 'not found\n' };
  try {
    if (route) answer = await route();
  } catch (err) {
    answer = { code: 500, body: `${messageOf(err)}\n` };
  }
  response.writeHead(answer.code, { 'content-type': answer.type ?? 'text/plain', 'x-content-type-options': 'nosniff', ...answer.headers });
  response.end(answer.body);
}

/** One server per healthCheckNodePort (KEP-27: externalTrafficPolicy Local). */
export class ServiceHealth {
  readonly #servers = new Map<string, { readonly port: number; readonly server: HealthServer; localReady: number }>();
  readonly #healthy: () => boolean;
  readonly #log: Log;

  constructor(healthy: () => boolean, log: Log) {
    this.#healthy = healthy;
    this.#log = log;
  }

  /** Takes the plans of every family. True when it listens on other ports than before. */
  async update(families: Iterable<ReadonlyMap<string, ServicePlan>>): Promise<boolean> {
    const wanted = healthChecks(families);
    let moved = false;
    for (const [key, held] of [...this.#servers]) {
      if (wanted.get(key)?.port === held.port) continue;
      moved = true;
      this.#servers.delete(key);
      await held.server.close();
    }
    for (const [key, health] of wanted) {
      const held = this.#servers.get(key);
      if (held) {
        held.localReady = health.localReady;
        continue;
      }
      const entry = { port: health.port, localReady: health.localReady, server: new HealthServer({ '*': () => this.#answer(key) }) };
      this.#servers.set(key, entry);
      try {
        await entry.server.listen(`:${health.port}`);
        moved = true;
      } catch (err) {
        this.#servers.delete(key);
        this.#log.warn(`Cannot answer health checks of Service "${key}": ${messageOf(err)}`);
      }
    }
    return moved;
  }

  #answer(key: string): Answer {
    const localReady = this.#servers.get(key)?.localReady ?? 0;
    const serviceProxyHealthy = this.#healthy();
    const [namespace = '', name = ''] = key.split('/');
    return {
      code: localReady > 0 && serviceProxyHealthy ? 200 : 503,
      type: 'application/json',
      headers: { 'X-Load-Balancing-Endpoint-Weight': String(localReady) },
      body: `${JSON.stringify({ service: { namespace, name }, localEndpoints: localReady, serviceProxyHealthy })}\n`,
    };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#servers.values()].map(({ server }) => server.close()));
    this.#servers.clear();
  }
}

/** Of a Service with two families those endpoints count of which there are more: they are the same pods. */
function healthChecks(families: Iterable<ReadonlyMap<string, ServicePlan>>): Map<string, NonNullable<ServicePlan['health']>> {
  const checks = new Map<string, NonNullable<ServicePlan['health']>>();
  for (const plans of families)
    for (const { key, health } of plans.values())
      if (health && health.localReady >= (checks.get(key)?.localReady ?? 0)) checks.set(key, health);
  return checks;
}
