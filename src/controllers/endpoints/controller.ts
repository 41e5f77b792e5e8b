/** Keeps the Endpoints object of every Service that has a selector. */

import { objectKey, splitKey } from '../../api/object-key.ts';
import { endpoints, pods, services } from '../../api/resource-types.ts';
import type { Endpoints } from '../../api/schema/types.ts';
import { isHeadlessService } from '../../api/well-known.ts';
import { isNotFound } from '../../client/api-error.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import type { ControllerContext } from '../context.ts';
import { hasSelector, selects, servicesOf } from '../endpointslice/services-of.ts';
import { Expectations } from '../ownership/expectations.ts';
import { canonical } from '../ownership/template-hash.ts';
import { endpointsOf, overCapacity } from './desired.ts';

const managedBy = 'endpoints.kubernetes.io/managed-by';

export async function runEndpoints(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const queue = new WorkQueue({ clock });
  const serviceInformer = informers.of(services).addIndex('namespace', (s) => [s.metadata.namespace ?? '']);
  const podInformer = informers.of(pods).addIndex('namespace', (p) => [p.metadata.namespace ?? '']);
  const endpointsInformer = informers.of(endpoints);
  const recent = new Expectations(endpointsInformer);

  serviceInformer.on({
    add: (s) => queue.add(objectKey(s)),
    update: (s) => queue.add(objectKey(s)),
    delete: (s) => queue.add(objectKey(s)),
  });
  podInformer.on({
    add: (p) => wake(servicesOf(serviceInformer, p)),
    update: (p, old) => wake(servicesOf(serviceInformer, p, old)),
    delete: (p) => wake(servicesOf(serviceInformer, p)),
  });
  endpointsInformer.on({ delete: (e) => queue.add(objectKey(e)) });
  function wake(keys: readonly string[]): void {
    for (const key of keys) queue.add(key);
  }
  await Promise.all([serviceInformer.synced, podInformer.synced, endpointsInformer.synced]);
  await runController({ name: 'endpoint-controller', queue, reconcile, log, signal });

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = serviceInformer.get(key);
    if (!service) {
      const left = endpointsInformer.get(key);
      if (!left?.metadata.labels?.[managedBy]) return;
      await client.delete(endpoints, name, { namespace }).catch((err: unknown) => {
        if (!isNotFound(err)) throw err;
      });
      return;
    }
    if (!hasSelector(service) || service.metadata.deletionTimestamp) return;
    const selected = podInformer.byIndex('namespace', namespace).filter((p) => selects(service, p));
    const { subsets, truncated } = endpointsOf(service, selected);
    const [current] = recent.over(
      [...(endpointsInformer.get(key) ? [endpointsInformer.get(key) as Endpoints] : [])],
      (e) => objectKey(e) === key,
    );
    const labels = {
      ...service.metadata.labels,
      [managedBy]: 'endpoint-controller',
      ...(service.spec?.clusterIP === 'None' ? { [isHeadlessService]: '' } : {}),
    };
    if (
      current &&
      canonical(current.subsets ?? []) === canonical(subsets ?? []) &&
      canonical(current.metadata.labels) === canonical(labels)
    )
      return;
    const { [overCapacity]: _, ...annotations } = current?.metadata.annotations ?? {};
    const object: Endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        ...current?.metadata,
        name,
        namespace,
        labels,
        annotations: { ...annotations, ...(truncated ? { [overCapacity]: 'truncated' } : {}) },
      },
      ...(subsets ? { subsets } : {}),
    };
    recent.expect(current ? await client.update(endpoints, object) : await client.create(endpoints, object));
  }
}
