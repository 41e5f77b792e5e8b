/** A kernel's network in memory, with the kernel's side effects that matter: a link takes its addresses, routes and neighbours along. */

import { type Family, familyOf } from '../../ip/ip.ts';
import type { NetworkKernel } from '../kernel/network-kernel.ts';
import { type LinkChange, routeProtocol, type Step } from '../plan/diff.ts';
import type { DesiredLink, DesiredNeighbour, KernelLink, KernelState } from '../plan/network.ts';
import type { NodeAddresses } from '../plan/underlay.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

export class FakeNetworkKernel implements NetworkKernel {
  readonly state: Mutable<KernelState> = { links: [], addresses: [], routes: [], neighbours: [] };
  readonly sysctls: Map<string, string> = new Map();

  async read(): Promise<KernelState> {
    return structuredClone(this.state);
  }

  async take(steps: readonly Step[]): Promise<void> {
    for (const step of steps) this.#take(step);
  }

  async setSysctls(sysctls: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(sysctls)) this.sysctls.set(name, value);
  }

  async nodeAddresses(family: Family): Promise<NodeAddresses> {
    const ours = this.state.addresses.filter(({ ip }) => familyOf(ip) === family);
    const addresses = ours.flatMap(({ link, ip, prefix }) =>
      this.state.links.filter((l) => l.name === link).map(({ name, mtu }) => ({ name, mtu, ip, prefix })),
    );
    return { addresses, sourceTo: async () => undefined, sourceToWorld: async () => undefined };
  }

  async indexes(names: ReadonlySet<string>): Promise<ReadonlySet<number>> {
    return new Set(this.state.links.flatMap(({ name }, at) => (names.has(name) ? [at + 1] : [])));
  }

  deleteLink(name: string): void {
    const { state } = this;
    state.links = state.links.filter((l) => l.name !== name);
    state.addresses = state.addresses.filter((a) => a.link !== name);
    this.#forget(name);
  }

  /** As `ip link set NAME down`: addresses stay. */
  setDown(name: string): void {
    this.state.links = this.state.links.map((l) => (l.name === name ? { ...l, up: false } : l));
    this.#forget(name);
  }

  #forget(name: string): void {
    this.state.routes = this.state.routes.filter((r) => r.link !== name);
    this.state.neighbours = this.state.neighbours.filter((n) => n.link !== name);
  }

  #take(step: Step): void {
    const { state } = this;
    switch (step.do) {
      case 'delete-link':
        this.deleteLink(step.name);
        break;
      case 'add-link':
        this.#addLink(step.link);
        break;
      case 'change-link':
        this.#changeLink(step);
        break;
      case 'add-address':
        this.#addAddress(step);
        break;
      case 'delete-address':
        state.addresses = state.addresses.filter((a) => a.link !== step.link || a.ip !== step.ip || a.prefix !== step.prefix);
        break;
      case 'put-neighbour':
        this.#dropNeighbour(step.neighbour);
        state.neighbours.push(step.neighbour);
        break;
      case 'delete-neighbour':
        this.#dropNeighbour(step.neighbour);
        break;
      case 'put-route':
        this.#need(step.route.link);
        state.routes = state.routes.filter((r) => r.dst !== step.route.dst);
        state.routes.push({ ...step.route, protocol: routeProtocol });
        break;
      case 'delete-route':
        state.routes = state.routes.filter((r) => r.dst !== step.route.dst || r.link !== step.route.link);
        break;
    }
  }

  #addLink({ name, mac, mtu, kind, parent }: DesiredLink): void {
    if (this.state.links.some((l) => l.name === name)) throw new Error(`EEXIST: link "${name}"`);
    if (parent !== undefined) this.#need(parent);
    this.state.links.push({ name, mac, mtu, up: true, kind, ...(parent === undefined ? {} : { parent }) });
  }

  #changeLink({ do: _, name, kind, ...change }: LinkChange): void {
    this.state.links = this.state.links.map((l) =>
      l.name === name ? { ...l, ...change, kind: { ...l.kind, ...kind } as KernelLink['kind'] } : l,
    );
  }

  #addAddress({ link, ip, prefix }: KernelState['addresses'][number]): void {
    this.#need(link);
    if (this.state.addresses.some((a) => a.link === link && a.ip === ip && a.prefix === prefix)) throw new Error('EEXIST: address');
    this.state.addresses.push({ link, ip, prefix });
  }

  #dropNeighbour(n: DesiredNeighbour): void {
    this.#need(n.link);
    const slot = n.kind === 'fdb' ? 'mac' : 'ip';
    this.state.neighbours = this.state.neighbours.filter((x) => x.kind !== n.kind || x.link !== n.link || x[slot] !== n[slot]);
  }

  #need(link: string): void {
    if (!this.state.links.some((l) => l.name === link)) throw new Error(`ENODEV: link "${link}"`);
  }
}
