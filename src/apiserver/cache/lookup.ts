/** What the server itself reads of the cluster: single objects of known types, from the caches. Shared copies: never changed. */

import type { Registry } from '../../api/registry/registry.ts';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { WatchFeed } from './watch-feed.ts';

export class Lookup {
  readonly #feed: WatchFeed;
  readonly #registry: Registry;

  constructor(feed: WatchFeed, registry: Registry) {
    this.#feed = feed;
    this.#registry = registry;
  }

  /** As the cache has it: may be a moment old. */
  get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace = ''): T | undefined {
    const cache = this.#cache(type);
    return cache.get(`${cache.prefix}${type.namespaced ? `${namespace}/` : ''}${name}`)?.object as T | undefined;
  }

  /** After a miss, looks again when everything written before the call has arrived. */
  async find<T extends KubeObject>(type: ResourceType<T>, name: string, namespace = ''): Promise<T | undefined> {
    const known = this.get(type, name, namespace);
    if (known) return known;
    await this.#feed.fresh();
    return this.get(type, name, namespace);
  }

  /** Resolves when everything that was written before the call has arrived. */
  fresh(): Promise<void> {
    return this.#feed.fresh();
  }

  list<T extends KubeObject>(type: ResourceType<T>, namespace = ''): T[] {
    const cache = this.#cache(type);
    return cache.range(namespace ? `${cache.prefix}${namespace}/` : cache.prefix).map((o) => o.object as KubeObject as T);
  }

  /** Calls for every object that is there, then for every change; what was there before is parsed for who asks. After the store was read anew, all that was known goes first. */
  follow<T extends KubeObject>(
    type: ResourceType<T>,
    on: { readonly put: (o: T, previous: () => T | undefined) => void; readonly delete: (o: T) => void },
  ): void {
    const cache = this.#cache(type);
    const all = (): void => {
      for (const o of cache.range()) on.put(o.object as KubeObject as T, () => undefined);
    };
    cache.listen({
      onEvents: (events) => {
        for (const event of events) {
          if (event.current) on.put(event.current.object as KubeObject as T, () => event.previous?.object as KubeObject as T | undefined);
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

  #cache(type: ResourceType): ResourceCache {
    return this.#feed.cache(this.#registry.rowFor(type).storedAs ?? '');
  }
}
