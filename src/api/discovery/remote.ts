/** What other servers of the cluster serve, in the discovery documents of this one. */
import type { APIGroup, APIGroupList, APIResourceList } from '../schema/types.ts';
import { indexEntry, type OpenApiIndex } from './openapi.ts';

/** As the other server wrote it. */
export interface OpenApiDocument {
  readonly bytes: Buffer;
  readonly hash: string;
}

export interface RemoteVersion {
  readonly group: string;
  readonly version: string;
  readonly groupPriority: number;
  readonly versionPriority: number;
  /** As it last answered; absent: it never has. */
  readonly resources: APIResourceList | undefined;
  /** As it was last fetched; absent: it has none, or none yet. */
  readonly openApi?: OpenApiDocument | undefined;
  /** Whether it answers now. */
  readonly available: boolean;
}

interface Versions {
  readonly group: string;
  readonly versions: readonly RemoteVersion[];
}

/** By priority, as upstream sorts them. */
function byGroup(remotes: readonly RemoteVersion[]): Versions[] {
  const sorted = remotes.toSorted(
    (a, b) =>
      b.groupPriority - a.groupPriority ||
      compare(a.group, b.group) ||
      b.versionPriority - a.versionPriority ||
      compare(a.version, b.version),
  );
  const groups = new Map<string, RemoteVersion[]>();
  for (const one of sorted) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return [...groups].map(([group, versions]) => ({ group, versions }));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Group = Omit<APIGroup, 'kind' | 'apiVersion'>;

/** The group with the versions of others behind its own; undefined where neither has any. */
export function withRemoteVersions<G extends Group>(
  own: G | undefined,
  group: string,
  remotes: readonly RemoteVersion[],
): G | Group | undefined {
  const found = byGroup(remotes).find((one) => one.group === group);
  if (!found) return own;
  const versions = found.versions.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  if (own) return { ...own, versions: [...own.versions, ...versions] };
  return { name: group, versions, preferredVersion: versions[0] };
}

export function withRemoteGroups(list: APIGroupList, remotes: readonly RemoteVersion[]): APIGroupList {
  const own = list.groups.map((one) => withRemoteVersions(one, one.name, remotes) as APIGroup);
  const names = new Set(own.map(({ name }) => name));
  const others = byGroup(remotes.filter(({ group }) => !names.has(group)));
  return { ...list, groups: [...own, ...others.map(({ group }) => withRemoteVersions(undefined, group, remotes) as APIGroup)] };
}

interface DiscoveryGroup {
  readonly metadata: { readonly name?: string };
  readonly versions: readonly object[];
}

/** Into the aggregated form. Whoever does not answer is there as it last was, and `Stale`. */
export function withRemoteDiscovery(document: object, remotes: readonly RemoteVersion[]): object {
  const own = (document as { items: readonly DiscoveryGroup[] }).items;
  const groups = byGroup(remotes);
  const more = (name: string | undefined): object[] => (groups.find(({ group }) => group === name)?.versions ?? []).map(versionEntry);
  const names = new Set(own.map(({ metadata }) => metadata.name));
  const others = groups
    .filter(({ group }) => !names.has(group))
    .map(({ group }) => ({ metadata: { name: group, creationTimestamp: null }, versions: more(group) }));
  return { ...document, items: [...own.map((one) => ({ ...one, versions: [...one.versions, ...more(one.metadata.name)] })), ...others] };
}

function versionEntry({ group, version, resources, available }: RemoteVersion): object {
  const all = resources?.resources ?? [];
  const kindOf = (one: (typeof all)[number]): object => ({ group: one.group ?? group, version: one.version ?? version, kind: one.kind });
  const entries = all
    .filter(({ name }) => !name.includes('/'))
    .map((one) => {
      const subresources = all
        .filter(({ name }) => name.startsWith(`${one.name}/`))
        .map((sub) => ({ subresource: sub.name.slice(one.name.length + 1), responseKind: kindOf(sub), verbs: sub.verbs }));
      return {
        resource: one.name,
        responseKind: kindOf(one),
        scope: one.namespaced ? 'Namespaced' : 'Cluster',
        singularResource: one.singularName,
        verbs: one.verbs,
        ...(one.shortNames ? { shortNames: one.shortNames } : {}),
        ...(one.categories ? { categories: one.categories } : {}),
        ...(subresources.length > 0 ? { subresources } : {}),
      };
    });
  return { version, ...(entries.length > 0 ? { resources: entries } : {}), freshness: available ? 'Current' : 'Stale' };
}

/** The index of OpenAPI with the documents of others behind this server's own. */
export function withRemotePaths(index: OpenApiIndex, remotes: readonly RemoteVersion[]): OpenApiIndex {
  const paths = byGroup(remotes).flatMap(({ versions }) =>
    versions.flatMap(({ group, version, openApi }) =>
      openApi ? [[`apis/${group}/${version}`, indexEntry(`apis/${group}/${version}`, openApi.hash)]] : [],
    ),
  );
  return paths.length === 0 ? index : { paths: { ...index.paths, ...Object.fromEntries(paths) } };
}
