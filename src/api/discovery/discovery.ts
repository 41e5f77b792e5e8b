/**
 * The discovery documents: which groups, versions and resources there are. Made from the registry's rows, in the three forms that
 * clients ask for: the legacy lists, and the aggregated one as v2 and v2beta1 (KEP-3352).
 */
import type { ResourceRow, Subresource } from '../registry/resource-row.ts';
import { apiVersionOf } from '../resource-types.ts';
import type { APIGroup, APIGroupList, APIResource, APIResourceList, APIVersions } from '../schema/types.ts';

/** What discovery looks at in a row. */
export type DiscoveryRow = Pick<ResourceRow, 'type' | 'singular' | 'shortNames' | 'categories' | 'verbs' | 'subresources'>;

/** The media types of the aggregated form; an Accept header names one of them, `as` and all. */
export const aggregatedV2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
export const aggregatedV2beta1 = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList';

/**
 * Clients resolve a bare name such as `events` in the order of the groups, so the order is upstream's; groups that are not
 * named come after, by name.
 */
const groupOrder: readonly string[] = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'resource.k8s.io',
];

export interface GroupVersions {
  readonly group: string;
  /** The preferred one first. */
  readonly versions: readonly string[];
}

/** The groups with their versions; the core group, whose name is empty, is first. */
export function groupsOf(rows: readonly DiscoveryRow[]): GroupVersions[] {
  const versions = new Map<string, Set<string>>();
  for (const { type } of rows) {
    const set = versions.get(type.group) ?? new Set<string>();
    versions.set(type.group, set.add(type.version));
  }
  const rank = (group: string): number => (groupOrder.includes(group) ? groupOrder.indexOf(group) : groupOrder.length);
  return [...versions]
    .map(([group, set]) => ({ group, versions: [...set].toSorted(compareVersions) }))
    .toSorted((a, b) => rank(a.group) - rank(b.group) || a.group.localeCompare(b.group));
}

/** v2 before v1, v1 before v1beta2, that before v1beta1 and v1alpha1. */
function compareVersions(a: string, b: string): number {
  const weigh = (v: string): number => {
    const m = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(v);
    const stage = m?.[2] === undefined ? 2 : m[2] === 'beta' ? 1 : 0;
    return m ? stage * 1e6 + Number(m[1]) * 1e3 + Number(m[3] ?? 0) : -1;
  };
  return weigh(b) - weigh(a);
}

/** `GET /api`. `serverAddress` is host:port as clients reach it. */
export function apiVersions(rows: readonly DiscoveryRow[], serverAddress: string): APIVersions {
  const core = groupsOf(rows).find((g) => g.group === '');
  return {
    kind: 'APIVersions',
    apiVersion: 'v1',
    versions: [...(core?.versions ?? [])],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

/** `GET /apis`. */
export function apiGroupList(rows: readonly DiscoveryRow[]): APIGroupList {
  const groups = groupsOf(rows).filter((g) => g.group !== '');
  // Upstream's entries here carry no kind, unlike the answer for one group.
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupEntry) as APIGroup[] };
}

/** `GET /apis/GROUP`; undefined for a group that is not there. */
export function apiGroup(rows: readonly DiscoveryRow[], group: string): APIGroup | undefined {
  const found = groupsOf(rows).find((g) => g.group === group && group !== '');
  return found && { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(found) };
}

function groupEntry({ group, versions }: GroupVersions): Omit<APIGroup, 'kind' | 'apiVersion'> {
  const all = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: all, preferredVersion: all[0] };
}

/** `GET /api/v1` and `GET /apis/GROUP/VERSION`; undefined for a version that is not there. */
export function apiResourceList(rows: readonly DiscoveryRow[], group: string, version: string): APIResourceList | undefined {
  const own = rowsOf(rows, group, version);
  const [first] = own;
  if (!first) return undefined;
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf(first.type),
    resources: own.flatMap((row) => [resourceEntry(row), ...row.subresources.map((sub) => subresourceEntry(row, sub))]),
  } as APIResourceList;
}

/** The rows of one version, by name of the resource. */
export function rowsOf<R extends DiscoveryRow>(rows: readonly R[], group: string, version: string): R[] {
  return rows
    .filter((r) => r.type.group === group && r.type.version === version)
    .toSorted((a, b) => (a.type.resource < b.type.resource ? -1 : 1));
}

function resourceEntry(row: DiscoveryRow): APIResource {
  return {
    name: row.type.resource,
    singularName: row.singular,
    namespaced: row.type.namespaced,
    kind: row.type.kind,
    verbs: row.verbs.toSorted(),
    ...(row.shortNames.length > 0 ? { shortNames: [...row.shortNames] } : {}),
    ...(row.categories.length > 0 ? { categories: [...row.categories] } : {}),
  };
}

/** What a subresource takes and answers; the type of its row unless it says otherwise. */
export function kindOf(row: DiscoveryRow, sub: Subresource): { readonly group: string; readonly version: string; readonly kind: string } {
  if (sub.kind === 'scale') return { group: 'autoscaling', version: 'v1', kind: 'Scale' };
  if (sub.kind === 'special') return sub.body;
  return { group: row.type.group, version: row.type.version, kind: row.type.kind };
}

function subresourceEntry(row: DiscoveryRow, sub: Subresource): APIResource {
  const { group, version, kind } = kindOf(row, sub);
  const foreign = group !== row.type.group || version !== row.type.version;
  return {
    name: `${row.type.resource}/${sub.name}`,
    singularName: '',
    namespaced: row.type.namespaced,
    ...(foreign ? { group, version } : {}),
    kind,
    verbs: sub.verbs.toSorted(),
  };
}

/** `GET /api` (`core`) and `GET /apis` in the aggregated form. */
export function aggregatedDiscovery(rows: readonly DiscoveryRow[], part: 'core' | 'groups', version: 'v2' | 'v2beta1' = 'v2'): object {
  const groups = groupsOf(rows).filter((g) => (g.group === '') === (part === 'core'));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: group === '' ? { creationTimestamp: null } : { name: group, creationTimestamp: null },
      versions: versions.map((v) => ({ version: v, resources: rowsOf(rows, group, v).map(discoveryEntry), freshness: 'Current' })),
    })),
  };
}

function discoveryEntry(row: DiscoveryRow): object {
  const { group, version, kind, resource, namespaced } = row.type;
  return {
    resource,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: row.singular,
    verbs: row.verbs.toSorted(),
    ...(row.shortNames.length > 0 ? { shortNames: row.shortNames } : {}),
    ...(row.categories.length > 0 ? { categories: row.categories } : {}),
    ...(row.subresources.length > 0 ? { subresources: row.subresources.map((sub) => discoverySubresource(row, sub)) } : {}),
  };
}

function discoverySubresource(row: DiscoveryRow, sub: Subresource): object {
  return { subresource: sub.name, responseKind: kindOf(row, sub), verbs: sub.verbs.toSorted() };
}
