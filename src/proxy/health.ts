/** The ports at which load balancers ask for a Service's local endpoints. */
import { messageOf } from '../errors/known-error.ts';
import { type Page, PageServer } from '../observability/health-pages.ts';
import type { Log } from '../observability/log.ts';
import type { HealthCheck } from './plan/service-plan.ts';

/** One server per healthCheckNodePort (KEP-27: externalTrafficPolicy Local). */
export class ServiceHealth {
  readonly #servers = new Map<string, { readonly port: number; readonly server: PageServer; localReady: number }>();
  /** Those that cannot listen, with what was told of it: they are tried again with every sync. */
  readonly #failed = new Map<string, string>();
  readonly #healthy: () => boolean;
  readonly #log: Log;

  constructor(healthy: () => boolean, log: Log) {
    this.#healthy = healthy;
    this.#log = log;
  }

  /** Takes those of every family, by Service. True when it listens on other ports than before; `onFailure` hears of those where it cannot. */
  async update(
    families: Iterable<ReadonlyMap<string, HealthCheck>>,
    onFailure?: (service: string, message: string) => void,
  ): Promise<boolean> {
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
      const entry = { port: health.port, localReady: health.localReady, server: new PageServer({ '*': () => this.#answer(key) }) };
      this.#servers.set(key, entry);
      try {
        await entry.server.listen(`:${health.port}`);
        moved = true;
        this.#failed.delete(key);
      } catch (err) {
        this.#servers.delete(key);
        this.#tell(key, messageOf(err), onFailure);
      }
    }
    for (const key of this.#failed.keys()) if (!wanted.has(key)) this.#failed.delete(key);
    return moved;
  }

  #tell(key: string, why: string, onFailure?: (service: string, message: string) => void): void {
    if (this.#failed.get(key) === why) return;
    this.#failed.set(key, why);
    const message = `Cannot answer health checks of Service "${key}": ${why}`;
    this.#log.warn(message);
    onFailure?.(key, message);
  }

  #answer(key: string): Page {
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
function healthChecks(families: Iterable<ReadonlyMap<string, HealthCheck>>): Map<string, HealthCheck> {
  const checks = new Map<string, HealthCheck>();
  for (const family of families)
    for (const [key, check] of family) if (check.localReady >= (checks.get(key)?.localReady ?? 0)) checks.set(key, check);
  return checks;
}
