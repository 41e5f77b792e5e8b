/** The EndpointSlices of an Endpoints object that somebody wrote by hand: pure. */
import type { DiscoveryV1EndpointPort, Endpoint, EndpointAddress, EndpointSlice, Endpoints, Service } from '../../api/schema/types.ts';
import { labelManagedBy, labelServiceName, labelSkipMirror, lastAppliedConfigAnnotation } from '../../api/well-known.ts';
import { familyOf, parseIp } from '../../ip/ip.ts';
import { fitSlices, type Group, type SlicePlan } from '../endpointslice/desired.ts';
import { canonical } from '../ownership/template-hash.ts';

export const mirrorManager = 'endpointslicemirroring-controller.k8s.io';
/** Endpoints that are a lock of client-go's old leader election change every two seconds and lead nowhere. */
const leader = 'control-plane.alpha.kubernetes.io/leader';
/** Of each subset, as upstream's --mirroring-max-endpoints-per-subset. */
const maxPerSubset = 1000;

export function isMirrored(endpoints: Endpoints): boolean {
  const { labels, annotations, deletionTimestamp } = endpoints.metadata;
  return labels?.[labelSkipMirror] !== 'true' && annotations?.[leader] === undefined && deletionTimestamp === undefined;
}

function endpointOf(service: Service, address: EndpointAddress, isReady: boolean): Endpoint {
  const { ip, hostname, nodeName, targetRef } = address;
  return {
    addresses: [ip],
    conditions: { ready: isReady || service.spec?.publishNotReadyAddresses === true },
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    ...(targetRef ? { targetRef } : {}),
  };
}

function groupsOf(service: Service, endpoints: Endpoints): Group[] {
  const groups = new Map<string, Group>();
  for (const subset of endpoints.subsets ?? []) {
    const ports: DiscoveryV1EndpointPort[] = (subset.ports ?? []).map((p) => ({
      name: p.name ?? '',
      protocol: p.protocol ?? 'TCP',
      port: p.port,
      ...(p.appProtocol ? { appProtocol: p.appProtocol } : {}),
    }));
    const all = [
      ...(subset.addresses ?? []).map((a) => endpointOf(service, a, true)),
      ...(subset.notReadyAddresses ?? []).map((a) => endpointOf(service, a, false)),
    ];
    for (const endpoint of all.slice(0, maxPerSubset)) {
      const ip = parseIp(endpoint.addresses[0] ?? '');
      if (ip === undefined) continue;
      const addressType = familyOf(ip) === 6 ? 'IPv6' : 'IPv4';
      const key = `${addressType}|${canonical(ports)}`;
      const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
      groups.set(key, group);
      group.endpoints.push(endpoint);
    }
  }
  return [...groups.values()];
}

export function planMirror(service: Service, endpoints: Endpoints, existing: readonly EndpointSlice[]): SlicePlan {
  const { [lastAppliedConfigAnnotation]: _, ...annotations } = endpoints.metadata.annotations ?? {};
  const labels = { ...endpoints.metadata.labels, [labelServiceName]: endpoints.metadata.name, [labelManagedBy]: mirrorManager };
  return fitSlices({ owner: endpoints, labels, annotations, groups: groupsOf(service, endpoints), existing });
}
