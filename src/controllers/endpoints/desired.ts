/** The Endpoints object of a Service, for readers that do not know EndpointSlices: pure. */
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service } from '../../api/schema/types.ts';
import { isHeadlessService } from '../../api/well-known.ts';
import { isCandidate, targetPort } from '../endpointslice/desired.ts';
import { isReady } from '../ownership/pod-state.ts';
import { canonical } from '../ownership/template-hash.ts';

/** An Endpoints object with more is cut, and annotated so. */
const maxAddresses = 1000;
const overCapacity = 'endpoints.kubernetes.io/over-capacity';
const managedBy = 'endpoints.kubernetes.io/managed-by';

/** Made by this controller, and not by hand. */
export function isOurs({ metadata }: Endpoints): boolean {
  return Boolean(metadata.labels?.[managedBy]);
}

/** The object to write; undefined when `current` says it all. */
export function planEndpoints(service: Service, selected: readonly Pod[], current: Endpoints | undefined): Endpoints | undefined {
  const { subsets, truncated } = endpointsOf(service, selected);
  const headless = service.spec?.clusterIP === 'None' ? { [isHeadlessService]: '' } : {};
  const labels = { ...service.metadata.labels, [managedBy]: 'endpoint-controller', ...headless };
  const isSame =
    canonical(current?.subsets ?? []) === canonical(subsets ?? []) && canonical(current?.metadata.labels) === canonical(labels);
  if (current && isSame) return undefined;
  const { name, namespace } = service.metadata;
  const { [overCapacity]: _, ...others } = current?.metadata.annotations ?? {};
  const annotations = { ...others, ...(truncated ? { [overCapacity]: 'truncated' } : {}) };
  const metadata = { ...current?.metadata, name, namespace, labels, annotations };
  return { apiVersion: 'v1', kind: 'Endpoints', metadata, ...(subsets ? { subsets } : {}) };
}

export function endpointsOf(service: Service, pods: readonly Pod[]): Pick<Endpoints, 'subsets'> & { readonly truncated: boolean } {
  const candidates = pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)).filter((pod) => isNamed(service, pod));
  const subsets = new Map<string, { readonly ports: EndpointPort[]; readonly pods: Pod[] }>();
  for (const pod of candidates.slice(0, maxAddresses)) {
    const ports = portsOf(service, pod);
    const subset = subsets.get(canonical(ports)) ?? { ports, pods: [] };
    subsets.set(canonical(ports), subset);
    subset.pods.push(pod);
  }
  const made = [...subsets.values()].map((subset) => subsetOf(service, subset.ports, subset.pods));
  return { ...(made.length > 0 ? { subsets: made } : {}), truncated: candidates.length > maxAddresses };
}

function isNamed({ spec }: Service, pod: Pod): boolean {
  if (!isCandidate(pod, false) || (pod.metadata.deletionTimestamp && !spec?.publishNotReadyAddresses)) return false;
  // A headless Service needs no ports.
  return !spec?.ports?.length || spec.ports.some((port) => targetPort(port, pod) !== undefined);
}

function portsOf({ spec }: Service, pod: Pod): EndpointPort[] {
  return (spec?.ports ?? []).flatMap((port) => {
    const { name, protocol = 'TCP', appProtocol } = port;
    const number = targetPort(port, pod);
    return number === undefined ? [] : [{ ...(name ? { name } : {}), port: number, protocol, ...(appProtocol ? { appProtocol } : {}) }];
  });
}

function subsetOf(service: Service, ports: EndpointPort[], pods: readonly Pod[]): EndpointSubset {
  const isUsable = (pod: Pod): boolean => isReady(pod) || Boolean(service.spec?.publishNotReadyAddresses);
  const addresses = pods.filter(isUsable).map((pod) => addressOf(service, pod));
  const notReadyAddresses = pods.filter((pod) => !isUsable(pod)).map((pod) => addressOf(service, pod));
  return {
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  };
}

function addressOf(service: Service, { metadata, spec, status }: Pod): EndpointAddress {
  const { hostname, subdomain, nodeName } = spec ?? {};
  return {
    ip: status?.podIP ?? '',
    ...(hostname && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    targetRef: { kind: 'Pod', namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
  };
}
