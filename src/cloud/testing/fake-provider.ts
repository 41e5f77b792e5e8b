/** A cloud in memory: complete, and with what a test lets go wrong. */
import { objectKey } from '../../api/object-key.ts';
import type { Node, Service } from '../../api/schema/types.ts';
import type { Balanced, InstanceMetadata, Instances, LoadBalancers, Provider, Route, Routes } from '../provider.ts';

export class FakeLoadBalancers implements LoadBalancers {
  readonly annotations: readonly string[] = ['fake/id'];
  readonly ready: Promise<void> = Promise.resolve();
  isConfigured = true;
  /** `ensure default/web a b`, in order. */
  readonly calls: string[] = [];
  readonly #made = new Map<string, string>();
  readonly #listeners: ((service: string | undefined) => void)[] = [];
  #failure: Error | undefined;

  /** The next call ends so. */
  fail(err: Error): void {
    this.#failure = err;
  }

  change(service?: string): void {
    for (const listener of this.#listeners) listener(service);
  }

  onChange(listener: (service: string | undefined) => void): void {
    this.#listeners.push(listener);
  }

  async ensure(service: Service, nodes: readonly Node[]): Promise<Balanced> {
    this.#call('ensure', service, nodes);
    const ip = this.#made.get(objectKey(service)) ?? `203.0.113.${this.#made.size + 1}`;
    this.#made.set(objectKey(service), ip);
    return { status: { ingress: [{ ip, ipMode: 'VIP' }] }, annotations: { 'fake/id': `lb-${ip.split('.').at(-1)}` } };
  }

  async updateNodes(service: Service, nodes: readonly Node[]): Promise<void> {
    this.#call('update', service, nodes);
  }

  async ensureDeleted(service: Service): Promise<void> {
    this.#call('delete', service);
    this.#made.delete(objectKey(service));
  }

  #call(what: string, service: Service, nodes: readonly Node[] = []): void {
    this.calls.push([what, objectKey(service), ...nodes.map(({ metadata }) => metadata.name)].join(' '));
    const err = this.#failure;
    this.#failure = undefined;
    if (err) throw err;
  }
}

export class FakeInstances implements Instances {
  /** By node; one that is not here does not exist. */
  readonly machines: Map<string, InstanceMetadata & { readonly isShutDown?: boolean }> = new Map();

  async exists({ metadata }: Node): Promise<boolean> {
    return this.machines.has(metadata.name);
  }

  async isShutDown({ metadata }: Node): Promise<boolean> {
    return this.machines.get(metadata.name)?.isShutDown ?? false;
  }

  async metadata({ metadata }: Node): Promise<InstanceMetadata> {
    const machine = this.machines.get(metadata.name);
    if (!machine) throw new Error(`there is no machine "${metadata.name}"`);
    return machine;
  }
}

export class FakeRoutes implements Routes {
  routes: Route[] = [];
  /** Nodes to which no route can be made. */
  readonly unreachable: Set<string> = new Set();

  async list(): Promise<Route[]> {
    return [...this.routes];
  }

  async create(cluster: string, { node, destination }: Route): Promise<void> {
    if (this.unreachable.has(node)) throw new Error('no room for more routes');
    this.routes.push({ name: `${cluster}-${destination}`, node, destination });
  }

  async delete(_cluster: string, { name }: Route): Promise<void> {
    this.routes = this.routes.filter((route) => route.name !== name);
  }
}

export interface FakeProvider extends Provider {
  readonly loadBalancers: FakeLoadBalancers;
  readonly instances: FakeInstances;
  readonly routes: FakeRoutes;
}

export function fakeProvider(): FakeProvider {
  return { name: 'fake', loadBalancers: new FakeLoadBalancers(), instances: new FakeInstances(), routes: new FakeRoutes() };
}
