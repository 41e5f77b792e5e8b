/** The newest events, in memory and bounded. Each revision is exactly one event, so the event of a revision is found by subtraction. */
import { inRange } from './key-order.ts';
import { eventKey, type StoreEvent } from './store.ts';

/** About how many bytes an event takes besides its values. */
const eventOverhead = 200;

export class EventWindow {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  #events: (StoreEvent | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #floor: number;

  /** `floor` is the store's revision now: the window will hold the events after it. */
  constructor(floor: number, limits: { readonly maxEvents: number; readonly maxBytes: number }) {
    this.#floor = floor;
    this.#maxEvents = limits.maxEvents;
    this.#maxBytes = limits.maxBytes;
  }

  /** Events up to this revision are no longer here. */
  get floor(): number {
    return this.#floor;
  }

  get newest(): number {
    return this.#floor + this.#events.length - this.#head;
  }

  push(event: StoreEvent): void {
    this.#events.push(event);
    this.#bytes += sizeOf(event);
    while (this.#events.length - this.#head > this.#maxEvents || (this.#bytes > this.#maxBytes && this.#floor < event.revision - 1))
      this.#shift();
  }

  /** Drops every event up to `revision`. */
  drop(revision: number): void {
    while (this.#floor < revision && this.#head < this.#events.length) this.#shift();
  }

  /** Begins anew behind `revision`: events up to there were missed. */
  reset(revision: number): void {
    this.#events = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#floor = revision;
  }

  /** Up to `limit` events of the range from revision `from` to `to`, and the revision at which to go on. `from` must lie above the floor. */
  collect(start: string, end: string, from: number, to: number, limit: number): { readonly events: StoreEvent[]; readonly next: number } {
    const events: StoreEvent[] = [];
    const last = Math.min(to, this.newest);
    let next = from;
    while (next <= last && events.length < limit) {
      const event = this.#events[this.#head + next - this.#floor - 1]!;
      if (inRange(eventKey(event), start, end)) events.push(event);
      next++;
    }
    return { events, next };
  }

  #shift(): void {
    this.#bytes -= sizeOf(this.#events[this.#head]!);
    this.#events[this.#head++] = undefined;
    this.#floor++;
    // Moving the rest down once half is empty keeps the array bounded at a constant cost per event.
    if (this.#head > 64 && this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
  }
}

function sizeOf(event: StoreEvent): number {
  return eventOverhead + (event.kind === 'put' ? event.record.value.length : 0) + (event.previous?.value.length ?? 0);
}
