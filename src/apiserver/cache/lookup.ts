/** What the server itself reads of the cluster: single objects of known types, from the caches. Shared copies: never changed. */

import { rowOf } from '../../api/registry/registry.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { WatchFeed } from './watch-feed.ts';

export class Lookup {
  readonly #feed: WatchFeed;

  constructor(feed: WatchFeed) {
    this.#feed = feed;
  }

  /** As the cache has it: may be a moment old. */
  get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace = ''): T | undefined {
    const row = this.#row(type);
    const cache = this.#feed.cache(row.storedAs ?? '');
    return cache.get(`${cache.prefix}${type.namespaced ? `${namespace}/` : ''}${name}`)?.object as T | undefined;
  }

  /** After a miss, looks again when everything written before the call has arrived. */
  async find<T extends KubeObject>(type: ResourceType<T>, name: string, namespace = ''): Promise<T | undefined> {
    const known = this.get(type, name, namespace);
    if (known) return known;
    await this.#feed.fresh();
    return this.get(type, name, namespace);
  }

  list<T extends KubeObject>(type: ResourceType<T>, namespace = ''): T[] {
    const cache = this.#feed.cache(this.#row(type).storedAs ?? '');
    return cache.range(namespace ? `${cache.prefix}${namespace}/` : cache.prefix).map((o) => o.object as KubeObject as T);
  }

  /** Calls for every object that is there, then for every change. After the store was read anew, all that was known goes first. */
  follow<T extends KubeObject>(
    type: ResourceType<T>,
    on: { readonly put: (o: T, previous: T | undefined) => void; readonly delete: (o: T) => void },
  ): void {
    const cache = this.#feed.cache(this.#row(type).storedAs ?? '');
    const all = (): void => {
      for (const o of cache.range()) on.put(o.object as KubeObject as T, undefined);
    };
    cache.listen({
      onEvents: (events) => {
        for (const event of events) {
          if (event.current) on.put(event.current.object as KubeObject as T, event.previous?.object as KubeObject as T | undefined);
          else if (event.previous) on.delete(event.previous.object as KubeObject as T);
        }
      },
      onReset: (before) => {
        for (const o of before) on.delete(o.object as KubeObject as T);
        all();
      },
    });
    all();
  }

  #row(type: ResourceType): ResourceRow {
    const row = rowOf(type.group, type.version, type.resource);
    if (row?.storedAs === undefined) throw new Error(`no stored resource ${type.group}/${type.resource}`);
    return row;
  }
}
