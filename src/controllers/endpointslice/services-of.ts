import { objectKey } from '../../api/object-key.ts';
import type { Pod, Service } from '../../api/schema/types.ts';
import type { Informer } from '../../client/informer.ts';

/** What of a pod an endpoint is made of; a change of anything else is no news to a Service. */
function relevant(pod: Pod): string {
  const ready = pod.status?.conditions?.find((c) => c.type === 'Ready')?.status;
  return JSON.stringify([
    pod.metadata.labels,
    pod.metadata.deletionTimestamp,
    pod.spec?.nodeName,
    pod.spec?.hostname,
    pod.status?.podIPs,
    pod.status?.phase,
    ready,
  ]);
}

/** Whether the Service has a selector, and the pod fits it. */
export function selects(service: Service, pod: Pod): boolean {
  const labels = pod.metadata.labels ?? {};
  const selector = service.spec?.selector;
  if (!selector) return false;
  let any = false;
  for (const key in selector) {
    if (labels[key] !== selector[key]) return false;
    any = true;
  }
  // `selector: {}` is no selector.
  return any;
}

/** A Service whose endpoints the controllers make; others bring their own, or have none. */
export function hasSelector(service: Service): boolean {
  return Object.keys(service.spec?.selector ?? {}).length > 0 && service.spec?.type !== 'ExternalName';
}

/** Keys of the Services whose endpoints a change of this pod touches. `services` has an index `namespace`. */
export function servicesOf(services: Informer<Service>, pod: Pod, previous?: Pod): string[] {
  if (previous && relevant(pod) === relevant(previous)) return [];
  const found: string[] = [];
  for (const service of services.list(pod.metadata.namespace)) {
    if (selects(service, pod) || (previous && selects(service, previous))) found.push(objectKey(service));
  }
  return found;
}
