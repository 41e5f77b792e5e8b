/**
 * All objects of one stored resource, sorted by key, and who watches them. Fed by `WatchFeed` in the order of revisions;
 * reads never wait and never touch the store.
 */
import { eventKey, type StoreEvent } from '../../storage/store.ts';
import { append } from './batches.ts';
import { CachedObject } from './cached-object.ts';
import { type CacheEvent, EventLog } from './event-log.ts';

/** Somebody who is told of changes. */
export interface CacheListener {
  /** Others may be told first. `hurry` comes before it says how far it is. */
  readonly mayWait?: boolean;
  /** Events of this resource, in order; `frames` of the events may be shared between listeners. */
  onEvents(events: readonly CacheEvent[]): void;
  /** The cache was read anew after a break: what happened in between is not known. `before` is what it held until then. */
  onReset(before: readonly CachedObject[]): void;
  /** The resource is no longer served. */
  onEnd?(): void;
}

/** A listener that only wants events where a field (before or after) has one value; see `listen`. */
interface FieldIndex {
  readonly valueOf: (object: CachedObject) => string;
  readonly listeners: Map<string, Set<CacheListener>>;
}

/**
 * Of those who may wait, so many are told in one round of the event loop. To write to a thousand watchers takes ten milliseconds, in which nothing that is
 * written leaves and no request is looked at.
 */
const perRound = 100;

export class ResourceCache {
  /** `/registry/pods/` */
  readonly prefix: string;
  /** While the objects are being loaded: resolves when they are here. */
  loaded: Promise<void> | undefined;
  #byKey = new Map<string, CachedObject>();
  #sorted: CachedObject[] = [];
  #log: EventLog;
  #listeners = new Set<CacheListener>();
  #indexes = new Map<string, FieldIndex>();
  /** What somebody has not been told yet, oldest first, and how many such events there were before it. */
  #untold: CacheEvent[] = [];
  #told = 0;
  /** Who waits, longest first, and how many events he had been told of, counted as `#told`. */
  readonly #waiting = new Map<CacheListener, number>();
  #awaitsRound = false;

  constructor(prefix: string, floor = 0) {
    this.prefix = prefix;
    this.#log = new EventLog(floor);
  }

  get size(): number {
    return this.#sorted.length;
  }

  /** Those who are told of every change, not only of one node's. */
  get broadListeners(): number {
    return this.#listeners.size;
  }

