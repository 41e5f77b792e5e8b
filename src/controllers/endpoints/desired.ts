/** The Endpoints object of a Service, for readers that do not know EndpointSlices: pure. */
import type { EndpointAddress, EndpointSubset, Endpoints, Pod, Service } from '../../api/schema/types.ts';
import { isCandidate, targetPort } from '../endpointslice/desired.ts';
import { isReady } from '../ownership/pod-state.ts';
import { canonical } from '../ownership/template-hash.ts';

/** An Endpoints object with more is cut, and annotated so. */
export const maxAddresses = 1000;
export const overCapacity = 'endpoints.kubernetes.io/over-capacity';

export function endpointsOf(service: Service, pods: readonly Pod[]): Pick<Endpoints, 'subsets'> & { readonly truncated: boolean } {
  const subsets = new Map<string, EndpointSubset & { addresses: EndpointAddress[]; notReadyAddresses: EndpointAddress[] }>();
  let count = 0;
  let truncated = false;
  for (const pod of pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    if (!isCandidate(pod, false) || (pod.metadata.deletionTimestamp && !service.spec?.publishNotReadyAddresses)) continue;
    if (count >= maxAddresses) {
      truncated = true;
      break;
    }
    const ports = (service.spec?.ports ?? []).flatMap((port) => {
      const number = targetPort(port, pod);
      if (number === undefined) return [];
      return [
        {
          ...(port.name ? { name: port.name } : {}),
          port: number,
          protocol: port.protocol ?? 'TCP',
          ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}),
        },
      ];
    });
    // A headless Service needs no ports.
    if (ports.length === 0 && service.spec?.ports?.length) continue;
    const key = canonical(ports);
    const subset = subsets.get(key) ?? { ports, addresses: [], notReadyAddresses: [] };
    subsets.set(key, subset);
    const { hostname, subdomain, nodeName } = pod.spec ?? {};
    const address: EndpointAddress = {
      ip: pod.status?.podIP ?? '',
      ...(hostname && subdomain === service.metadata.name ? { hostname } : {}),
      ...(nodeName ? { nodeName } : {}),
      targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    };
    if (isReady(pod) || service.spec?.publishNotReadyAddresses) subset.addresses.push(address);
    else subset.notReadyAddresses.push(address);
    count++;
  }
  const out = [...subsets.values()].map(
    (s): EndpointSubset => ({
      ...(s.addresses.length > 0 ? { addresses: s.addresses } : {}),
      ...(s.notReadyAddresses.length > 0 ? { notReadyAddresses: s.notReadyAddresses } : {}),
      ...(s.ports?.length ? { ports: s.ports } : {}),
    }),
  );
  return { ...(out.length > 0 ? { subsets: out } : {}), truncated };
}
