/** Endpoints of manifests that have pods and no EndpointSlices: those that the controller of a cluster would make. Pure. */
import { ipFamilyOf } from '../api/defaults/service-families.ts';
import { objectKey } from '../api/object-key.ts';
import type { EndpointSlice, Pod, Service } from '../api/schema/types.ts';
import { labelServiceName } from '../api/well-known.ts';
import { planSlices } from '../controllers/endpointslice/desired.ts';
import { hasSelector, selects } from '../controllers/endpointslice/services-of.ts';
import { isIp } from '../ip/ip.ts';
import type { ManifestObjects } from '../proxy/inspect/cluster-objects.ts';
import { noPlanWhy } from '../proxy/inspect/unproxied.ts';

interface Derived {
  readonly slices: readonly EndpointSlice[];
  /** For people: from what, and what is missing. */
  readonly notes: readonly string[];
}

/** As the API server sets them: by the addresses, where it has any. */
function withFamilies(service: Service): Service {
  const { clusterIP = '', clusterIPs = [clusterIP], ipFamilies = [] } = service.spec ?? {};
  const families = new Set([...ipFamilies, ...clusterIPs.filter(isIp).map(ipFamilyOf)]);
  return { ...service, spec: { ...service.spec, clusterIPs, ipFamilies: families.size > 0 ? [...families] : ['IPv4'] } };
}

function readyText(slices: readonly EndpointSlice[]): string {
  const endpoints = slices.flatMap((slice) => slice.endpoints ?? []);
  const unready = endpoints.filter(({ conditions }) => conditions?.ready !== true).length;
  const addresses = endpoints.flatMap(({ addresses: all }) => all).join(', ') || 'none';
  return unready === 0 ? addresses : `${addresses} (${unready} not ready)`;
}

function lacks(service: Service, pods: readonly Pod[], { workloads }: ManifestObjects): string[] {
  const bare = pods.filter(({ status }) => !status?.podIP).map(({ metadata }) => `Pod ${metadata.name}`);
  const made = workloads.filter(({ metadata, spec }) =>
    selects(service, { metadata: { ...spec?.template?.metadata, name: '', namespace: metadata.namespace ?? '' } } as Pod),
  );
  // Of pods that are there it is known.
  const makers = pods.length > 0 ? [] : made.filter(({ metadata }) => metadata.namespace === service.metadata.namespace);
  return [...bare, ...makers.map(({ kind, metadata }) => `pods of ${kind} ${metadata.name}`)];
}

/** Of each Service that has a selector and no slice. */
export function deriveSlices(objects: ManifestObjects): Derived {
  const has = new Set(objects.slices.map(({ metadata }) => `${metadata.namespace}/${metadata.labels?.[labelServiceName]}`));
  const slices: EndpointSlice[] = [];
  const notes: string[] = [];
  for (const service of objects.services) {
    const key = objectKey(service);
    if (has.has(key) || !hasSelector(service) || noPlanWhy(service)) continue;
    const pods = objects.pods.filter((pod) => pod.metadata.namespace === service.metadata.namespace && selects(service, pod));
    const lacking = lacks(service, pods, objects);
    if (pods.length === 0 && lacking.length === 0) continue;
    const nodeOf = (name: string): ManifestObjects['nodes'][number] | undefined =>
      objects.nodes.find(({ metadata }) => metadata.name === name);
    const { create } = planSlices({ service: withFamilies(service), pods, nodeOf, existing: [] });
    slices.push(...create.map((slice, i) => ({ ...slice, metadata: { ...slice.metadata, name: `${slice.metadata.generateName}${i}` } })));
    if (pods.length > lacking.length) notes.push(`endpoints derived from Pods: ${key}: ${readyText(create)}`);
    if (lacking.length > 0)
      notes.push(
        `Service ${key} has no endpoints of ${lacking.join(', ')}, without addresses before they run: "kubectl get pods -A -o yaml" prints them with theirs`,
      );
  }
  return { slices, notes };
}
