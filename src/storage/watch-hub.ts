/**
 * Serves watches. A watcher is a cursor into the event window, never a queue of its own: however slow a consumer is, it costs no
 * memory. One that fell out of the window reads on from the backend's history.
 */
import { KnownError } from '../errors/known-error.ts';
import type { EventWindow } from './event-window.ts';
import { inRange } from './key-order.ts';
import { eventKey, type StoreEvent } from './store.ts';

/** Events per batch at most, so that a replay does not hold the thread. */
const batchEvents = 512;

/** Events that are older than the window. */
export interface EventHistory {
  /** Events of the range from revision `from`, and the revision at which to go on (never above `to + 1`). Throws STORE_COMPACTED. */
  read(start: string, end: string, from: number, to: number): Promise<{ readonly events: readonly StoreEvent[]; readonly next: number }>;
}

interface Waiter {
  readonly start: string;
  readonly end: string;
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
      const mine = events.filter((event) => event.revision >= waiter.cursor && inRange(eventKey(event), waiter.start, waiter.end));
      waiter.cursor = Math.max(waiter.cursor, next);
      if (mine.length > 0) waiter.wake(mine);
    }
  }

  async *watch(
    start: string,
    end: string,
    fromRevision: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoreEvent[], void, undefined> {
    const waiter: Waiter = { start, end, cursor: fromRevision, wake() {} };
    const onAbort = (): void => waiter.wake([]);
    signal.addEventListener('abort', onAbort);
    try {
      while (!this.#closed && !signal.aborted) {
        if (waiter.cursor <= this.#window.floor) {
          if (!this.#history) throw compacted(waiter.cursor, this.#window.floor);
          const page = await this.#history.read(start, end, waiter.cursor, this.#window.floor);
          waiter.cursor = page.next;
          if (page.events.length > 0 && !signal.aborted) yield page.events;
          continue;
        }
        const batch = this.#window.collect(start, end, waiter.cursor, batchEvents);
        waiter.cursor = batch.next;
        const events = batch.events.length > 0 ? batch.events : await this.#wait(waiter);
        if (events.length > 0 && !signal.aborted) yield events;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
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

export function compacted(asked: number, floor: number): KnownError {
  return new KnownError('STORE_COMPACTED', `Cannot watch from revision ${asked}: events up to ${floor} have been compacted`, {
    hint: 'read the range again and watch from its revision',
  });
}
