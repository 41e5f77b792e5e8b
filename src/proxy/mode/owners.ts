/** Whose a frontend, an address or an endpoint is. Pure. */
import { frontendName, type ServicePlan } from '../plan/service-plan.ts';

export class Owners {
  readonly #keys = new Map<string, string>();
  readonly #endpoints = new Map<string, string>();

  constructor(plans: Iterable<ServicePlan>) {
    for (const { key, clusterIp, ports } of plans) {
      if (clusterIp !== undefined) this.#keys.set(clusterIp, key);
      for (const port of ports) {
        for (const frontend of port.frontends) {
          this.#keys.set(frontendName(frontend, port), key);
          if (frontend.ip !== undefined) this.#keys.set(frontend.ip, key);
        }
        for (const { ip } of [...port.cluster, ...port.local]) this.#endpoints.set(ip, key);
      }
    }
  }

  /** By a frontend (`10.96.0.1 . tcp . 80`, `tcp . 30080`), or an address of one. */
  of(name: string): string | undefined {
    return this.#keys.get(name);
  }

  /** By what begins with a frontend or an address of one, as keys of elements do: `10.96.0.1 . tcp . 80 . 2`. */
  ofKey(key: string): string | undefined {
    for (let name = key; ; name = name.slice(0, name.lastIndexOf(' . '))) {
      const owner = this.#keys.get(name);
      if (owner !== undefined || !name.includes(' . ')) return owner;
    }
  }

  /** By an address behind a frontend; of several Services that have it, one. */
  ofEndpoint(ip: string): string | undefined {
    return this.#endpoints.get(ip);
  }
}
