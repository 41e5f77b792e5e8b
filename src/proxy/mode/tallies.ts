/** Counts by port of a Service, while a mode gathers them from what its kernel counted. */
import { joinHostPort } from '../../ip/ip.ts';
import type { EndpointAddress, PortPlan, ServicePlan } from '../plan/service-plan.ts';
import type { EndpointCount, ServiceCount } from './mode.ts';

type Amounts = Omit<EndpointCount, 'endpoint'>;

function add(to: { received?: number; sent?: number }, { received, sent }: Pick<Amounts, 'received' | 'sent'>): void {
  if (received !== undefined) to.received = (to.received ?? 0) + received;
  if (sent !== undefined) to.sent = (to.sent ?? 0) + sent;
}

/** One port. */
export class Tally {
  readonly service: string;
  readonly plan: PortPlan;
  connections = 0;
  refused: number | undefined;
  readonly #bytes: { received?: number; sent?: number } = {};
  readonly #endpoints = new Map<string, { connections: number; received?: number; sent?: number }>();

  constructor(service: string, plan: PortPlan) {
    this.service = service;
    this.plan = plan;
  }

  /** At an endpoint (`ip . port`), and so at the port. */
  reached(endpoint: string, amounts: Amounts): void {
    this.connections += amounts.connections;
    add(this.#bytes, amounts);
    this.atEndpoint(endpoint, amounts);
  }

  /** At an endpoint, where the port's own count is another. */
  atEndpoint(endpoint: string, amounts: Amounts): void {
    const known = this.#endpoints.get(endpoint) ?? { connections: 0 };
    this.#endpoints.set(endpoint, known);
    known.connections += amounts.connections;
    add(known, amounts);
  }

  /** At the port, wherever it went. */
  passed(amounts: Amounts): void {
    this.connections += amounts.connections;
    add(this.#bytes, amounts);
  }

  refuse(attempts: number): void {
    this.refused = (this.refused ?? 0) + attempts;
  }

  /** Endpoints that are gone are left out. */
  get count(): ServiceCount {
    const { service, plan, connections, refused } = this;
    // Looked through only where there is something to tell: a Service may have thousands, and most were asked for nothing.
    const present = this.#endpoints.size > 0 ? endpointsOf(plan) : undefined;
    return {
      service,
      port: plan.name,
      protocol: plan.protocol,
      connections,
      ...this.#bytes,
      ...(refused === undefined ? {} : { refused }),
      endpoints: [...this.#endpoints].flatMap(([name, amounts]) => {
        return present?.has(name) ? [{ endpoint: endpointText(name), ...amounts }] : [];
      }),
    };
  }
}

/** `10.244.1.2:8080` of `10.244.1.2 . 8080`. */
export function endpointText(name: string): string {
  const [ip = '', port = ''] = name.split(' . ');
  return joinHostPort(ip, port);
}

/** Those that may have connections, by name. */
export function endpointsOf({ cluster, local, draining = [] }: PortPlan): Map<string, EndpointAddress> {
  return new Map([...cluster, ...local, ...draining].map((endpoint) => [endpoint.name, endpoint]));
}

/** A tally for each port of the plans. */
export function talliesOf(plans: Iterable<ServicePlan>): Tally[] {
  return Array.from(plans, ({ key, ports }) => ports.map((port) => new Tally(key, port))).flat();
}
