/** The relays of one family: what a Service has now, against what is open. */
import type { Clock } from '../../../clock/clock.ts';
import { messageOf } from '../../../errors/known-error.ts';
import type { Log } from '../../../observability/log.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import type { Listener } from '../../plan/reserved.ts';
import type { PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import { PortBalancer } from '../../relay/balancer.ts';
import type { Relay, Route } from '../../relay/relay.ts';
import type { ModeRules, ServiceCount, SyncResult } from '../mode.ts';
import { endpointText } from '../tallies.ts';
import { listFor, nothingRelayed, type RelayedFrontend, type RelayedService, relayed } from './frontends.ts';
import { RefusalCounts } from './refusal-counts.ts';
import type { RelayHost } from './relay-host.ts';

export interface RelayRulesOptions {
  readonly host: RelayHost;
  readonly clock: Clock;
  readonly log: Log;
}

interface BalancedOfService extends Pick<ServiceCount, 'service' | 'port' | 'protocol'> {
  readonly balancer: PortBalancer;
}

export class RelayRules implements ModeRules {
  readonly #host: RelayHost;
  readonly #clock: Clock;
  readonly #log: Log;
  #node: NodeContext;
  readonly #wanted = new Map<string, RelayedService>();
  /** Services that changed since the last sync, with what they had then. */
  #before = new Map<string, RelayedService>();
  /** By Service and port: what it remembers outlives a change of endpoints. */
  readonly #balancers = new Map<string, BalancedOfService>();
  readonly #relays = new Map<string, { readonly relay: Relay; readonly listener: Listener }>();
  readonly #refusals: RefusalCounts;
  /** Frontends that nothing listens on yet, with the reason that was told. */
  readonly #failed = new Map<string, string>();
  /** How many Services want each address. */
  #addresses = new Map<string, number>();
  #isTrusted = false;
  #isRetired = false;

  constructor(node: NodeContext, { host, clock, log }: RelayRulesOptions) {
    this.#node = node;
    this.#host = host;
    this.#clock = clock;
    this.#log = log;
    this.#refusals = new RefusalCounts({ host, clock, log });
  }

  put(key: string, plan: ServicePlan | undefined): void {
    const known = this.#wanted.get(key) ?? nothingRelayed;
    if (!this.#before.has(key)) this.#before.set(key, known);
    const now = plan ? relayed(plan, this.#node) : nothingRelayed;
    for (const port of now.unserved)
      if (!known.unserved.includes(port)) this.#log.warn(`Cannot serve port "${port}" in userspace mode: no process can relay SCTP`);
    if (plan) this.#wanted.set(key, now);
    else this.#wanted.delete(key);
  }

  reset(node: NodeContext): void {
    this.#node = node;
    for (const key of [...this.#wanted.keys()]) this.put(key, undefined);
    this.distrust();
  }

  distrust(): void {
    this.#isTrusted = false;
  }

  /** Compares addresses with the node's. True when they are as they should be. */
  async verify(): Promise<boolean> {
    const held = await this.#host.held(this.#node.family);
    const isRight =
      this.#failed.size === 0 && held.size === this.#addresses.size && [...this.#addresses.keys()].every((ip) => held.has(ip));
    if (!isRight) this.distrust();
    return isRight;
  }

  async sync(): Promise<SyncResult> {
    const full = !this.#isTrusted;
    const changed = this.#before;
    this.#before = new Map();
    const wantedBefore = new Set(this.#addresses.keys());
    this.#addresses = this.#count(changed);
    const held = full ? await this.#host.held(this.#node.family) : wantedBefore;
    const added = [...this.#addresses.keys()].filter((ip) => !held.has(ip));
    const removed = [...held].filter((ip) => !this.#addresses.has(ip));
    this.#isTrusted = false;
    // Before anything is opened: what one Service gives up another may have.
    for (const [key, before] of changed) this.#closeGone(key, before);
    await this.#host.change(added, removed);
    const listened = await this.#open(full ? this.#wanted.keys() : changed.keys());
    if (this.#node.countsConnections) for (const key of changed.keys()) this.#countRefusals(key);
    this.#isTrusted = true;
    return { full, steps: added.length + removed.length + (full ? 0 : listened) };
  }

  async counts(): Promise<readonly ServiceCount[]> {
    this.#refusals.look();
    return [...this.#balancers.values()].map(({ service, port, protocol, balancer: { count } }) => ({
      service,
      port,
      protocol,
      connections: count.connections,
      received: count.received,
      sent: count.sent,
      refused: count.refused,
      endpoints: Array.from(count.endpoints, ([name, { connections, received, sent }]) => ({
        endpoint: endpointText(name),
        connections,
        received,
        sent,
      })),
    }));
  }

  listeners(): Listener[] {
    return this.#isRetired ? [] : [...this.#relays.values()].map(({ listener }) => listener);
  }

  /** Takes nothing new; what is open goes on. */
  retire(): void {
    this.#isRetired = true;
    for (const { relay } of this.#relays.values()) relay.close();
    this.#refusals.close();
  }

  close(): void {
    for (const { relay } of this.#relays.values()) relay.cut();
    this.#relays.clear();
    this.#refusals.close();
  }

  #count(changed: ReadonlyMap<string, RelayedService>): Map<string, number> {
    const counts = new Map(this.#addresses);
    const count = (addresses: Iterable<string>, by: 1 | -1): void => {
      for (const ip of addresses) {
        const now = (counts.get(ip) ?? 0) + by;
        if (now > 0) counts.set(ip, now);
        else counts.delete(ip);
      }
    };
    for (const [key, before] of changed) {
      count(before.addresses, -1);
      count(this.#wanted.get(key)?.addresses ?? [], 1);
    }
    return counts;
  }

  #closeGone(key: string, before: RelayedService): void {
    const now = this.#wanted.get(key) ?? nothingRelayed;
    for (const name of before.frontends.keys()) if (!now.frontends.has(name)) this.#closeRelay(name);
    for (const name of before.refusing.keys()) if (!now.refusing.has(name)) this.#refusals.forget(name);
    const ports = portsOf(key, now);
    for (const port of portsOf(key, before)) if (!ports.has(port)) this.#balancers.delete(port);
  }

  #closeRelay(name: string): void {
    this.#relays.get(name)?.relay.close();
    this.#relays.delete(name);
    this.#failed.delete(name);
  }

  async #open(keys: Iterable<string>): Promise<number> {
    let opened = 0;
    for (const key of keys)
      for (const [name, frontend] of this.#wanted.get(key)?.frontends ?? []) {
        const route = this.#route(key, frontend);
        const open = this.#relays.get(name);
        open?.relay.reroute(route);
        if (open === undefined && (await this.#listen(name, frontend, route))) opened++;
      }
    return opened;
  }

  async #listen(name: string, { protocol, ip, port }: RelayedFrontend, route: Route): Promise<boolean> {
    try {
      const relay = await this.#host.listen(protocol, { ip, port }, route);
      this.#relays.set(name, { relay, listener: { protocol, port, ...(ip === '0.0.0.0' || ip === '::' ? {} : { ip }) } });
      this.#failed.delete(name);
      return true;
    } catch (err) {
      // The others are served; this one is tried again when the node is looked at.
      if (this.#failed.get(name) !== messageOf(err)) this.#log.error(messageOf(err));
      this.#failed.set(name, messageOf(err));
      return false;
    }
  }

  #countRefusals(key: string): void {
    for (const [name, frontend] of this.#wanted.get(key)?.refusing ?? [])
      this.#refusals.follow(name, frontend, this.#balancerOf(key, frontend).count);
  }

  #balancerOf(key: string, { plan }: RelayedFrontend): PortBalancer {
    const known = this.#balancers.get(balancerKey(key, plan))?.balancer;
    known?.update(plan);
    const balancer = known ?? new PortBalancer(plan, { now: () => this.#clock.monotonic() });
    this.#balancers.set(balancerKey(key, plan), { service: key, port: plan.name, protocol: plan.protocol, balancer });
    return balancer;
  }

  #route(key: string, frontend: RelayedFrontend): Route {
    const { plan } = frontend;
    const node = this.#node;
    return {
      balancer: this.#balancerOf(key, frontend),
      listFor: (client) => listFor(frontend, node, client),
      isServing: (endpoint) => plan.serving.has(endpoint),
    };
  }
}

function balancerKey(key: string, { name, protocol }: PortPlan): string {
  return `${key} ${name} ${protocol}`;
}

/** Keys of balancers. */
function portsOf(key: string, { frontends, refusing }: RelayedService): Set<string> {
  return new Set([...frontends.values(), ...refusing.values()].map(({ plan }) => balancerKey(key, plan)));
}
