/** Follows the two streams of events and puts them into the one order of their revisions. */
import type { StoreEvent } from '../store.ts';
import { keys } from './library.ts';
import { decodeEntry, type Entry, type KnownWrite } from './record.ts';
import { Unconfirmed } from './redis-error.ts';
import { blockMs, type Session } from './session.ts';

/** Entries of each stream that are read at once. */
const readEntries = 256;

export interface Follower {
  /** The events that come next, without a gap. */
  follow(events: readonly StoreEvent[], newest: KnownWrite): void;
  /** What happened up to `revision` has been missed. */
  miss(revision: number): void;
}

type Streams = readonly [name: Buffer, entries: readonly [Buffer, readonly Buffer[]][]][] | null;

export class Tail {
  readonly #follower: Follower;
  /** Up to here everything was handed on. */
  #position: number;

  constructor(position: number, follower: Follower) {
    this.#position = position;
    this.#follower = follower;
  }

  get position(): number {
    return this.#position;
  }

  /** Until the session ends: gives or throws then. */
  async run(session: Session): Promise<void> {
    const order = new Order(this.#position);
    const last: Record<string, number> = { [keys.log]: this.#position, [keys.recent]: this.#position };
    let block: number | undefined = blockMs;
    while (!session.isOver) {
      const entries = await read(session, last, block);
      await confirmed(session, Math.max(0, ...entries.map(({ entry }) => entry.revision)));
      if (session.isOver) return;
      for (const { stream, entry } of entries) {
        last[stream] = entry.revision;
        order.add(entry);
      }
      // A call that blocked is answered by one stream alone: what is missing is in the other one, or nowhere.
      const whole: boolean = block === undefined;
      block = this.#handOn(order, whole) ? blockMs : undefined;
    }
  }

  /** False when there are entries, but not the next one. */
  #handOn(order: Order, whole: boolean): boolean {
    if (whole && order.isStuck) this.#miss(order.skip());
    const next = order.take();
    const jump = next.findLast((entry) => entry.event === undefined);
    if (jump) this.#miss(jump.revision);
    const events = next.filter((entry) => entry.event !== undefined && entry.revision > this.#position);
    const newest = next.at(-1);
    if (newest) {
      this.#position = newest.revision;
      this.#follower.follow(
        events.map((entry) => entry.event!),
        newest,
      );
    }
    return !order.isStuck;
  }

  #miss(revision: number): void {
    this.#position = revision;
    this.#follower.miss(revision);
  }
}

/** Nobody hears of a write that could still be lost. */
async function confirmed(session: Session, revision: number): Promise<void> {
  while (!session.isOver) {
    try {
      await session.reach(revision);
      return;
    } catch (err) {
      if (!(err instanceof Unconfirmed)) throw err;
    }
  }
}

async function read(
  session: Session,
  last: Readonly<Record<string, number>>,
  block: number | undefined,
): Promise<{ readonly stream: string; readonly entry: Entry }[]> {
  const names = Object.keys(last);
  const ids = Object.values(last).map((revision) => `${revision}-0`);
  const blocking = block === undefined ? [] : ['BLOCK', String(block)];
  const words = ['COUNT', String(readEntries), ...blocking, 'STREAMS', ...names, ...ids];
  const streams = (await session.tail.callBuffer('XREAD', ...words)) as Streams;
  return (streams ?? []).flatMap(([name, entries]) => entries.map((entry) => ({ stream: name.toString(), entry: decodeEntry(entry) })));
}

/** Entries by revision, given out without gaps. */
class Order {
  readonly #entries = new Map<number, Entry>();
  #next: number;

  constructor(position: number) {
    this.#next = position + 1;
  }

  add(entry: Entry): void {
    this.#entries.set(entry.revision, entry);
  }

  get isStuck(): boolean {
    return this.#entries.size > 0 && !this.#entries.has(this.#next);
  }

  take(): Entry[] {
    const taken: Entry[] = [];
    for (let entry = this.#entries.get(this.#next); entry; entry = this.#entries.get(this.#next)) {
      taken.push(entry);
      this.#entries.delete(this.#next++);
    }
    return taken;
  }

  /** Goes on with the oldest entry that is there; gives the revision before it. */
  skip(): number {
    this.#next = Math.min(...this.#entries.keys());
    return this.#next - 1;
  }
}
