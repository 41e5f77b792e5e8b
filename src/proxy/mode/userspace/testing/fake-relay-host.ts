/** A node in memory: addresses that stay when a proxy ends, and listeners, of which the last at an address has it. */
import { familyOf } from '../../../../ip/ip.ts';
import type { TableFamily } from '../../../../linux/nftables/table.ts';
import type { Relay, Route, SocketAddress } from '../../../relay/relay.ts';
import type { RelayHost } from '../relay-host.ts';

export class FakeRelayHost implements RelayHost {
  readonly addresses: Set<string> = new Set<string>();
  /** By `ip . tcp . port`. */
  readonly listeners: Map<string, Route> = new Map<string, Route>();
  /** Where somebody else listens. */
  readonly taken: Set<string> = new Set<string>();
  /** Where arrivals are counted, and how many were not taken yet. */
  readonly arrived: Map<string, number> = new Map<string, number>();
  readonly uncountable: Set<string> = new Set<string>();
  readonly #watchers = new Set<() => void>();

  async held(family: TableFamily): Promise<ReadonlySet<string>> {
    return new Set([...this.addresses].filter((ip) => familyOf(ip) === (family === 'ip' ? 4 : 6)));
  }

  async change(added: readonly string[], removed: readonly string[]): Promise<void> {
    for (const ip of removed) this.addresses.delete(ip);
    for (const ip of added) this.addresses.add(ip);
    if (added.length + removed.length > 0) for (const told of this.#watchers) told();
  }

  async listen(protocol: string, { ip, port }: SocketAddress, route: Route): Promise<Relay> {
    const name = `${ip} . ${protocol} . ${port}`;
    if (this.taken.has(name)) throw new Error(`Cannot relay ${ip} port ${port}/${protocol}: another program listens there`);
    let current = route;
    this.listeners.set(name, route);
    const close = (): void => {
      if (this.listeners.get(name) === current) this.listeners.delete(name);
    };
    const reroute = (now: Route): void => {
      current = now;
      this.listeners.set(name, now);
    };
    return { reroute, close, cut: close };
  }

  arrivals(protocol: string, { ip, port }: SocketAddress): { take(): number; close(): void } {
    const name = `${ip} . ${protocol} . ${port}`;
    if (this.uncountable.has(name)) throw new Error(`Cannot count what comes to ${ip} port ${port}/${protocol}: EPERM`);
    this.arrived.set(name, 0);
    const take = (): number => {
      const count = this.arrived.get(name) ?? 0;
      this.arrived.set(name, 0);
      return count;
    };
    return { take, close: () => this.arrived.delete(name) };
  }

  watch(onChange: () => void): { close(): void } {
    this.#watchers.add(onChange);
    return { close: () => this.#watchers.delete(onChange) };
  }

  close(): void {}

  /** Where `client` may go from each listener, and the addresses; the same text for the same state. */
  dump(client = '192.0.2.99'): string {
    const listeners = [...this.listeners].map(
      ([name, { balancer, listFor }]) => `${name} -> ${listFor(client)} ${balancer.endpoints(listFor(client))}`,
    );
    return [...[...this.addresses].map((ip) => `address ${ip}`), ...listeners].sort().join('\n');
  }
}
