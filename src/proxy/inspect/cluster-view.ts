/** What objects of a cluster mean on one node, at one moment: what the proxy knows when it syncs for the first time. */
import { objectKey } from '../../api/object-key.ts';
import type { EndpointSlice, Node, Service } from '../../api/schema/types.ts';
import { labelServiceName } from '../../api/well-known.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { TableFamily } from '../../linux/nftables/table.ts';
import type { Log } from '../../observability/log.ts';
import type { NodeHost } from '../node-host.ts';
import { NodeView } from '../node-view.ts';
import type { ProxyOptions } from '../options.ts';
import type { Algorithm } from '../plan/algorithm.ts';
import type { NodeContext } from '../plan/node-context.ts';
import { Planner } from '../plan/planner.ts';
import type { ClusterObjects } from './cluster-objects.ts';

export type ViewedProxy = Omit<ProxyOptions, 'client'>;

export class ClusterView {
  readonly #objects: ClusterObjects;
  readonly #slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  readonly #view: NodeView;
  readonly #log: Log;
  #contexts: ReadonlyMap<TableFamily, NodeContext> = new Map();

  private constructor(objects: ClusterObjects, proxy: ViewedProxy, host: NodeHost, log: Log) {
    this.#objects = objects;
    this.#log = log;
    this.#slices = Map.groupBy(objects.slices, ({ metadata }) => `${metadata.namespace}/${metadata.labels?.[labelServiceName]}`);
    this.#view = new NodeView({
      proxy: { ...proxy, client: { server: objects.server ?? '' } },
      nodes: { get: (name) => objects.nodes.find(({ metadata }) => metadata.name === name), list: () => [...objects.nodes] },
      serviceCidrs: { list: () => [...objects.serviceCidrs] },
      slicesOf: (key) => this.slicesOf(key),
      host,
      ownListeners: () => [],
      log,
    });
  }

  /** `host` is asked once. */
  static async look(objects: ClusterObjects, proxy: ViewedProxy, host: NodeHost, log: Log): Promise<ClusterView> {
    const view = new ClusterView(objects, proxy, host, log);
    await view.#view.look();
    view.#view.reserve();
    view.#contexts = view.#view.contexts();
    return view;
  }

  get services(): readonly Service[] {
    return this.#objects.services;
  }

  slicesOf(key: string): readonly EndpointSlice[] {
    return this.#slices.get(key) ?? [];
  }

  /** One for each family that the node has. */
  get contexts(): ReadonlyMap<TableFamily, NodeContext> {
    return this.#contexts;
  }

  /** Tells a planner of one of these contexts everything. */
  fill(planner: Planner): void {
    planner.reserve(this.#view.reserved);
    for (const service of this.#objects.services) {
      const key = objectKey(service);
      try {
        planner.put(key, service, this.slicesOf(key));
      } catch (err) {
        this.#log.error(`Cannot plan Service "${key}": ${messageOf(err)}`);
      }
    }
  }

  /** What every Service means in a family, for a mode with these algorithms. */
  plan(context: NodeContext, algorithms: readonly Algorithm[]): Planner {
    const planner = new Planner(context, algorithms);
    this.fill(planner);
    planner.take();
    return planner;
  }
}

/** A node that is known by its object alone: it has the addresses that this tells, and nothing listens there. */
export function hostOf(node: Node | undefined, ips: readonly string[] = []): NodeHost {
  const told = (node?.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP' || type === 'ExternalIP');
  const all = new Set([...ips, ...told.map(({ address }) => address)]);
  return {
    addresses: async () => Array.from(all, (ip) => ({ ip, prefix: ip.includes(':') ? 64 : 24 })),
    listeners: async () => [],
    watch: () => {},
    close: () => {},
  };
}
