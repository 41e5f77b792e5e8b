/**
 * The recent changes of one resource, so that a watch can start in the past and a list can show an older moment. Bounded by
 * number, bytes and age; what falls out is answered with 410, and the client lists again.
 */
import type { CachedObject } from './cached-object.ts';

export interface CacheEvent {
  readonly revision: number;
  /** Undefined when it was deleted. */
  readonly current: CachedObject | undefined;
  /** What stood there before; undefined when it was created. */
  readonly previous: CachedObject | undefined;
  /** Milliseconds, of a clock that never jumps. */
  readonly at: number;
  /** Encoded for the wire, shared by all watchers; emptied when the event has gone out. */
  readonly frames: Map<string, Buffer>;
}

interface EventLogLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Younger events are kept within the two limits above, older ones only up to `minEvents`. */
  readonly maxAgeMs: number;
  readonly minEvents: number;
}

export const defaultLimits: EventLogLimits = { maxEvents: 20_000, maxBytes: 16 << 20, maxAgeMs: 5 * 60_000, minEvents: 100 };

export class EventLog {
  readonly #limits: EventLogLimits;
  /** A queue: taken from `#head` on, moved to the front now and then. */
  #events: CacheEvent[] = [];
  #head = 0;
  #bytes = 0;
  /** Every event after this revision is here. */
  #floor: number;

  constructor(floor: number, limits: EventLogLimits = defaultLimits) {
    this.#floor = floor;
    this.#limits = limits;
  }

  get floor(): number {
    return this.#floor;
  }

  get size(): number {
    return this.#events.length - this.#head;
  }

  push(event: CacheEvent): void {
    this.#events.push(event);
    this.#bytes += weight(event);
    const { maxEvents, maxBytes, maxAgeMs, minEvents } = this.#limits;
    const old = event.at - maxAgeMs;
    while (this.size > 1) {
      const first = this.#events[this.#head]!;
      const tooMany = this.size > maxEvents || this.#bytes > maxBytes;
      if (!tooMany && !(this.size > minEvents && first.at < old)) break;
      this.#floor = first.revision;
      this.#bytes -= weight(first);
      this.#head++;
    }
    if (this.#head > 1024 && this.#head > this.#events.length / 2) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Events with a greater revision, oldest first; undefined when the log no longer reaches back that far. */
  after(revision: number): readonly CacheEvent[] | undefined {
    if (revision < this.#floor) return undefined;
    let low = this.#head;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle]!.revision > revision) high = middle;
      else low = middle + 1;
    }
    return this.#events.slice(low);
  }
}

/** What an event holds that the cache of current objects does not: the content it replaced. */
function weight(event: CacheEvent): number {
  return (event.previous?.bytes.length ?? 0) + 300;
}
