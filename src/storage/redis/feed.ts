/** The events of the store as this server has them: the newest in memory for watches, older ones read from the stream. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventWindow } from '../event-window.ts';
import { inRange } from '../key-order.ts';
import { Compacted, eventKey, prefixEnd, type StoreEvent, type WatchOptions } from '../store.ts';
import { type EventHistory, WatchHub } from '../watch-hub.ts';
import { keys } from './library.ts';
import { decodeEntry, type KnownWrite } from './record.ts';
import type { Session } from './session.ts';
import { Tail } from './tail.ts';

/** Past events that are read at once. */
const historyPage = 128;
const windowEvents = 8_192;
const windowBytes = 8 << 20;
/** How long the events of a revision are waited for that Redis has reached already. */
const reachMs = 5_000;

export interface FeedOptions {
  /** The store's revision when it was opened. */
  readonly revision: number;
  readonly withoutHistory: readonly string[];
  /** Reads, on whatever session there is. */
  read<T>(what: (session: Session) => Promise<T>): Promise<T>;
  /** Hears of the newest write that was seen. */
  note(write: KnownWrite): void;
}

export class Feed implements EventHistory {
  readonly #options: FeedOptions;
  readonly #window: EventWindow;
  readonly #hub: WatchHub;
  readonly #tail: Tail;
  readonly #waiters = new Set<{ readonly revision: number; wake(): void }>();

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#window = new EventWindow(options.revision, { maxEvents: windowEvents, maxBytes: windowBytes });
    this.#hub = new WatchHub(this.#window, this);
    this.#tail = new Tail(options.revision, {
      follow: (events, newest) => {
        options.note(newest);
        this.#hub.publish(events);
        this.#wake();
      },
      miss: (revision) => {
        this.#hub.miss(revision);
        this.#wake();
      },
    });
  }

  /** Follows the events for as long as a session lasts. */
  follow(session: Session): void {
    this.#tail.run(session).catch((err: unknown) => session.end(err));
  }

  watch(start: string, end: string, fromRevision: number, options: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    return this.#hub.watch(start, end, fromRevision, options);
  }

  /** True once every event up to the revision is here, false when they do not come soon. */
  async reach(revision: number): Promise<boolean> {
    if (this.#tail.position >= revision) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { revision, wake: resolve };
    this.#waiters.add(waiter);
    await Promise.race([promise, sleep(reachMs, undefined, { ref: false })]);
    this.#waiters.delete(waiter);
    return this.#tail.position >= revision;
  }

  /** Events up to the revision were compacted. */
  async drop(revision: number): Promise<void> {
    await this.reach(revision);
    this.#window.drop(revision);
  }

  /** Every event of the range after one revision and up to another; undefined when the memory does not hold them all. */
  async between(start: string, end: string, after: number, to: number): Promise<readonly StoreEvent[] | undefined> {
    if (!(await this.reach(to)) || after < this.#window.floor) return undefined;
    return this.#window.collect(start, end, after + 1, to, Number.POSITIVE_INFINITY).events;
  }

  async read(
    start: string,
    end: string,
    from: number,
    to: number,
  ): Promise<{ readonly events: readonly StoreEvent[]; readonly next: number }> {
    if (this.#options.withoutHistory.some((prefix) => start < prefixEnd(prefix) && prefix < end)) throw new Compacted(from, to);
    // The floor is read last: what was trimmed since is then not missed, but asked for in vain.
    const [found, floor] = await this.#options.read(async ({ reads }) =>
      Promise.all([reads.xrangeBuffer(keys.log, `${from}-0`, `${to}-0`, 'COUNT', historyPage), reads.hget(keys.meta, 'compacted')]),
    );
    if (from <= Number(floor)) throw new Compacted(from, Number(floor));
    const entries = found.map(decodeEntry);
    const events = entries.flatMap(({ event }) => event ?? []).filter((event) => inRange(eventKey(event), start, end));
    return { events, next: entries.length < historyPage ? to + 1 : entries.at(-1)!.revision + 1 };
  }

  close(): void {
    this.#hub.close();
  }

  #wake(): void {
    for (const waiter of this.#waiters) if (waiter.revision <= this.#tail.position) waiter.wake();
  }
}
