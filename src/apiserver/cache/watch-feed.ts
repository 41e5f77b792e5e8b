/**
 * The one reader of the store's event stream: loads every resource at start and hands each change to the resource's cache.
 * One stream for all means one revision for all: when the feed has reached a revision, every cache has.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../clock/clock.ts';
import { isKnownError, type KnownError, messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { eventKey, prefixEnd, type Store, type StoreEvent } from '../../storage/store.ts';
import { serviceUnavailable } from '../status/status-error.ts';
import { append } from './batches.ts';
import { CachedObject } from './cached-object.ts';
import type { CacheEvent } from './event-log.ts';
import { readObjects, readPast, registryPrefix, withoutHistory } from './load.ts';
import { ResourceCache } from './resource-cache.ts';

const retryMs = 500;
/** What was not asked for between two of these moments is not kept ready any more. */
const ageMs = 5 * 60_000;
/** How long a read waits for what was written before it. */
const freshMs = 30_000;
/** How long a resource that is being loaded waits for the feed to come as far. */
const joinMs = 30_000;

interface Waiter {
  readonly revision: number;
  readonly resolve: (reached: boolean) => void;
}

export class WatchFeed {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #stop = new AbortController();
  readonly #waiters = new Set<Waiter>();
  /** Events of resources that are just being loaded. */
  readonly #joining = new Map<ResourceCache, StoreEvent[]>();
  #started = false;
  #revision = 0;
  #problem: KnownError | undefined;
  #aging: { cancel(): void } | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: { readonly store: Store; readonly clock: Clock; readonly log: Log }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** The newest revision that every cache has seen. */
  get revision(): number {
    return this.#revision;
  }

  /** Why nothing that is held counts: the store has gone back to an earlier state, or holds what cannot be read. */
  get problem(): KnownError | undefined {
    return this.#problem;
  }

  /** Begins to hold a resource (`pods`). Once the feed is started it is loaded by and by: `cache.loaded` says when. */
  add(storedAs: string): void {
    if (this.#caches.has(storedAs)) return;
    const cache = new ResourceCache(`${registryPrefix}${storedAs}/`);
    this.#caches.set(storedAs, cache);
    if (!this.#started) return;
    cache.loaded = this.#join(cache).finally(() => {
      cache.loaded = undefined;
    });
  }

  /** Ends its watches, and holds it no longer. */
  drop(storedAs: string): void {
    const cache = this.#caches.get(storedAs);
    if (!cache) return;
    this.#caches.delete(storedAs);
    this.#joining.delete(cache);
    cache.end();
  }

  /** What is held now. */
  get caches(): ReadonlyMap<string, ResourceCache> {
    return this.#caches;
  }

  find(storedAs: string): ResourceCache | undefined {
    return this.#caches.get(storedAs);
  }

  /** The cache of a resource that is always there. */
  cache(storedAs: string): ResourceCache {
    const cache = this.#caches.get(storedAs);
    if (!cache) throw new Error(`nothing is held of ${storedAs}`);
    return cache;
  }

  /** Resolves when everything is loaded; changes flow from then on. */
  async start(): Promise<void> {
    this.#started = true;
    const from = await this.#load();
    this.#running = this.#follow(from);
    this.#age();
  }

  #age(): void {
    this.#aging = this.#clock.after(ageMs, () => {
      for (const cache of this.#caches.values()) cache.age();
      this.#age();
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#aging?.cancel();
    this.#settle(true);
    await this.#running;
  }

