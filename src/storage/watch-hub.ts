/**
 * Serves watches. A watcher is a cursor into the event window, never a queue of its own: however slow a consumer is, it costs no
 * memory. One that fell out of the window reads on from the backend's history.
 */

import { onAbort } from '../clock/aborted.ts';
import type { EventWindow } from './event-window.ts';
import { inRange } from './key-order.ts';
import { Compacted, eventKey, type StoreEvent, type WatchOptions } from './store.ts';

/** Events per batch at most, so that a replay does not hold the thread. */
const batchEvents = 512;

/** Events that are older than the window. */
export interface EventHistory {
  /** Events of the range from revision `from`, and the revision at which to go on (never above `to + 1`). Throws `Compacted`. */
  read(start: string, end: string, from: number, to: number): Promise<{ readonly events: readonly StoreEvent[]; readonly next: number }>;
}

interface Waiter {
  readonly start: string;
  readonly end: string;
  readonly until: number;
  cursor: number;
  wake(events: readonly StoreEvent[]): void;
}

export class WatchHub {
  readonly #window: EventWindow;
  readonly #history: EventHistory | undefined;
  readonly #waiters = new Set<Waiter>();
  #closed = false;

  constructor(window: EventWindow, history?: EventHistory) {
    this.#window = window;
    this.#history = history;
  }

  /** Puts the events of one commit, in order, into the window and hands them to whoever waits for them. */
  publish(events: readonly StoreEvent[]): void {
    if (events.length === 0) return;
    for (const event of events) this.#window.push(event);
    const next = events[events.length - 1]!.revision + 1;
    for (const waiter of this.#waiters) {
      const { start, end, cursor, until } = waiter;
      const mine = events.filter((event) => event.revision >= cursor && event.revision <= until && inRange(eventKey(event), start, end));
      waiter.cursor = Math.max(cursor, next);
      if (mine.length > 0 || next > until) waiter.wake(mine);
    }
  }

  /** Events up to `revision` were missed: whoever waits for one of them asks the history, which may throw. */
  miss(revision: number): void {
    this.#window.reset(revision);
    for (const waiter of this.#waiters) waiter.wake([]);
  }

  async *watch(
    start: string,
    end: string,
    fromRevision: number,
    { signal, until = Number.POSITIVE_INFINITY }: WatchOptions,
  ): AsyncGenerator<readonly StoreEvent[], void, undefined> {
    const waiter: Waiter = { start, end, until, cursor: fromRevision, wake() {} };
    using _ = onAbort(signal, () => waiter.wake([]));
    while (waiter.cursor <= until && !this.#closed && !signal.aborted) {
      const events = await this.#next(waiter);
      if (events.length > 0 && !signal.aborted) yield events;
    }
  }

  /** Moves the cursor on, and gives the events that it passed: past ones, or the next to come. May be none. */
  async #next(waiter: Waiter): Promise<readonly StoreEvent[]> {
    const { start, end, cursor, until } = waiter;
    const { floor } = this.#window;
    if (cursor <= floor) {
      if (!this.#history) throw new Compacted(cursor, floor);
      const page = await this.#history.read(start, end, cursor, Math.min(floor, until));
      waiter.cursor = page.next;
      return page.events;
    }
    const batch = this.#window.collect(start, end, cursor, until, batchEvents);
    waiter.cursor = batch.next;
    return batch.events.length > 0 || batch.next > until ? batch.events : this.#wait(waiter);
  }

  /** Ends every watch. */
  close(): void {
    this.#closed = true;
    for (const waiter of this.#waiters) waiter.wake([]);
  }

  #wait(waiter: Waiter): Promise<readonly StoreEvent[]> {
    return new Promise((resolve) => {
      waiter.wake = (events) => {
        waiter.wake = () => {};
        this.#waiters.delete(waiter);
        resolve(events);
      };
      this.#waiters.add(waiter);
    });
  }
}
