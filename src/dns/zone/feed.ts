/** Informers feed the zone. Changes of one turn of the event loop are taken together: a Deployment that scales writes its slice many times. */

import { objectKey } from '../../api/object-key.ts';
import { endpointSlices, namespaces, services } from '../../api/resource-types.ts';
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { endpointsLastChangeTriggerTime, labelServiceName } from '../../api/well-known.ts';
import type { InformerSet } from '../../client/informers.ts';
import type { Clock } from '../../clock/clock.ts';
import type { OnProgrammed, ServiceKind } from '../plugin/kubernetes/metrics.ts';
import type { ClusterZone } from './cluster-zone.ts';

/** Resolves when every name is known. */
export async function feedZone(
  zone: ClusterZone,
  options: { readonly informers: InformerSet; readonly clock: Clock },
  onProgrammed: OnProgrammed,
): Promise<void> {
  const { informers, clock } = options;
  const serviceInformer = informers.of(services);
  const namespaceInformer = informers.of(namespaces);
  const serviceOf = (slice: EndpointSlice): string => `${slice.metadata.namespace}/${slice.metadata.labels?.[labelServiceName] ?? ''}`;
  const sliceInformer = informers.of(endpointSlices).addIndex('dns-service', (s) => [serviceOf(s)]);
  const renew = (key: string): void =>
    zone.setService(key, serviceInformer.get(key), sliceInformer.byIndex('dns-service', key), Math.floor(clock.now() / 1000));
  let isSynced = false;
  const changed = new Set<string>();
  const flush = (): void => {
    for (const key of changed) renew(key);
    changed.clear();
  };
  const onChange = (key: string): void => {
    // Until everything is there each Service would be rendered again with each of its slices.
    if (!isSynced) return;
    if (changed.size === 0) setImmediate(flush);
    changed.add(key);
  };
  const onService = (s: Service): void => onChange(objectKey(s));
  serviceInformer.on({ add: onService, update: onService, delete: onService });
  sliceInformer.on({
    add(s) {
      onChange(serviceOf(s));
      measure(s);
    },
    update(s, previous) {
      onChange(serviceOf(s));
      if (serviceOf(previous) !== serviceOf(s)) onChange(serviceOf(previous));
      measure(s);
    },
    delete: (s) => onChange(serviceOf(s)),
  });
  namespaceInformer.on({
    add: (n) => zone.setNamespace(n.metadata.name, true),
    delete: (n) => zone.setNamespace(n.metadata.name, false),
  });
  await Promise.all([serviceInformer.synced, sliceInformer.synced, namespaceInformer.synced]);
  for (const service of serviceInformer.list()) renew(objectKey(service));
  isSynced = true;

  function measure(slice: EndpointSlice): void {
    const at = Date.parse(slice.metadata.annotations?.[endpointsLastChangeTriggerTime] ?? '');
    if (!isSynced || Number.isNaN(at)) return;
    onProgrammed(kindOf(serviceInformer.get(serviceOf(slice))), Math.max(clock.now() - at, 0) / 1000);
  }
}

function kindOf(service: Service | undefined): ServiceKind {
  if (service?.spec?.clusterIP !== 'None') return 'cluster_ip';
  return service.spec.selector ? 'headless_with_selector' : 'headless_without_selector';
}