  /** Resolves when the caches have everything that was written before the call, through whichever server. Throws 503 rather than to show less. */
  async fresh(): Promise<void> {
    if (this.#problem) throw this.#problem;
    const revision = await this.#store.revision();
    if (revision <= this.#revision || (await this.reach(revision, freshMs))) return;
    if (this.#problem) throw this.#problem;
    throw serviceUnavailable(
      `the server has not heard of every change yet: it knows revision ${this.#revision}, the store has ${revision}`,
      1,
    );
  }

  /** True when the caches have reached the revision, false when that takes longer than `timeoutMs`. */
  reach(revision: number, timeoutMs: number): Promise<boolean> {
    if (revision <= this.#revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#waiters.delete(waiter);
        resolve(false);
      });
      const waiter: Waiter = {
        revision,
        resolve: (reached) => {
          timer.cancel();
          resolve(reached);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** Reads everything; returns the revision from which on changes are still to be followed. */
  async #load(): Promise<number> {
    const objects = new Map<ResourceCache, CachedObject[]>([...this.#caches.values()].map((c) => [c, []]));
    // Changes since the first page are followed later; those that a page has already are skipped then.
    const { first, last } = await readObjects(this.#store, registryPrefix, (object) => {
      const cache = this.#cacheOf(object.key);
      if (cache) objects.get(cache)?.push(object);
    });
    // What was skipped between the pages is not in the past: watches begin behind it.
    const past = first === last ? await readPast(this.#store, first, this.#stop.signal) : { events: [], floor: last };
    this.#revision = first;
    this.#problem = undefined;
    const events = Map.groupBy(past.events, (event) => this.#cacheOf(eventKey(event)));
    for (const [cache, list] of objects) {
      cache.reset(list, withoutHistory.includes(cache.prefix) ? last : past.floor);
      cache.recall(events.get(cache) ?? [], this.#clock.monotonic());
      this.#joining.delete(cache);
    }
    // Whoever came meanwhile has missed what was not followed, and begins anew.
    for (const cache of this.#joining.keys()) this.#joining.set(cache, []);
    this.#settle(false);
    return first + 1;
  }

  /** Loads one resource while the others are followed. Resolves also when it has gone again, or everything was read anew meanwhile. */
  async #join(cache: ResourceCache): Promise<void> {
    this.#joining.set(cache, []);
    while (this.#joining.has(cache) && !this.#stop.signal.aborted) {
      const meanwhile: StoreEvent[] = [];
      this.#joining.set(cache, meanwhile);
      try {
        const objects: CachedObject[] = [];
        const { last } = await readObjects(this.#store, cache.prefix, (object) => objects.push(object));
        if (!(await this.reach(last, joinMs)) || this.#joining.get(cache) !== meanwhile) continue;
        this.#joining.delete(cache);
        cache.reset(objects, last);
        this.#take(meanwhile);
      } catch (err) {
        if (isKnownError(err, 'STORE_CLOSED')) return;
        this.#log.warn(`cannot load ${cache.prefix}, trying again`, { error: messageOf(err) });
        await this.#pause();
      }
    }
  }

  async #follow(from: number): Promise<void> {
    let next: number | undefined = from;
    while (next !== undefined && !this.#stop.signal.aborted) {
      try {
        next = await this.#followFrom(next);
      } catch (err) {
        if (this.#stop.signal.aborted || isKnownError(err, 'STORE_CLOSED')) return;
        this.#log.warn('the stream of changes from the store broke, reading everything anew', { error: messageOf(err) });
        next = await this.#reload();
      }
    }
  }

  /** Until the watch ends by itself; gives the revision at which to go on. Throws what broke it. */
  async #followFrom(revision: number): Promise<number | undefined> {
    let next = revision;
    const onProgress = (reached: number): void => this.#reached(reached);
    const options = { signal: this.#stop.signal, onProgress };
    for await (const batch of this.#store.watch(registryPrefix, prefixEnd(registryPrefix), revision, options)) {
      this.#take(batch);
      next = this.#revision + 1;
    }
    if (this.#stop.signal.aborted) return undefined;
    const problem = await this.#probe();
    if (isKnownError(problem, 'STORE_CLOSED')) return undefined;
    // A store that is broken ends every watch at once.
    if (problem !== undefined) await this.#pause();
    return next;
  }

  async #pause(): Promise<void> {
    await this.#clock.sleep(retryMs, this.#stop.signal).catch(() => {});
  }

  /** Loads again until it works; undefined when the feed was closed meanwhile. */
  async #reload(): Promise<number | undefined> {
    while (!this.#stop.signal.aborted) {
      try {
        return await this.#load();
      } catch (err) {
        if (isKnownError(err, 'STORE_CLOSED')) {
          this.#stop.abort();
          return undefined;
        }
        if (isKnownError(err, 'STORE_CORRUPT')) this.#lose(err);
        this.#log.warn('the store cannot be read, trying again', { error: messageOf(err) });
        await this.#pause();
      }
    }
    return undefined;
  }

  /**
   * Nobody is to wait for changes of a store that may be another one now, nor to be shown what it held before: who watches is told at once, also who
   * was about to begin.
   */
  #lose(problem: KnownError): void {
    if (this.#problem) return;
    this.#problem = problem;
    for (const cache of this.#caches.values()) cache.reset(cache.range(), this.#revision + 1);
    this.#settle(true);
  }

  /** Why a watch ended by itself; undefined when it is worth another try at once. */
  async #probe(): Promise<unknown> {
    await nextTurn();
    return this.#store.revision().then(
      () => undefined,
      (err: unknown) => err,
    );
  }

  #take(batch: readonly StoreEvent[]): void {
    const at = this.#clock.monotonic();
    const changed = new Map<ResourceCache, CacheEvent[]>();
    for (const event of batch) {
      const cache = this.#cacheOf(eventKey(event));
      const seen = cache && this.#apply(cache, event, at);
      if (seen) append(changed, cache, seen);
    }
    this.#reached(batch.at(-1)?.revision ?? 0);
    for (const [cache, events] of changed) cache.dispatch(events);
  }

  #reached(revision: number): void {
    this.#revision = Math.max(this.#revision, revision);
    this.#settle(false);
  }

  /** Undefined when there is nothing to tell: it is known already, or the cache is just being loaded. */
  #apply(cache: ResourceCache, event: StoreEvent, at: number): CacheEvent | undefined {
    const joining = this.#joining.get(cache);
    if (joining) {
      joining.push(event);
      return undefined;
    }
    return event.kind === 'put' ? cache.put(CachedObject.ofWritten(event.record), at) : cache.delete(event.key, event.revision, at);
  }

  #settle(all: boolean): void {
    for (const waiter of this.#waiters) {
      if (!all && waiter.revision > this.#revision) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(waiter.revision <= this.#revision);
    }
  }

  /** `/registry/pods/default/web` → the cache of `pods`; also of names with a slash, such as `example.com/widgets`. */
  #cacheOf(key: string): ResourceCache | undefined {
    const start = registryPrefix.length;
    const slash = key.indexOf('/', start);
    if (slash < 0) return undefined;
    const found = this.#caches.get(key.slice(start, slash));
    if (found) return found;
    const second = key.indexOf('/', slash + 1);
    return second < 0 ? undefined : this.#caches.get(key.slice(start, second));
  }
}
