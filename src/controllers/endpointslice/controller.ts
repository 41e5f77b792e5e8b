/** Keeps the EndpointSlices of every Service that has a selector. */

import { objectKey } from '../../api/object-key.ts';
import { endpointSlices, nodes, pods, services } from '../../api/resource-types.ts';
import type { EndpointSlice, Node, Pod, Service } from '../../api/schema/types.ts';
import { endpointsLastChangeTriggerTime, labelManagedBy, labelServiceName } from '../../api/well-known.ts';
import { isNotFound } from '../../client/api-error.ts';
import { EventRecorder } from '../../client/event-recorder.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { ControllerContext } from '../context.ts';
import { Expectations } from '../ownership/expectations.ts';
import { canonical } from '../ownership/template-hash.ts';
import { manager, planSlices } from './desired.ts';
import { hasSelector, selects, servicesOf } from './services-of.ts';
import { wantsTopologyHints, type ZoneShares, zoneFacts, zoneOf, zoneShares } from './topology-hints.ts';

export async function runEndpointSlices(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const recorder = new EventRecorder({ client, component: 'endpoint-slice-controller', clock, log });
  const queue = new WorkQueue({ clock });
  const serviceInformer = informers.of(services).addIndex('namespace', (s) => [s.metadata.namespace ?? '']);
  const podInformer = informers.of(pods).addIndex('namespace', (p) => [p.metadata.namespace ?? '']);
  const nodeInformer = informers.of(nodes);
  const bySlice = (s: EndpointSlice): readonly string[] => [`${s.metadata.namespace}/${s.metadata.labels?.[labelServiceName] ?? ''}`];
  const sliceInformer = informers.of(endpointSlices).addIndex('service', bySlice);
  const recent = new Expectations(sliceInformer);

  serviceInformer.on({
    add: (s) => queue.add(objectKey(s)),
    update: (s) => queue.add(objectKey(s)),
    delete: (s) => queue.add(objectKey(s)),
  });
  const wake = (pod: Pod, previous?: Pod): void => {
    for (const key of servicesOf(serviceInformer, pod, previous)) queue.add(key);
  };
  podInformer.on({ add: (p) => wake(p), update: wake, delete: (p) => wake(p) });
  // A node that moves takes its pods' endpoints to another zone.
  const onNode = (node: Node, previous?: Node): void => {
    if (zoneOf(node) !== (previous && zoneOf(previous))) for (const s of serviceInformer.list()) queue.add(objectKey(s));
  };
  nodeInformer.on({ add: onNode, update: onNode });
  let shares: { readonly of: ZoneShares } | undefined;
  /** CPU per zone decides over the hints of all Services that ask for them. */
  const onCapacity = (node: Node | undefined, previous: Node | undefined): void => {
    if (canonical(zoneFacts(node)) === canonical(zoneFacts(previous))) return;
    shares = undefined;
    for (const s of serviceInformer.list()) if (wantsTopologyHints(s)) queue.add(objectKey(s));
  };
  nodeInformer.on({ add: (n) => onCapacity(n, undefined), update: onCapacity, delete: (n) => onCapacity(undefined, n) });
  const wakeBySlice = (slice: EndpointSlice): void => {
    if (slice.metadata.labels?.[labelManagedBy] === manager) queue.add(bySlice(slice)[0] ?? '');
  };
  sliceInformer.on({ update: wakeBySlice, delete: wakeBySlice });
  await Promise.all([serviceInformer.synced, podInformer.synced, nodeInformer.synced, sliceInformer.synced]);
  await runController({ name: 'endpoint-slice-controller', queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const service = serviceInformer.get(key);
    const isOurs = (s: EndpointSlice): boolean => s.metadata.labels?.[labelManagedBy] === manager && !s.metadata.deletionTimestamp;
    const existing = recent.over(sliceInformer.byIndex('service', key), (s) => bySlice(s)[0] === key).filter(isOurs);
    // A Service without selector belongs to whoever writes its slices; the garbage collector takes those of one that is gone.
    if (!service || !hasSelector(service) || service.metadata.deletionTimestamp) {
      if (service) for (const slice of existing) await remove(slice);
      return;
    }
    const selected = podInformer.byIndex('namespace', service.metadata.namespace ?? '').filter((p) => selects(service, p));
    const plan = planSlices({
      service,
      pods: selected,
      nodeOf: (name) => nodeInformer.get(name),
      existing,
      shares: currentShares,
    });
    for (const { type, reason, message } of plan.events ?? []) recorder.event(service, type, reason, message);
    const annotate = (slice: EndpointSlice): EndpointSlice => ({
      ...slice,
      metadata: {
        ...slice.metadata,
        annotations: { ...slice.metadata.annotations, [endpointsLastChangeTriggerTime]: timestamp(clock.now()) },
      },
    });
    try {
      // Those that get more before those that get less: an endpoint that moves is never missing.
      for (const slice of plan.create) recent.expect(await client.create(endpointSlices, annotate(slice)));
      for (const slice of plan.update) recent.expect(await client.update(endpointSlices, annotate(slice)));
      for (const slice of plan.remove) await remove(slice);
    } catch (err) {
      if (!signal.aborted) warn(service, err);
      throw err;
    }
  }

  function currentShares(): ZoneShares {
    shares ??= { of: zoneShares(nodeInformer.list()) };
    return shares.of;
  }

  function warn(service: Service, err: unknown): void {
    if (isNotFound(err)) return;
    const message = messageOf(err);
    if (!message.includes('object has been modified'))
      recorder.event(
        service,
        'Warning',
        'FailedToUpdateEndpointSlices',
        `Error updating Endpoint Slices for Service ${objectKey(service)}: ${message}`,
      );
  }

  async function remove(slice: EndpointSlice): Promise<void> {
    const { name, namespace = '' } = slice.metadata;
    await client.delete(endpointSlices, name, { namespace }).catch((err: unknown) => {
      if (!isNotFound(err)) throw err;
    });
    recent.expectGone(slice);
  }
}
