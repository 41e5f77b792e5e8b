/** The resources that a proxy watches, put in by hand: what an InformerSet would give. */

import { objectKey } from '../../api/object-key.ts';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { EndpointSlice, Node, Service, ServiceCIDR } from '../../api/schema/types.ts';
import type { InformerHandlers } from '../../client/informer.ts';

/** Objects of one resource that a test puts in by hand. */
export class Shelf<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #handlers: InformerHandlers<T>[] = [];
  #index: ((object: T) => readonly string[]) | undefined;
  readonly synced: Promise<void> = Promise.resolve();

  on(handlers: InformerHandlers<T>): this {
    this.#handlers.push(handlers);
    for (const object of this.#objects.values()) handlers.add?.(object);
    return this;
  }

  addIndex(_: string, keysOf: (object: T) => readonly string[]): this {
    this.#index = keysOf;
    return this;
  }

  byIndex(_: string, value: string): T[] {
    return this.list().filter((object) => this.#index?.(object).includes(value));
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  put(object: T): void {
    const key = objectKey(object);
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const h of this.#handlers) before ? h.update?.(object, before) : h.add?.(object);
  }

  remove(key: string): void {
    const object = this.#objects.get(key);
    this.#objects.delete(key);
    if (object) for (const h of this.#handlers) h.delete?.(object);
  }
}

export class HandmadeCluster {
  readonly services: Shelf<Service> = new Shelf();
  readonly slices: Shelf<EndpointSlice> = new Shelf();
  readonly nodes: Shelf<Node> = new Shelf();
  readonly serviceCidrs: Shelf<ServiceCIDR> = new Shelf();
  readonly agesMs: ReadonlyMap<string, number> = new Map([['services', 1_500]]);

  of(type: ResourceType): unknown {
    const shelves = { services: this.services, endpointslices: this.slices, nodes: this.nodes, servicecidrs: this.serviceCidrs };
    return shelves[type.resource as keyof typeof shelves];
  }

  service(name: string, ip: string, spec: Partial<NonNullable<Service['spec']>> = {}): void {
    const metadata = { name, namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' };
    this.services.put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { type: 'ClusterIP', clusterIP: ip, ports: [{ port: 80 }], ...spec },
    });
  }

  endpoints(name: string, ips: readonly string[], protocol = 'TCP', nodeName = 'node2'): void {
    this.slices.put({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
      addressType: ips[0]?.includes(':') ? 'IPv6' : 'IPv4',
      ports: [{ name: '', port: 8080, protocol }],
      endpoints: ips.map((ip) => ({ addresses: [ip], nodeName })),
    });
  }
}
