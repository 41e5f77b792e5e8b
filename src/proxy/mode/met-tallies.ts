/** Whose the counts are that were made by frontend and endpoint, and what stays of those that are taken away. */
import { cidrContains, mustCidr } from '../../ip/ip.ts';
import type { NodeContext } from '../plan/node-context.ts';
import { frontendName, type PortPlan, type ServicePlan } from '../plan/service-plan.ts';
import type { EndpointCount } from './mode.ts';
import { endpointsOf, Tally } from './tallies.ts';

type Amounts = Omit<EndpointCount, 'endpoint'>;

/** `10.96.0.1 . tcp . 80` of `10.96.0.1 . tcp . 80 . 10.244.1.2 . 8080`. */
export function frontendOf(pair: string): string {
  return pair.slice(0, endpointAt(pair));
}

/** Where ` . 10.244.1.2 . 8080` begins. */
function endpointAt(pair: string): number {
  return pair.lastIndexOf(' . ', pair.lastIndexOf(' . ') - 1);
}

function asNodePort(frontend: string): string {
  return frontend.slice(frontend.indexOf(' . ') + 3);
}

function portName(service: string, { name, protocol }: Pick<PortPlan, 'name' | 'protocol'>): string {
  return `${service} ${name} ${protocol}`;
}

type Ports = Iterable<readonly [service: string, port: PortPlan]>;

function* portsOf(plans: Iterable<ServicePlan>): Ports {
  for (const { key, ports } of plans) for (const port of ports) yield [key, port];
}

interface Met {
  /** Frontends that counted: `10.96.0.1 . tcp . 80`. */
  readonly frontends: Iterable<string>;
  readonly past: readonly PastCounts[];
  /** Tallies that are there already. */
  readonly known?: readonly Tally[];
}

/** The ports that were met, each with its tally. Of ten thousand Services most were asked for nothing, and get none. */
export class MetTallies {
  readonly #byFrontend = new Map<string, Tally>();
  readonly #byPort = new Map<string, Tally>();
  readonly #isNodes: (ip: string) => boolean;

  constructor(plans: Iterable<ServicePlan>, { nodePortIps, serviceCidrs }: NodeContext, { frontends, past, known = [] }: Met) {
    const ranges = serviceCidrs.map(mustCidr);
    this.#isNodes = (ip) => (nodePortIps === 'all' ? !ranges.some((range) => cidrContains(range, ip)) : nodePortIps.includes(ip));
    const met = new Set<string>();
    for (const frontend of frontends) met.add(frontend).add(asNodePort(frontend));
    const hasPast = past.some((counts) => counts.size > 0);
    const tallies = new Map(known.map((tally) => [tally.plan, tally]));
    if (met.size === 0 && !hasPast) return;
    for (const [service, port] of portsOf(plans)) {
      const names = port.frontends.map((frontend) => frontendName(frontend, port)).filter((name) => met.has(name));
      const name = portName(service, port);
      if (names.length === 0 && !(hasPast && past.some((counts) => counts.has(name)))) continue;
      const tally = tallies.get(port) ?? new Tally(service, port);
      this.#byPort.set(name, tally);
      for (const frontend of names) this.#byFrontend.set(frontend, tally);
    }
  }

  /** The port of a Service that has a frontend, given with the address that was asked for. */
  at(frontend: string): Tally | undefined {
    const exact = this.#byFrontend.get(frontend);
    if (exact) return exact;
    return this.#isNodes(frontend.slice(0, frontend.indexOf(' . '))) ? this.#byFrontend.get(asNodePort(frontend)) : undefined;
  }

  named(port: string): Tally | undefined {
    return this.#byPort.get(port);
  }

  get all(): Iterable<Tally> {
    return this.#byPort.values();
  }
}

/** Counts of pairs that had to make room, by port. */
export class PastCounts {
  readonly #ports = new Map<string, Amounts>();

  get size(): number {
    return this.#ports.size;
  }

  has(port: string): boolean {
    return this.#ports.has(port);
  }

  /**
   * Adds what pairs counted, and what pairs before them did, to their ports. Gives the pairs that are to be taken away: those that are no Service's,
   * and where `needsRoom` those whose endpoint is gone.
   */
  addTo(met: MetTallies, pairs: Iterable<readonly [pair: string, amounts: Amounts]>, needsRoom: boolean): string[] {
    const gone: string[] = [];
    for (const [pair, amounts] of pairs) {
      const tally = met.at(frontendOf(pair));
      const endpoint = pair.slice(endpointAt(pair) + 3);
      if (tally && !(needsRoom && !endpointsOf(tally.plan).has(endpoint))) {
        tally.reached(endpoint, amounts);
        continue;
      }
      gone.push(pair);
      if (tally) this.#keep(portName(tally.service, tally.plan), amounts);
    }
    for (const [port, amounts] of this.#ports) {
      const tally = met.named(port);
      if (tally) tally.passed(amounts);
      else this.#ports.delete(port);
    }
    return gone;
  }

  #keep(port: string, { connections, received, sent }: Amounts): void {
    const before: Amounts = this.#ports.get(port) ?? { connections: 0 };
    this.#ports.set(port, {
      connections: before.connections + connections,
      ...(received === undefined ? {} : { received: (before.received ?? 0) + received }),
      ...(sent === undefined ? {} : { sent: (before.sent ?? 0) + sent }),
    });
  }
}
