/** The ports at which load balancers ask for a Service's local endpoints. */
import { messageOf } from '../errors/known-error.ts';
import { joinHostPort } from '../ip/ip.ts';
import { type Page, PageServer } from '../observability/health-pages.ts';
import type { Log } from '../observability/log.ts';
import type { Planner } from './plan/planner.ts';
import type { HealthCheck } from './plan/service-plan.ts';

/** What a family has of it. */
type FamilyChecks = Pick<Planner, 'healthChecks'>;

/** A server for each healthCheckNodePort (KEP-27: externalTrafficPolicy Local), at each address where node ports are. */
export class ServiceHealth {
  /** By Service and address. */
  readonly #servers = new Map<string, PageServer>();
  #checks: ReadonlyMap<string, HealthCheck> = new Map();
  /** Those that cannot listen, with what was told of it: they are tried again with every sync. */
  readonly #failed = new Map<string, string>();
  readonly #healthy: () => boolean;
  readonly #log: Log;

  constructor(healthy: () => boolean, log: Log) {
    this.#healthy = healthy;
    this.#log = log;
  }

  /** Takes those of every family, by Service, at these addresses. True when it listens elsewhere than before; `onFailure` hears of the addresses where it cannot. */
  async update(
    families: Iterable<FamilyChecks>,
    hosts: () => readonly string[],
    onFailure?: (service: string, message: string) => void,
  ): Promise<boolean> {
    this.#checks = healthChecks(families);
    // Few Services have one, and addresses need looking through.
    if (this.#checks.size + this.#servers.size + this.#failed.size === 0) return false;
    const wanted = this.#places(hosts());
    let moved = false;
    // First: an address alone and all addresses are in each other's way.
    for (const [place, server] of [...this.#servers]) {
      if (wanted.has(place)) continue;
      moved = true;
      this.#servers.delete(place);
      await server.close();
    }
    for (const [place, { service, address }] of wanted) {
      if (this.#servers.has(place)) continue;
      const server = new PageServer({ '*': () => this.#answer(service) });
      try {
        await server.listen(address);
        moved = true;
        this.#servers.set(place, server);
        this.#failed.delete(place);
      } catch (err) {
        this.#tell(place, service, messageOf(err), onFailure);
      }
    }
    for (const place of this.#failed.keys()) if (!wanted.has(place)) this.#failed.delete(place);
    return moved;
  }

  #places(hosts: readonly string[]): Map<string, { readonly service: string; readonly address: string }> {
    const places = [...this.#checks].flatMap(([service, { port }]) =>
      hosts.map((host) => ({ service, address: joinHostPort(host, port) })),
    );
    return new Map(places.map((place) => [`${place.service} ${place.address}`, place]));
  }

  #tell(place: string, service: string, why: string, onFailure?: (service: string, message: string) => void): void {
    if (this.#failed.get(place) === why) return;
    this.#failed.set(place, why);
    const message = `Cannot answer health checks of Service "${service}": ${why}`;
    this.#log.warn(message);
    onFailure?.(service, message);
  }

  #answer(key: string): Page {
    const localReady = this.#checks.get(key)?.localReady ?? 0;
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
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
    this.#servers.clear();
  }
}

/** Of a Service with two families those endpoints count of which there are more: they are the same pods. */
function healthChecks(families: Iterable<FamilyChecks>): Map<string, HealthCheck> {
  const checks = new Map<string, HealthCheck>();
  for (const { healthChecks } of families)
    for (const [key, check] of healthChecks) if (check.localReady >= (checks.get(key)?.localReady ?? 0)) checks.set(key, check);
  return checks;
}
