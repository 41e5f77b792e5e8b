/**
 * A local copy of a resource, kept current by list and watch. Objects in it belong to everybody who reads it: never
 * change one, copy it. Handlers run in order, one event at a time, after the copy has changed.
 */

import { objectKey } from '../api/object-key.ts';
import type { KubeObject, ResourceType } from '../api/resource-types.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { isKnownError, messageOf } from '../errors/known-error.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { ApiError } from './api-error.ts';
import type { Client, WatchEvent } from './client.ts';
import { WatchPulse } from './watch-pulse.ts';

export interface InformerOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** What is kept of an object: leaving out what nobody reads saves memory. Keeps apiVersion, kind and metadata's name, uid and resourceVersion. */
  readonly transform?: (object: never) => KubeObject;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Between 0 and 1; spreads relists of many clients. */
  readonly random?: () => number;
}

export interface InformerHandlers<T> {
  add?(object: T): void;
  update?(object: T, previous: T): void;
  delete?(object: T): void;
  /** The first list is in. */
  synced?(): void;
}

/** How long one watch lasts before the informer opens a new one. */
const watchSeconds = 300;
const firstDelayMs = 100;
const maxDelayMs = 30_000;
/** An attempt that nobody answers burdens nobody, and a server that is back is waited for by everybody. */
const maxAbsenceDelayMs = 3_000;
const worthSayingMs = 3_000;
/** A watch that the server ends sooner, without a word, is opened again only after a delay. */
const shortWatchMs = 1_000;
const none: ReadonlySet<string> = new Set();

interface Index<T> {
  readonly keysOf: (object: T) => readonly string[];
  readonly byValue: Map<string, Set<string>>;
}

export class Informer<T extends KubeObject = KubeObject> {
  readonly type: ResourceType<T>;
  /** Resolves once the first list is in, or when the signal aborts before that. */
  readonly synced: Promise<void>;
  readonly #client: Client;
  readonly #options: InformerOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #objects = new Map<string, T>();
  readonly #indices = new Map<string, Index<T>>();
  readonly #handlers: InformerHandlers<T>[] = [];
  readonly #markSynced: () => void;
  readonly #pulse: WatchPulse;
  #hasSynced = false;
  #running: Promise<void> | undefined;
  #resourceVersion = '';

  constructor(client: Client, type: ResourceType<T>, options: InformerOptions = {}) {
    this.type = type;
    this.#client = client;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#pulse = new WatchPulse(this.#clock);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The resourceVersion of the newest thing seen. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /** Milliseconds since the server was last heard: more than about a minute means that what is here may be old. */
  get ageMs(): number {
    return this.#pulse.ageMs;
  }

  /** `key` is `namespace/name`, or `name` for what has no namespace. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): T[] {
    const all = [...this.#objects.values()];
    return namespace ? all.filter((o) => o.metadata.namespace === namespace) : all;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** `keysOf` gives the values under which an object is found by byIndex. */
  addIndex(name: string, keysOf: (object: T) => readonly string[]): this {
    if (this.#indices.has(name)) return this;
    const index: Index<T> = { keysOf, byValue: new Map() };
    this.#indices.set(name, index);
    for (const [key, object] of this.#objects) addToIndex(index, key, object);
    return this;
  }

  byIndex(name: string, value: string): T[] {
    const keys = this.#indices.get(name)?.byValue.get(value) ?? none;
    const found: T[] = [];
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object) found.push(object);
    }
    return found;
  }

  /** Handlers added late get an `add` for everything that is there. */
  on(handlers: InformerHandlers<T>): this {
    this.#handlers.push(handlers);
    for (const object of this.#objects.values()) this.#call(() => handlers.add?.(object));
    if (this.#hasSynced) this.#call(() => handlers.synced?.());
    return this;
  }

  /** Lists and watches until the signal aborts; a second call joins the first. Resolves at the end. */
  start(signal: AbortSignal): Promise<void> {
    this.#running ??= this.#run(signal);
    return this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let delay = firstDelayMs;
    let listed = false;
    let said = '';
    let isAway = false;
    while (!signal.aborted) {
      let since = Number.POSITIVE_INFINITY;
      try {
        if (!listed) {
          await this.#list(signal);
          listed = true;
        }
        since = this.#clock.monotonic();
        let events = 0;
        await this.#watch(signal, () => {
          events++;
          delay = firstDelayMs;
          said = '';
        });
        if (events === 0 && !signal.aborted && this.#clock.monotonic() - since < shortWatchMs) throw new Error('it ended at once');
      } catch (err) {
        if (signal.aborted) break;
        // A watch that worked for a while and broke off, without events perhaps, is no sign of trouble that lasts; a late refusal is.
        if (!(err instanceof ApiError) && this.#clock.monotonic() - since >= shortWatchMs) delay = firstDelayMs;
        // What a server says that could not be reached before is about now, most often that it was started anew and knows no past.
        if (isAway && err instanceof ApiError) delay = firstDelayMs;
        isAway = isKnownError(err, 'API_UNREACHABLE');
        // Too old (410), or from the future of a server that lost its data: only a new list helps. Overload is not cured by one.
        if (err instanceof ApiError && err.code !== 429 && err.code !== 503) listed = false;
        const why = messageOf(err);
        // Most trouble is over before a person has read of it; an API server that has just been started even refuses what it allows.
        const isNews = delay >= worthSayingMs && why !== said;
        this.#log[isNews ? 'warn' : 'debug'](`Cannot watch ${this.type.resource}: ${why}`, { resource: this.type.resource });
        if (isNews) said = why;
        const random = this.#options.random ?? Math.random;
        await this.#clock.sleep(delay * (0.5 + random()), signal).catch(() => {});
        delay = Math.min(delay * 2, isAway ? maxAbsenceDelayMs : maxDelayMs);
      }
    }
    // Whoever waits for the first list ends too.
    this.#markSynced();
  }

  #selection(): Pick<InformerOptions, 'namespace' | 'labelSelector' | 'fieldSelector'> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }

  async #list(signal: AbortSignal): Promise<void> {
    // "0" is whatever the server has in memory; after a watch fell behind only the newest will do.
    const { items, resourceVersion } = await this.#client.list(this.type, {
      ...this.#selection(),
      resourceVersion: this.#hasSynced ? '' : '0',
      signal,
    });
    this.#pulse.opened();
    const gone = new Set(this.#objects.keys());
    for (const item of items) {
      gone.delete(objectKey(item));
      this.#put(item);
    }
    for (const key of gone) this.#remove(key, this.#objects.get(key));
    this.#resourceVersion = resourceVersion;
    if (!this.#hasSynced) {
      this.#hasSynced = true;
      for (const handlers of this.#handlers) this.#call(() => handlers.synced?.());
      this.#markSynced();
    }
  }

  async #watch(signal: AbortSignal, onEvent: () => void): Promise<void> {
    const random = this.#options.random ?? Math.random;
    const silence = new AbortController();
    const guard = this.#pulse.guard(() => silence.abort());
    const events = this.#client.watch(this.type, {
      ...this.#selection(),
      resourceVersion: this.#resourceVersion,
      timeoutSeconds: Math.round(watchSeconds * (1 + random())),
      signal: AbortSignal.any([signal, silence.signal]),
      onOpen: () => this.#pulse.opened(),
    });
    try {
      await this.#follow(events, onEvent);
    } catch (err) {
      if (!silence.signal.aborted) throw err;
    } finally {
      guard.cancel();
    }
    if (!silence.signal.aborted || signal.aborted) return;
    const why = `nothing came for ${Math.round(this.#pulse.ageMs / 1000)} s, not even a bookmark`;
    if (this.#pulse.isKnown) this.#log.warn(`The watch of ${this.type.resource} had died: ${why}`, { resource: this.type.resource });
    throw new Error(why);
  }

