/** Asks a server which resources it has (client-go's discovery). */
import type { ResourceType } from '../api/resource-types.ts';
import type { APIGroupList, APIResourceList } from '../api/schema/types.ts';
import { ApiError } from './api-error.ts';
import type { Client } from './client.ts';

export interface DiscoveredResource extends ResourceType {
  readonly verbs: readonly string[];
}

/**
 * Every resource the server has, in its preferred version, without subresources. `partial`: what another server serves, behind this one, and does not answer for (503), is
 * left out; else that fails.
 */
export async function discover(client: Client, { partial = false }: { readonly partial?: boolean } = {}): Promise<DiscoveredResource[]> {
  const groups = JSON.parse(await client.raw('GET', '/apis', { accept: 'application/json' })) as APIGroupList;
  const versions = ['v1', ...(groups.groups ?? []).map((g) => g.preferredVersion?.groupVersion ?? g.versions[0]?.groupVersion ?? '')];
  const lists = await Promise.all(
    versions.map(async (gv) => {
      const text = await client
        .raw('GET', gv === 'v1' ? '/api/v1' : `/apis/${gv}`, { accept: 'application/json' })
        .catch((err: unknown) => {
          if (partial && err instanceof ApiError && err.code === 503) return '{}';
          throw err;
        });
      return { gv, list: JSON.parse(text) as Partial<APIResourceList> };
    }),
  );
  return lists.flatMap(({ gv, list }) => {
    const slash = gv.indexOf('/');
    const [group, version] = slash < 0 ? ['', gv] : [gv.slice(0, slash), gv.slice(slash + 1)];
    return (list.resources ?? [])
      .filter((r) => !r.name.includes('/'))
      .map((r) => ({ group, version, resource: r.name, kind: r.kind, namespaced: r.namespaced, verbs: r.verbs ?? [] }));
  });
}
