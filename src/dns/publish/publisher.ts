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
import { isForbidden, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { InformerSet } from '../../client/informers.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
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

/** Runs until the signal aborts; the slice is deleted then. Call once the server answers. Gives whether there was a slice at the end. */
export async function publish(options: PublisherOptions): Promise<boolean> {
  const { client, informers, namespace, service, clock, log, signal } = options;
  const key = `${namespace}/${service}`;
  const name = `${service}-${options.nodeName}`;
  const queue = new WorkQueue({ clock });
  let isPublished = false;
  const serviceInformer = informers.of(services);
  const sliceInformer = informers.of(endpointSlices);
  const wake = ({ metadata }: Service | EndpointSlice): void => {
    if (metadata.namespace === namespace && (metadata.name === service || metadata.labels?.[labelServiceName] === service)) queue.add(key);
  };
  serviceInformer.on({ add: wake, update: wake, delete: wake });
  sliceInformer.on({ add: wake, update: wake, delete: wake });
  queue.add(key);
  await runController({ name: 'dns-publisher', queue, workers: 1, reconcile, log, signal });
  if (isPublished)
    await remove(AbortSignal.timeout(goodbyeMs)).catch((err: unknown) =>
      log.warn(`Cannot remove EndpointSlice "${name}": ${messageOf(err)}`),
    );
  return isPublished;

  async function reconcile(): Promise<void> {
    const found = serviceInformer.get(key);
    const current = sliceInformer.get(`${namespace}/${name}`);
    if (!found || (found.spec?.selector && sliceInformer.list(namespace).some(isReadyElsewhere))) {
      if (current?.metadata.labels?.[labelManagedBy] === managedBy) await remove();
      isPublished = false;
      return;
    }
    const wanted = sliceOf(found, options, await node());
    if (!current) await client.create(endpointSlices, wanted);
    else if (!same(current, wanted))
      await client.update(endpointSlices, {
        ...wanted,
        metadata: { ...wanted.metadata, resourceVersion: current.metadata.resourceVersion },
      });
    isPublished = true;
  }

  function isReadyElsewhere({ metadata, endpoints, ports }: EndpointSlice): boolean {
    const { [labelServiceName]: of, [labelManagedBy]: by } = metadata.labels ?? {};
    return of === service && by !== managedBy && !!ports?.length && !!endpoints?.some((e) => e.conditions?.ready !== false);
  }

  /** Undefined when the Node is not there yet, or when this user may not read Nodes; the Service owns the slice then. */
  async function node(): Promise<OwnerReference | undefined> {
    try {
      const { metadata } = await client.get(nodes, options.nodeName);
      return { apiVersion: 'v1', kind: 'Node', name: metadata.name, uid: metadata.uid ?? '' };
    } catch (err) {
      if (isNotFound(err)) queue.addAfter(key, askNodeAgainMs);
      else if (!isForbidden(err)) throw err;
      return undefined;
    }
  }

  async function remove(ending?: AbortSignal): Promise<void> {
    await client.delete(endpointSlices, name, { namespace, ...(ending ? { signal: ending } : {}) }).catch((err: unknown) => {
      if (!isNotFound(err)) throw err;
    });
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