  async #follow(events: AsyncIterable<WatchEvent<T>>, onEvent: () => void): Promise<void> {
    for await (const { type, object } of events) {
      onEvent();
      this.#pulse.event(type === 'BOOKMARK');
      if (object.metadata.resourceVersion) this.#resourceVersion = object.metadata.resourceVersion;
      if (type === 'DELETED') this.#remove(objectKey(object), object);
      else if (type !== 'BOOKMARK') this.#put(object);
    }
  }

  #put(whole: T): void {
    const key = objectKey(whole);
    const previous = this.#objects.get(key);
    if (previous?.metadata.resourceVersion === whole.metadata.resourceVersion && previous?.metadata.uid === whole.metadata.uid) return;
    const { transform } = this.#options;
    const object = transform ? (transform(whole as never) as T) : whole;
    this.#objects.set(key, object);
    for (const index of this.#indices.values()) {
      if (previous) removeFromIndex(index, key, previous);
      addToIndex(index, key, object);
    }
    // An object that was deleted and made anew between two lists is another one.
    const replaced = previous !== undefined && previous.metadata.uid !== object.metadata.uid;
    for (const handlers of this.#handlers) {
      if (replaced) this.#call(() => handlers.delete?.(previous));
      if (previous && !replaced) this.#call(() => handlers.update?.(object, previous));
      else this.#call(() => handlers.add?.(object));
    }
  }

  #remove(key: string, last: T | undefined): void {
    const previous = this.#objects.get(key);
    if (!previous) return;
    this.#objects.delete(key);
    for (const index of this.#indices.values()) removeFromIndex(index, key, previous);
    for (const handlers of this.#handlers) this.#call(() => handlers.delete?.(last ?? previous));
  }

  /** A handler that throws must not end the watch for the others. */
  #call(fn: () => void): void {
    try {
      fn();
    } catch (err) {
      this.#log.error(`A handler of ${this.type.resource} failed: ${messageOf(err)}`, { err });
    }
  }
}

function addToIndex<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.keysOf(object)) {
    const keys = index.byValue.get(value);
    if (keys) keys.add(key);
    else index.byValue.set(value, new Set([key]));
  }
}

function removeFromIndex<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.keysOf(object)) {
    const keys = index.byValue.get(value);
    keys?.delete(key);
    if (keys?.size === 0) index.byValue.delete(value);
  }
}
