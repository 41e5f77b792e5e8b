/** Values of the downward API: fields of the pod and resources of its containers, for env variables and files. */
import { milli, value } from '../../api/quantity/quantity.ts';
import type { Pod, ResourceFieldSelector } from '../../api/schema/types.ts';
import { allContainers, namespaceOf, specOf, uidOf } from './spec.ts';

export interface NodeFacts {
  readonly nodeName: string;
  readonly hostIps: readonly string[];
  /** The pod's addresses, once it has a sandbox. */
  readonly podIps: readonly string[];
  /** Quantities, standing in for limits that a container leaves out. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** The value at `fieldPath`, such as `metadata.labels['app']`; undefined for a path that has none. */
export function fieldValue(pod: Pod, fieldPath: string, facts: NodeFacts): string | undefined {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscript) {
    const map = subscript[1] === 'labels' ? pod.metadata.labels : pod.metadata.annotations;
    return map?.[subscript[2] ?? ''] ?? '';
  }
  switch (fieldPath) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return namespaceOf(pod);
    case 'metadata.uid':
      return uidOf(pod);
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return facts.nodeName;
    case 'spec.serviceAccountName':
      return specOf(pod).serviceAccountName ?? '';
    case 'status.hostIP':
      return facts.hostIps[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIps.join(',');
    case 'status.podIP':
      return facts.podIps[0] ?? '';
    case 'status.podIPs':
      return facts.podIps.join(',');
    default:
      return undefined;
  }
}

/** `key="value"` lines, sorted, values quoted as Go does. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join('\n');
}

/** The value of `limits.cpu` and the like in units of the divisor, rounded up; undefined for a container or name that is not there. */
export function resourceValue(pod: Pod, containerName: string, selector: ResourceFieldSelector, facts: NodeFacts): string | undefined {
  const container = allContainers(pod).find((c) => c.name === (selector.containerName || containerName));
  const [kind, ...rest] = selector.resource.split('.');
  const resource = rest.join('.');
  if (!container || (kind !== 'limits' && kind !== 'requests') || resource === '') return undefined;
  const limit = container.resources?.limits?.[resource];
  const request = container.resources?.requests?.[resource];
  const quantity = kind === 'limits' ? (limit ?? facts.allocatable[resource]) : (request ?? limit);
  const divisor = selector.divisor === undefined || selector.divisor === '0' || selector.divisor === '' ? '1' : selector.divisor;
  const measure = resource === 'cpu' ? milli : value;
  const amount = measure(quantity ?? '0');
  const by = measure(divisor);
  return String((amount + by - 1n) / by);
}
