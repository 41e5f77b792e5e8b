/** A kernel's network in memory, with the kernel's side effects that matter: a link takes its addresses, routes and neighbours along. */
import { type KernelState, routeProtocol, type Step } from '../plan/diff.ts';
import type { NetworkKernel } from './network-kernel.ts';

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

  setSysctls(sysctls: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(sysctls)) this.sysctls.set(name, value);
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
        if (state.links.some((l) => l.name === step.link.name)) throw new Error(`EEXIST: link "${step.link.name}"`);
        state.links.push({ name: step.link.name, mac: step.link.mac, mtu: step.link.mtu, up: true, kind: step.link.kind });
        break;
      case 'change-link': {
        const { do: _, name, learning, ...change } = step;
        state.links = state.links.map((l) => {
          if (l.name !== name) return l;
          const kind = l.kind.kind === 'vxlan' && learning !== undefined ? { ...l.kind, learning } : l.kind;
          return { ...l, ...change, kind };
        });
        break;
      }
      case 'add-address':
        this.#need(step.link);
        if (state.addresses.some((a) => a.link === step.link && a.ip === step.ip && a.prefix === step.prefix))
          throw new Error('EEXIST: address');
        state.addresses.push({ link: step.link, ip: step.ip, prefix: step.prefix });
        break;
      case 'delete-address':
        state.addresses = state.addresses.filter((a) => a.link !== step.link || a.ip !== step.ip || a.prefix !== step.prefix);
        break;
      case 'put-neighbour':
      case 'delete-neighbour': {
        const { neighbour: n } = step;
        this.#need(n.link);
        const slot = n.kind === 'fdb' ? 'mac' : 'ip';
        state.neighbours = state.neighbours.filter((x) => x.kind !== n.kind || x.link !== n.link || x[slot] !== n[slot]);
        if (step.do === 'put-neighbour') state.neighbours.push(n);
        break;
      }
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

  #need(link: string): void {
    if (!this.state.links.some((l) => l.name === link)) throw new Error(`ENODEV: link "${link}"`);
  }
}
