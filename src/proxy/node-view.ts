/**
 * What this node and the cluster's other nodes look like to the rules, from Nodes, ServiceCIDRs, slices and the kernel. Remembers the last
 * look, so that a kernel that does not answer costs nothing but news.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { Node, ServiceCIDR } from '../api/schema/types.ts';
import type { Informer } from '../client/informer.ts';
import { messageOf } from '../errors/known-error.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import type { Log } from '../observability/log.ts';
import type { NodeHost } from './node-host.ts';
import { familiesOf, healthCheckHosts, nodeContext, primaryFamily } from './node-state.ts';
import type { ProxyOptions } from './options.ts';
import type { NodeContext } from './plan/node-context.ts';
import { type LinkAddress, type Listener, nothingReserved, type Reserved, type ReservedSources, reservedOf } from './plan/reserved.ts';

interface NodeViewOptions {
  readonly proxy: Omit<ProxyOptions, 'client'> & { readonly client: Pick<ProxyOptions['client'], 'server'> };
  readonly nodes: Pick<Informer<Node>, 'get' | 'list'>;
  readonly serviceCidrs: Pick<Informer<ServiceCIDR>, 'list'>;
  readonly slicesOf: ReservedSources['slicesOf'];
  readonly host: NodeHost;
  /** Sockets that serve Services. */
  readonly ownListeners: () => readonly Listener[];
  readonly log: Log;
}

export class NodeView {
  readonly #options: NodeViewOptions;
  #addresses: readonly LinkAddress[] = [];
  #listeners: readonly Listener[] = [];
  #trouble: string | undefined;
  #reserved: Reserved = nothingReserved;
  #reservedText = '';

  constructor(options: NodeViewOptions) {
    this.#options = options;
  }

  get node(): Node | undefined {
    return this.#options.nodes.get(this.#options.proxy.nodeName);
  }

  /** Asks the kernel for addresses and listening sockets. */
  async look(): Promise<void> {
    const { host, ownListeners, log } = this.#options;
    try {
      this.#addresses = await host.addresses();
      const own = new Set(ownListeners().map(nameOf));
      this.#listeners = (await host.listeners()).filter((listener) => !own.has(nameOf(listener)));
      this.#trouble = undefined;
    } catch (err) {
      if (this.#trouble !== messageOf(err)) log.warn(`Cannot look at this node's addresses and sockets: ${messageOf(err)}`);
      this.#trouble = messageOf(err);
    }
  }

  /** One context for each family that the node has. */
  contexts(): ReadonlyMap<TableFamily, NodeContext> {
    const { proxy, serviceCidrs } = this.#options;
    const ips = this.#addresses.map(({ ip }) => ip);
    const ranges = serviceCidrs.list().flatMap(({ spec }) => spec?.cidrs ?? []);
    const all = { ...proxy, serviceCidrs: [...new Set([...(proxy.serviceCidrs ?? []), ...ranges])].sort() };
    return new Map(familiesOf(all, this.node).map((family) => [family, nodeContext(all, this.node, family, ips)] as const));
  }

  /** Where load balancers ask for the health of Services of these families; '' is every address. */
  healthCheckHosts(families: readonly TableFamily[]): readonly string[] {
    const ips = this.#addresses.map(({ ip }) => ip);
    return healthCheckHosts(this.#options.proxy, this.node, families, ips);
  }

  /** That of the node's first address; undefined while none is known. */
  get primaryFamily(): TableFamily | undefined {
    return primaryFamily(this.#options.proxy, this.node);
  }

  /** What no Service may take over, as of the last `reserve`. */
  get reserved(): Reserved {
    return this.#reserved;
  }

  /** Gathers what is reserved; true when that is something else than before. */
  reserve(): boolean {
    const { nodes, slicesOf, proxy } = this.#options;
    const apiServer = serverAddress(proxy.client.server);
    const sources = { nodes: nodes.list(), slicesOf, addresses: this.#addresses, listeners: this.#listeners };
    const now = reservedOf({ ...sources, ...(apiServer ? { apiServer } : {}) });
    const text = JSON.stringify(Object.values(now).map((part) => [...part].sort()));
    if (text === this.#reservedText) return false;
    this.#reserved = now;
    this.#reservedText = text;
    return true;
  }
}

function nameOf({ ip, protocol, port }: Listener): string {
  return `${ip ?? ''} ${protocol} ${port}`;
}

/** The address in a URL; undefined when it has a name. */
function serverAddress(url: string | undefined): ReservedSources['apiServer'] {
  if (url === undefined || !URL.canParse(url)) return undefined;
  const { hostname, port, protocol } = new URL(url);
  const ip = hostname.replace(/^\[|\]$/g, '');
  if (!isIPv4(ip) && !isIPv6(ip)) return undefined;
  return { ip, port: Number(port) || (protocol === 'http:' ? 80 : 443) };
}

/** What the proxy reads of a Node: each proxy knows every Node, and most of one is about its images. */
export function slimNode({ apiVersion, kind, metadata, spec, status }: Node): Node {
  const { name, uid, resourceVersion, labels, deletionTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, uid, resourceVersion, labels, deletionTimestamp },
    spec: { podCIDR: spec?.podCIDR, podCIDRs: spec?.podCIDRs, taints: spec?.taints },
    status: { addresses: status?.addresses, daemonEndpoints: status?.daemonEndpoints },
  };
}

/** Whether a Node says something else than before that rules depend on. A heartbeat does not. */
export function isNodeNews(now: Node, before: Node): boolean {
  const facts = ({ metadata, spec, status }: Node): string =>
    JSON.stringify([metadata.labels, spec?.podCIDRs, spec?.podCIDR, status?.addresses, status?.daemonEndpoints]);
  return facts(now) !== facts(before);
}
