/** Which endpoint of a Service's port a new connection gets, where this process relays it itself. Pure but for what it remembers. */
import type { Algorithm } from '../plan/algorithm.ts';
import type { EndpointAddress, PortPlan, ServicePlan } from '../plan/service-plan.ts';
import { RelayCount } from './relay-count.ts';

/** What a relay can do; the first by itself. */
export const relayAlgorithms: readonly Algorithm[] = ['random', 'round-robin', 'least-connection', 'source-hash'];

export type BalancedPort = Pick<PortPlan, 'cluster' | 'local' | 'affinitySeconds'> & Pick<ServicePlan, 'algorithm'>;

export interface BalancerOptions {
  /** Milliseconds that only go up. */
  readonly now: () => number;
  /** Between 0 and 1. */
  readonly random?: () => number;
}

export class PortBalancer {
  readonly count: RelayCount = new RelayCount();
  readonly #now: () => number;
  readonly #random: () => number;
  #port: BalancedPort;
  #turn = 0;
  /** Connections that are open, by the endpoint's name. */
  readonly #open = new Map<string, number>();
  /** Clients with session affinity, the longest silent first. */
  readonly #clients = new Map<string, { readonly endpoint: string; readonly until: number }>();

  constructor(port: BalancedPort, { now, random = Math.random }: BalancerOptions) {
    this.#port = port;
    this.#now = now;
    this.#random = random;
  }

  /** Endpoints that came or went; what is known of clients and connections stays. */
  update(port: BalancedPort): void {
    this.#port = port;
    for (const endpoint of this.count.endpoints.keys()) this.#forgetIfGone(endpoint);
  }

  /** For a new connection of `client`; `failed` are names of endpoints that did not answer it. Undefined when there is no other. */
  choose(list: 'cluster' | 'local', client: string, failed: ReadonlySet<string> = new Set()): EndpointAddress | undefined {
    const endpoints = this.#port[list].filter(({ name }) => !failed.has(name));
    const { affinitySeconds } = this.#port;
    const chosen = (affinitySeconds === undefined ? undefined : this.#remembered(client, endpoints)) ?? this.#pick(endpoints, client);
    if (chosen && affinitySeconds !== undefined) this.#remember(client, chosen.name, affinitySeconds);
    return chosen;
  }

  /** Names, sorted. */
  endpoints(list: 'cluster' | 'local' | undefined): string[] {
    return list === undefined ? [] : this.#port[list].map(({ name }) => name).sort();
  }

  opened(endpoint: string): void {
    this.count.of(endpoint).opened();
    this.#open.set(endpoint, this.openTo(endpoint) + 1);
  }

  closed(endpoint: string): void {
    const left = this.openTo(endpoint) - 1;
    if (left > 0) this.#open.set(endpoint, left);
    else this.#open.delete(endpoint);
    this.#forgetIfGone(endpoint);
  }

  #forgetIfGone(endpoint: string): void {
    const isThere = [...this.#port.cluster, ...this.#port.local].some(({ name }) => name === endpoint);
    if (!isThere && this.openTo(endpoint) === 0) this.count.forget(endpoint);
  }

  openTo(endpoint: string): number {
    return this.#open.get(endpoint) ?? 0;
  }

  #pick(endpoints: readonly EndpointAddress[], client: string): EndpointAddress | undefined {
    switch (this.#port.algorithm) {
      case 'round-robin':
        return endpoints[this.#turn++ % endpoints.length];
      case 'least-connection':
        return least(endpoints, ({ name }) => this.openTo(name));
      case 'source-hash':
        return least(endpoints, ({ name }) => hash(`${client} ${name}`));
      default:
        return endpoints[Math.floor(this.#random() * endpoints.length)];
    }
  }

  #remembered(client: string, endpoints: readonly EndpointAddress[]): EndpointAddress | undefined {
    const known = this.#clients.get(client);
    if (known === undefined || known.until < this.#now()) return undefined;
    return endpoints.find(({ name }) => name === known.endpoint);
  }

  #remember(client: string, endpoint: string, seconds: number): void {
    this.#clients.delete(client);
    this.#clients.set(client, { endpoint, until: this.#now() + seconds * 1000 });
    for (const [longest, { until }] of this.#clients) {
      if (until >= this.#now()) break;
      this.#clients.delete(longest);
    }
  }
}

/** The first of those with the smallest value. */
function least<T>(all: readonly T[], rate: (one: T) => number): T | undefined {
  return all.reduce<T | undefined>((best, one) => (best === undefined || rate(one) < rate(best) ? one : best), undefined);
}

/**
 * FNV-1a, mixed as MurmurHash3 ends. Each endpoint bids for each client (rendezvous hashing): when one goes, its own clients move and nobody
 * else's.
 */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
