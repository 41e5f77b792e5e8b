/**
 * Tells the cluster of this server: one EndpointSlice per node under the kube-dns Service. When that Service gets a selector,
 * somebody else's pods (CoreDNS) are to serve the names: it steps back as soon as one of them is ready, and comes back when none is, so
 * that there is always somebody who answers.
 *
 * The Node owns the slice: when a node is gone for good, the garbage collector removes what its DNS server left behind. The Service is
 * no second owner, for an object lives as long as any of its owners does; when the Service goes, each server removes its own slice.
 */
import { endpointSlices, nodes, services } from '../../api/resource-types.ts';
import type { EndpointSlice, OwnerReference, Service } from '../../api/schema/types.ts';
import { labelManagedBy, labelServiceName } from '../../api/well-known.ts';
import { ignoreNotFound, isForbidden, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { Controller, type Reconciler, type Result } from '../../client/controller.ts';
import type { Informer } from '../../client/informer.ts';
import type { InformerSet } from '../../client/informers.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import { familyOf } from '../../ip/ip.ts';
import type { Log } from '../../observability/log.ts';

export const managedBy = 'dns.fairlead.dev';

export interface PublisherOptions {
  readonly client: Client;
  readonly informers: InformerSet;
  readonly namespace: string;
  readonly service: string;
  readonly nodeName: string;
  readonly address: string;
  readonly port: number;
  /** Where metrics are served, if they are. */
  readonly metricsPort?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const metricsPort = 9153;
/** How long the end of the process may wait for the API server. */
const goodbyeMs = 2_000;
const askNodeAgainMs = 10_000;

export function sliceOf(
  service: Service,
  options: Pick<PublisherOptions, 'nodeName' | 'address' | 'port' | 'metricsPort'>,
  owner: OwnerReference | undefined,
): EndpointSlice {
  const { name, namespace, uid = '' } = service.metadata;
  const { nodeName, address } = options;
  const portOf = (port: number): number | undefined =>
    port === 53 ? options.port : port === metricsPort ? options.metricsPort : undefined;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${nodeName}`,
      namespace,
      labels: { [labelServiceName]: name, [labelManagedBy]: managedBy },
      ownerReferences: [owner ?? { apiVersion: 'v1', kind: 'Service', name, uid }],
    },
    addressType: familyOf(address) === 6 ? 'IPv6' : 'IPv4',
    ports: (service.spec?.ports ?? []).flatMap((p) => {
      const port = portOf(p.port);
      return port === undefined ? [] : [{ name: p.name ?? '', protocol: p.protocol ?? 'TCP', port }];
    }),
    // Each node asks its own server as long as that is there.
    endpoints: [
      {
        addresses: [address],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName,
        hints: { forNodes: [{ name: nodeName }] },
      },
    ],
  };
}

/** Runs until the signal aborts; the slice is deleted then. Call once the server answers. */
export async function publish(options: PublisherOptions): Promise<void> {
  const { clock, log, signal } = options;
  const publisher = new Publisher(options);
  await new Controller({ reconciler: publisher, clock, log }).run(signal);
  await publisher.withdraw();
}

export class Publisher implements Reconciler {
  readonly name = 'dns-publisher';
  readonly workers = 1;
  readonly #options: PublisherOptions;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #serviceKey: string;
  readonly #sliceName: string;
  #isPublished = false;

  constructor(options: PublisherOptions) {
    const { informers, namespace, service, nodeName } = options;
    this.#options = options;
    this.#services = informers.of(services);
    this.#slices = informers.of(endpointSlices);
    this.#serviceKey = `${namespace}/${service}`;
    this.#sliceName = `${service}-${nodeName}`;
  }

  setup(controller: Controller): void {
    const { namespace, service } = this.#options;
    const keys = ({ metadata }: Service | EndpointSlice): string[] => {
      const concerns = metadata.name === service || metadata.labels?.[labelServiceName] === service;
      return metadata.namespace === namespace && concerns ? [this.#serviceKey] : [];
    };
    const news = { add: keys, update: keys, delete: keys };
    controller.watches<Service>(this.#services, news).watches<EndpointSlice>(this.#slices, news).enqueue(this.#serviceKey);
  }

  /** There is one key: the Service's. */
  async reconcile(): Promise<Result | undefined> {
    const { client, namespace } = this.#options;
    const service = this.#services.get(this.#serviceKey);
    const current = this.#slices.get(`${namespace}/${this.#sliceName}`);
    if (!service || (service.spec?.selector && this.#isServedElsewhere())) {
      if (current?.metadata.labels?.[labelManagedBy] === managedBy) await this.#delete();
      this.#isPublished = false;
      return;
    }
    const { owner, result } = await this.#node();
    const wanted = sliceOf(service, this.#options, owner);
    if (!current) await client.create(endpointSlices, wanted);
    else if (!same(current, wanted)) {
      const { resourceVersion } = current.metadata;
      await client.update(endpointSlices, { ...wanted, metadata: { ...wanted.metadata, resourceVersion } });
    }
    this.#isPublished = true;
    return result;
  }

  /** The process ends: nobody is sent here any more. */
  async withdraw(): Promise<void> {
    if (!this.#isPublished) return;
    await this.#delete(AbortSignal.timeout(goodbyeMs)).catch((err: unknown) =>
      this.#options.log.warn(`Cannot remove EndpointSlice "${this.#sliceName}": ${messageOf(err)}`),
    );
  }

  #isServedElsewhere(): boolean {
    return this.#slices.list(this.#options.namespace).some(({ metadata, endpoints, ports }) => {
      const { [labelServiceName]: of, [labelManagedBy]: by } = metadata.labels ?? {};
      const isOther = of === this.#options.service && by !== managedBy;
      return isOther && !!ports?.length && !!endpoints?.some((e) => e.conditions?.ready !== false);
    });
  }

  /** No owner when the Node is not there yet, or when this user may not read Nodes; the Service owns the slice then. */
  async #node(): Promise<{ owner: OwnerReference | undefined; result: Result | undefined }> {
    try {
      const { metadata } = await this.#options.client.get(nodes, this.#options.nodeName);
      return { owner: { apiVersion: 'v1', kind: 'Node', name: metadata.name, uid: metadata.uid ?? '' }, result: undefined };
    } catch (err) {
      if (isNotFound(err)) return { owner: undefined, result: { requeueAfter: askNodeAgainMs } };
      if (!isForbidden(err)) throw err;
      return { owner: undefined, result: undefined };
    }
  }

  async #delete(signal?: AbortSignal): Promise<void> {
    const { client, namespace } = this.#options;
    await client.delete(endpointSlices, this.#sliceName, { namespace, ...(signal ? { signal } : {}) }).catch(ignoreNotFound);
  }
}

function same(a: EndpointSlice, b: EndpointSlice): boolean {
  const facts = (s: EndpointSlice): string =>
    JSON.stringify([
      s.addressType,
      s.metadata.labels?.[labelServiceName],
      s.metadata.labels?.[labelManagedBy],
      s.metadata.ownerReferences?.map((o) => o.uid),
      s.ports?.map((p) => [p.name, p.protocol, p.port]),
      s.endpoints?.map((e) => [e.addresses, e.conditions?.ready, e.nodeName, e.hints?.forNodes?.map((n) => n.name)]),
    ]);
  return facts(a) === facts(b);
}
