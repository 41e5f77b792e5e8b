/**
 * A local copy of a resource, kept current by list and watch (client-go's SharedIndexInformer, without resync: handlers hear of changes alone). Objects in it belong to everybody who reads it: never
 * change one, copy it. Handlers run in order, one event at a time, after the copy has changed.
 */

import { objectKey } from '../api/object-key.ts';
import type { KubeObject, ResourceType } from '../api/resource-types.ts';
import { onAbort } from '../clock/aborted.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { type Log, silentLog } from '../observability/log.ts';
import type { Client } from './client.ts';
import { Indexer, type IndexFunc } from './indexer.ts';
import { Reflector, type ReflectorStore } from './reflector.ts';

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

export class Informer<T extends KubeObject = KubeObject> {
  readonly type: ResourceType<T>;
  /** Resolves once the first list is in, or when the signal aborts before that. */
  readonly synced: Promise<void>;
  readonly #log: Log;
  readonly #objects = new Indexer<T>();
  readonly #handlers: InformerHandlers<T>[] = [];
  readonly #markSynced: () => void;
  readonly #reflector: Reflector<T>;
  #hasSynced = false;
  #running: Promise<void> | undefined;

  constructor(client: Client, type: ResourceType<T>, options: InformerOptions = {}) {
    const { transform, clock = systemClock, log = silentLog, random = Math.random, ...selection } = options;
    this.type = type;
    this.#log = log;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
    const store: ReflectorStore<T> = {
      replace: (objects) => this.#replace(objects),
      put: (object) => this.#put(object),
      delete: (object) => this.#remove(objectKey(object), object),
    };
    const keep = transform as ((object: T) => T) | undefined;
    this.#reflector = new Reflector({ client, type, selection, store, transform: keep, clock, log, random });
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The resourceVersion of the newest thing seen. */
  get resourceVersion(): string {
    return this.#reflector.resourceVersion;
  }

  /** Milliseconds since the server was last heard: more than about a minute means that what is here may be old. */
  get ageMs(): number {
    return this.#reflector.ageMs;
  }

  /** `key` is `namespace/name`, or `name` for what has no namespace. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** All, or those of a namespace: the first who asks for one makes the index. */
  list(namespace?: string): T[] {
    if (!namespace) return this.#objects.list();
    return this.addIndex('namespace', namespaceOf).byIndex('namespace', namespace);
  }

  /** `valuesOf` gives the values under which an object is found by byIndex. */
  addIndex(name: string, valuesOf: IndexFunc<T>): this {
    this.#objects.addIndex(name, valuesOf);
    return this;
  }

  byIndex(name: string, value: string): T[] {
    return this.#objects.byIndex(name, value);
  }

  /** Handlers added late get an `add` for everything that is there. They hear nothing more once `signal` aborts. */
  on(handlers: InformerHandlers<T>, signal?: AbortSignal): this {
    this.#handlers.push(handlers);
    if (signal) onAbort(signal, () => this.#handlers.splice(this.#handlers.indexOf(handlers), 1));
    for (const object of this.#objects.list()) this.#call(() => handlers.add?.(object));
    if (this.#hasSynced) this.#call(() => handlers.synced?.());
    return this;
  }

  /** Lists and watches until the signal aborts; a second call joins the first. Resolves at the end. */
  start(signal: AbortSignal): Promise<void> {
    // Whoever waits for the first list ends too.
    this.#running ??= this.#reflector.run(signal).finally(() => this.#markSynced());
    return this.#running;
  }

  #replace(objects: readonly T[]): void {
    const gone = new Set(this.#objects.keys());
    for (const object of objects) {
      gone.delete(objectKey(object));
      this.#put(object);
    }
    for (const key of gone) this.#remove(key);
    if (this.#hasSynced) return;
    this.#hasSynced = true;
    for (const handlers of this.#handlers) this.#call(() => handlers.synced?.());
    this.#markSynced();
  }

  #put(object: T): void {
    const key = objectKey(object);
    const previous = this.#objects.get(key);
    const isSameObject = previous?.metadata.uid === object.metadata.uid;
    if (previous && isSameObject && previous.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.put(key, object);
    for (const handlers of this.#handlers) {
      // An object that was deleted and made anew between two lists is another one.
      if (previous && !isSameObject) this.#call(() => handlers.delete?.(previous));
      if (previous && isSameObject) this.#call(() => handlers.update?.(object, previous));
      else this.#call(() => handlers.add?.(object));
    }
  }

  #remove(key: string, last?: T): void {
    const previous = this.#objects.get(key);
    if (!previous) return;
    this.#objects.delete(key);
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

function namespaceOf({ metadata }: KubeObject): string[] {
  return [metadata.namespace ?? ''];
}