  get listenerCount(): number {
    let count = this.#listeners.size;
    for (const index of this.#indexes.values()) for (const set of index.listeners.values()) count += set.size;
    return count;
  }

  /** Events up to this revision are forgotten. */
  get floor(): number {
    return this.#log.floor;
  }

  get(key: string): CachedObject | undefined {
    return this.#byKey.get(key);
  }

  /** Objects whose key begins with `prefix` and is not less than `from`, in key order. A copy: what comes later does not change it. */
  range(prefix: string = this.prefix, from: string = prefix): CachedObject[] {
    const start = this.#position(from > prefix ? from : prefix);
    if (prefix === this.prefix) return this.#sorted.slice(start);
    let end = start;
    // Keys of the range are neighbours; a namespace is usually a small part.
    while (end < this.#sorted.length && this.#sorted[end]!.key.startsWith(prefix)) end++;
    return this.#sorted.slice(start, end);
  }

  /** `range` as it was at a revision; undefined when that is forgotten. */
  rangeAt(revision: number, prefix: string = this.prefix, from: string = prefix): CachedObject[] | undefined {
    const later = this.#log.after(revision);
    if (!later) return undefined;
    const now = this.range(prefix, from);
    if (later.length === 0) return now;
    const then = new Map<string, CachedObject | undefined>();
    for (const event of later) {
      const { key } = (event.current ?? event.previous)!;
      if (key < from || !key.startsWith(prefix) || then.has(key)) continue;
      // The oldest of the later events says what stood there before all of them.
      then.set(key, event.previous);
    }
    const out = now.filter((o) => !then.has(o.key));
    for (const o of then.values()) if (o) out.push(o);
    return out.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Events after a revision; undefined when they are forgotten. */
  eventsAfter(revision: number): readonly CacheEvent[] | undefined {
    return this.#log.after(revision);
  }

  /**
   * With `where`, only events whose object has (or had) that value in the field are delivered: with one watcher per node, a
   * change of a pod is looked at by one of them, not by all.
   */
  listen(
    listener: CacheListener,
    where?: { readonly field: string; readonly value: string; readonly valueOf: (object: CachedObject) => string },
  ): () => void {
    if (!where) {
      this.#listeners.add(listener);
      return () => {
        this.#listeners.delete(listener);
        this.#waiting.delete(listener);
      };
    }
    const index = this.#indexes.get(where.field) ?? { valueOf: where.valueOf, listeners: new Map<string, Set<CacheListener>>() };
    this.#indexes.set(where.field, index);
    const set = index.listeners.get(where.value) ?? new Set<CacheListener>();
    index.listeners.set(where.value, set);
    set.add(listener);
    return () => {
      // A watch ends twice: by its time, and when its connection closes. In between the next watch of the same node may have
      // begun; what it listens to must stay.
      if (!set.delete(listener) || set.size > 0) return;
      index.listeners.delete(where.value);
      if (index.listeners.size === 0) this.#indexes.delete(where.field);
    };
  }

  /** Starts over from what the store holds; listeners are told to start over too. Of what came after `floor` every event follows. */
  reset(objects: readonly CachedObject[], floor: number): void {
    this.#tell(this.#waiting.size);
    const before = this.#sorted;
    this.#sorted = objects.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    this.#byKey = new Map(objects.map((o) => [o.key, o]));
    this.#log = new EventLog(floor);
    for (const listener of this.#all()) listener.onReset(before);
  }

  /** Takes in what led to the objects of the `reset` just before, oldest first, so that a watch may begin there. */
  recall(past: readonly StoreEvent[], at: number): void {
    const latest = new Map<string, CachedObject>();
    for (const event of past) {
      const key = eventKey(event);
      const previous = event.previous && (latest.get(key) ?? CachedObject.of(event.previous));
      const now = this.#byKey.get(key);
      const current = event.kind === 'delete' ? undefined : now?.revision === event.revision ? now : CachedObject.of(event.record);
      if (current) latest.set(key, current);
      else latest.delete(key);
      this.#remember({ revision: event.revision, current, previous, at, frames: new Map() });
    }
  }

  /** Takes one change in, without telling anybody. Undefined when it is older than what is here. */
  put(object: CachedObject, at: number): CacheEvent | undefined {
    const previous = this.#byKey.get(object.key);
    if (previous && previous.revision >= object.revision) return undefined;
    this.#byKey.set(object.key, object);
    const position = this.#position(object.key);
    if (previous) this.#sorted[position] = object;
    else if (position === this.#sorted.length) this.#sorted.push(object);
    else this.#sorted.splice(position, 0, object);
    return this.#remember({ revision: object.revision, current: object, previous, at, frames: new Map() });
  }

  delete(key: string, revision: number, at: number): CacheEvent | undefined {
    const previous = this.#byKey.get(key);
    if (!previous || previous.revision >= revision) return undefined;
    this.#byKey.delete(key);
    this.#sorted.splice(this.#position(key), 1);
    return this.#remember({ revision, current: undefined, previous, at, frames: new Map() });
  }

  /** Tells the listeners that nothing comes any more. */
  end(): void {
    this.#tell(this.#waiting.size);
    for (const listener of this.#all()) listener.onEnd?.();
  }

  /** Tells the listeners; each gets the events that concern it in one call, who may wait together with those that came meanwhile. */
  dispatch(events: readonly CacheEvent[]): void {
    const end = this.#told + this.#untold.length;
    this.#untold.push(...events);
    for (const listener of this.#listeners)
      if (!listener.mayWait) listener.onEvents(events);
      else if (!this.#waiting.has(listener)) this.#waiting.set(listener, end);
    for (const index of this.#indexes.values()) this.#dispatchIndexed(index, events);
    // However many changes come in a round, it tells a hundred: the others' turn comes once they have waited longest.
    if (!this.#awaitsRound) this.#tellSome();
  }

  /** Tells a listener at once of what it waits for. */
  hurry(listener: CacheListener): void {
    const from = this.#waiting.get(listener);
    if (from === undefined) return;
    this.#waiting.delete(listener);
    listener.onEvents(this.#untold.slice(from - this.#told));
  }

  /** Lets go of what was encoded for one listener, of events that are not being told to others. */
  forgetFrames(events: readonly CacheEvent[]): void {
    const first = this.#untold[0]?.revision ?? Number.POSITIVE_INFINITY;
    for (const event of events) if (event.revision < first) event.frames.clear();
  }

  #tellSome(): void {
    this.#tell(perRound);
    if (this.#waiting.size === 0) return;
    this.#awaitsRound = true;
    setImmediate(() => {
      this.#awaitsRound = false;
      this.#tellSome();
    });
  }

  /** Tells the next ones of those who wait. */
  #tell(most: number): void {
    let count = most;
    let from = -1;
    let events: readonly CacheEvent[] = [];
    for (const [listener, told] of this.#waiting) {
      if (count-- === 0) break;
      this.#waiting.delete(listener);
      if (told !== from) events = this.#untold.slice(told - this.#told);
      from = told;
      try {
        listener.onEvents(events);
      } catch {
        // Nobody above would catch it in a later round. It has lost an event, and the list that it asks for then says what is wrong.
        listener.onReset([]);
      }
    }
    this.#settle();
  }

  /** What everybody has been told of is kept no longer. */
  #settle(): void {
    const [first = this.#told + this.#untold.length] = this.#waiting.values();
    for (const event of this.#untold.splice(0, first - this.#told)) event.frames.clear();
    this.#told = first;
  }

  /** Called now and then: protobuf that nobody asks for any more is let go. */
  age(): void {
    for (const object of this.#sorted) object.age();
  }

  #dispatchIndexed(index: FieldIndex, events: readonly CacheEvent[]): void {
    const due = new Map<CacheListener, CacheEvent[]>();
    for (const event of events) {
      for (const value of valuesOf(index, event)) {
        for (const listener of index.listeners.get(value) ?? []) append(due, listener, event);
      }
    }
    for (const [listener, list] of due) listener.onEvents(list);
  }

  #remember(event: CacheEvent): CacheEvent {
    this.#log.push(event);
    event.previous?.retire();
    return event;
  }

  #all(): CacheListener[] {
    const all = [...this.#listeners];
    for (const index of this.#indexes.values()) for (const set of index.listeners.values()) all.push(...set);
    return all;
  }

  /** Index of the first object whose key is not less. */
  #position(key: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]!.key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What the field was and is. */
function valuesOf(index: FieldIndex, { current, previous }: CacheEvent): ReadonlySet<string> {
  const values = new Set<string>();
  if (current) values.add(index.valueOf(current));
  if (previous) values.add(index.valueOf(previous));
  return values;
}
