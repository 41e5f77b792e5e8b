/**
 * Reads and writes of single objects, by compare-and-swap. A change starts from the cached copy, which may be a moment old;
 * what fails on that copy is tried again on what the store really holds before anybody hears of it.
 */
import { isDeepStrictEqual } from 'node:util';
import { bodyLimits, measureJson } from '../../api/codec/limits.ts';
import type { Registry } from '../../api/registry/registry.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Store, StoredRecord } from '../../storage/store.ts';
import { CachedObject, encodeObject, spliceRevision } from '../cache/cached-object.ts';
import type { ResourceCache } from '../cache/resource-cache.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import { alreadyExists, conflict, isStatusError, methodNotAllowed, noSuchPath, notFound, StatusError } from '../status/status-error.ts';
import { holdToLimits } from './object-limits.ts';
import { copyOf } from './presentation.ts';

/** Upstream's limit of an object in etcd; the body of a request may be larger (3 MiB). */
const maxObjectBytes = 1_536 * 1024;
const maxAttempts = 30;

/** What a change makes of the current object: a new content, nothing, or its removal. */
export type Change = { readonly kind: 'put'; readonly object: KubeObject } | { readonly kind: 'delete' } | { readonly kind: 'keep' };

export interface Changed {
  /** As it is now; for a deletion: as it last was. */
  readonly object: CachedObject;
  readonly deleted: boolean;
}

export class ObjectStore {
  readonly registry: Registry;
  readonly #store: Store;
  readonly #feed: WatchFeed;

  constructor(store: Store, feed: WatchFeed, registry: Registry) {
    this.registry = registry;
    this.#store = store;
    this.#feed = feed;
  }

  /** Throws 405 for what is never stored (a review). */
  cache(row: ResourceRow): ResourceCache {
    if (row.storedAs === undefined) throw methodNotAllowed();
    const cache = this.#feed.find(row.storedAs);
    // Between the look at the row and here the resource has gone.
    if (!cache) throw noSuchPath();
    return cache;
  }

  /** The prefix of the keys of a namespace, or of all when `namespace` is ''. */
  prefix(row: ResourceRow, namespace: string): string {
    const { prefix } = this.cache(row);
    return row.type.namespaced && namespace ? `${prefix}${namespace}/` : prefix;
  }

  key(row: ResourceRow, namespace: string, name: string): string {
    return this.prefix(row, namespace) + name;
  }

  /** As new as every write that was acknowledged before the call. */
  async get(row: ResourceRow, namespace: string, name: string): Promise<CachedObject | undefined> {
    await this.#feed.fresh();
    return this.cache(row).get(this.key(row, namespace, name));
  }

  /** What the cache has, or after a miss what it has once it is up to date. */
  async lookup(row: ResourceRow, namespace: string, name: string): Promise<CachedObject | undefined> {
    return this.cache(row).get(this.key(row, namespace, name)) ?? (await this.get(row, namespace, name));
  }

  async create(row: ResourceRow, object: KubeObject, dryRun: boolean): Promise<CachedObject> {
    const { name, namespace = '' } = object.metadata;
    const key = this.key(row, namespace, name);
    const value = this.#encode(row, object, name);
    if (dryRun) {
      if (await this.get(row, namespace, name)) throw alreadyExists(row.type, name);
      return new CachedObject(key, 0, value);
    }
    const result = await this.#put(key, value, 0, row.ttlSeconds);
    if (!result.ok) throw alreadyExists(row.type, name);
    return CachedObject.of(result.record);
  }

  /**
   * Makes a change, again and again until nobody else interferes. `change` is given a copy of its own in the row's version, may
   * change it in place, and may be called several times. Throws 404 when there is no object.
   */
  async change(
    row: ResourceRow,
    namespace: string,
    name: string,
    change: (current: KubeObject, cached: CachedObject) => Promise<Change> | Change,
    dryRun: boolean,
  ): Promise<Changed> {
    const key = this.key(row, namespace, name);
    const cached = this.cache(row).get(key);
    let current = cached ?? (await this.#read(key));
    let isCurrent = !cached;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      if (!current) throw notFound(row.type, name);
      let wanted: Change;
      try {
        wanted = await change(copyOf(row, current), current);
      } catch (err) {
        if (isCurrent || !isStatusError(err)) throw err;
        const read: CachedObject | undefined = await this.#read(key);
        isCurrent = true;
        if (read?.revision === current.revision) throw err;
        current = read;
        continue;
      }
      if (wanted.kind === 'keep') return { object: current, deleted: false };
      if (wanted.kind === 'delete') {
        if (dryRun) return { object: current, deleted: true };
        const gone = await this.#store.delete(key, { ifRevision: current.revision });
        if (gone.ok) return { object: current.at(gone.record.modRevision), deleted: true };
        current = recordOf(gone.current);
      } else {
        const value = this.#encode(row, wanted.object, name);
        if (sameContent(value, current)) {
          // Nothing to write. That must not hide a newer state from someone who set a precondition: they have checked it in `change`.
          if (isCurrent) return { object: current, deleted: false };
          const read: CachedObject | undefined = await this.#read(key);
          isCurrent = true;
          if (read?.revision === current.revision) return { object: current, deleted: false };
          current = read;
          continue;
        }
        if (dryRun) return { object: new CachedObject(key, current.revision, spliceRevision(value, current.revision)), deleted: false };
        const put = await this.#put(key, value, current.revision, row.ttlSeconds);
        if (put.ok) return { object: CachedObject.of(put.record), deleted: false };
        current = recordOf(put.current);
      }
      isCurrent = true;
    }
    throw conflict(row.type, name, 'the object is changed by others all the time; please try again');
  }

  async #read(key: string): Promise<CachedObject | undefined> {
    return recordOf(await this.#store.get(key));
  }

  #put(key: string, value: Buffer, ifRevision: number, ttlSeconds: number | undefined): ReturnType<Store['put']> {
    return this.#store.put(key, value, ttlSeconds === undefined ? { ifRevision } : { ifRevision, ttlSeconds });
  }

  #encode(row: ResourceRow, object: KubeObject, name: string): Buffer {
    const stored = row.conversion ? row.conversion.toStored(object) : object;
    const value = encodeObject(stored);
    if (value.length > maxObjectBytes) {
      throw new StatusError(
        413,
        'RequestEntityTooLarge',
        `${row.type.kind} "${name}" is too large: ${value.length} bytes, the limit is ${maxObjectBytes}`,
      );
    }
    // Fewer bytes cannot hold so many values.
    if (value.length > 2 * bodyLimits.values) holdToLimits(row, name, () => measureJson(value));
    return value;
  }
}

function recordOf(record: StoredRecord | undefined): CachedObject | undefined {
  return record && CachedObject.of(record);
}

/** True when a write would change nothing. The order of fields is no content. */
function sameContent(value: Buffer, current: CachedObject): boolean {
  const extra = `"resourceVersion":"${current.revision}",`.length;
  if (value.length + extra !== current.bytes.length) return false;
  const spliced = spliceRevision(value, current.revision);
  return spliced.equals(current.bytes) || isDeepStrictEqual(JSON.parse(spliced.toString()), current.object);
}
