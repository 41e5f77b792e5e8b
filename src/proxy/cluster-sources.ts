/** What the proxy reads of the cluster. */
import { endpointSlices, nodes, serviceCidrs, services } from '../api/resource-types.ts';
import type { EndpointSlice, Node, Service, ServiceCIDR } from '../api/schema/types.ts';
import type { Informer } from '../client/informer.ts';
import { InformerSet } from '../client/informers.ts';
import type { Clock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';
import { slimNode } from './node-view.ts';
import type { ProxyOptions } from './options.ts';
import { slimService, slimSlice } from './track/slim.ts';

/** API servers before 1.33 may have no ServiceCIDRs, and older roles do not allow reading them: rules do not wait for ever. */
const serviceCidrsPatienceMs = 2000;

export class ClusterSources {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly serviceCidrs: Informer<ServiceCIDR>;
  readonly #informers: InformerSet;
  readonly #areOwn: boolean;
  readonly #clock: Clock;

  constructor({ client, informers, readsAlone = informers === undefined }: ProxyOptions, clock: Clock, log: Log) {
    this.#informers = informers ?? new InformerSet(client, { clock, log });
    this.#areOwn = informers === undefined;
    this.#clock = clock;
    this.nodes = this.#informers.of(nodes, { transform: slimNode });
    this.serviceCidrs = this.#informers.of(serviceCidrs);
    this.services = this.#informers.of(services, readsAlone ? { transform: slimService } : {});
    this.slices = this.#informers.of(endpointSlices, readsAlone ? { transform: slimSlice } : {});
  }

  /** How long ago each watch heard of the API server. */
  get agesMs(): InformerSet['agesMs'] {
    return this.#informers.agesMs;
  }

  /** Resolves when all is read: rules made from half of the objects would refuse what the other half serves. */
  async start(signal: AbortSignal): Promise<void> {
    if (this.#areOwn) void this.#informers.start(signal);
    const ranges = Promise.race([this.serviceCidrs.synced, this.#clock.sleep(serviceCidrsPatienceMs, signal).catch(() => {})]);
    await Promise.all([this.services.synced, this.slices.synced, this.nodes.synced, ranges]);
  }
}
