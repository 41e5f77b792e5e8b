/** Copies hand-written Endpoints of a Service without selector into EndpointSlices, which is all that proxies and DNS read. */

import { objectKey } from '../../api/object-key.ts';
import { endpointSlices, endpoints, services } from '../../api/resource-types.ts';
import type { EndpointSlice } from '../../api/schema/types.ts';
import { labelManagedBy, labelServiceName } from '../../api/well-known.ts';
import { isNotFound } from '../../client/api-error.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import type { ControllerContext } from '../context.ts';
import { hasSelector } from '../endpointslice/services-of.ts';
import { Expectations } from '../ownership/expectations.ts';
import { isMirrored, mirrorManager, planMirror } from './desired.ts';

export async function runEndpointSliceMirroring(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const queue = new WorkQueue({ clock });
  const serviceInformer = informers.of(services);
  const endpointsInformer = informers.of(endpoints);
  const bySlice = (s: EndpointSlice): readonly string[] => [`${s.metadata.namespace}/${s.metadata.labels?.[labelServiceName] ?? ''}`];
  const sliceInformer = informers.of(endpointSlices).addIndex('service', bySlice);
  const recent = new Expectations(sliceInformer);

  const wake = (object: { metadata: { namespace?: string | undefined; name: string } }): void => queue.add(objectKey(object));
  serviceInformer.on({ add: wake, update: wake, delete: wake });
  endpointsInformer.on({ add: wake, update: wake, delete: wake });
  const isOurs = (s: EndpointSlice): boolean => s.metadata.labels?.[labelManagedBy] === mirrorManager && !s.metadata.deletionTimestamp;
  const wakeBySlice = (slice: EndpointSlice): void => {
    if (isOurs(slice)) queue.add(bySlice(slice)[0] ?? '');
  };
  sliceInformer.on({ update: wakeBySlice, delete: wakeBySlice });
  await Promise.all([serviceInformer.synced, endpointsInformer.synced, sliceInformer.synced]);
  await runController({ name: 'endpointslice-mirroring-controller', queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const existing = recent.over(sliceInformer.byIndex('service', key), (s) => bySlice(s)[0] === key).filter(isOurs);
    const service = serviceInformer.get(key);
    const written = endpointsInformer.get(key);
    if (!service || !written || hasSelector(service) || service.spec?.type === 'ExternalName' || !isMirrored(written)) {
      for (const slice of existing) await remove(slice);
      return;
    }
    const plan = planMirror(service, written, existing);
    for (const slice of plan.create) recent.expect(await client.create(endpointSlices, slice));
    for (const slice of plan.update) recent.expect(await client.update(endpointSlices, slice));
    for (const slice of plan.remove) await remove(slice);
  }

  async function remove(slice: EndpointSlice): Promise<void> {
    const { name, namespace = '' } = slice.metadata;
    await client.delete(endpointSlices, name, { namespace }).catch((err: unknown) => {
      if (!isNotFound(err)) throw err;
    });
    recent.expectGone(slice);
  }
}
