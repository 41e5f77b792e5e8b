/**
 * One watch: what it wants, and what came and was not taken yet. Only so much is kept: a watcher that is full asks for no more, and reads
 * on from etcd's history when its events were taken.
 */
import { inRange } from '../key-order.ts';
import { Compacted, eventKey, type StoreEvent } from '../store.ts';
import type { KeyRange } from './key-space.ts';
import type { Message } from './messages.ts';

const maxEvents = 4_096;
const maxBytes = 16 << 20;

export interface Watched {
  /** The range of the store. */
  readonly start: string;
  readonly end: string;
  /** The range of etcd's keys, perhaps with the fence. */
  readonly range: KeyRange;
  readonly from: number;
  readonly until: number;
  /** Makes an event of etcd's. */
  event(message: Message<'Event'>): StoreEvent;
  /** Whether what was before this event counts as compacted. */
  isJump?(message: Message<'Event'>): boolean;
  /** Sees to an event that comes after a revision of which etcd says that it has come so far. Where there is none, its word is taken. */
  confirm?(revision: number): void;
}

/** Events, and the revision up to which there are no others. */
export interface Batch {
  readonly events: readonly StoreEvent[];
  readonly revision: number;
}

export class Watcher {
  readonly range: KeyRange;
  readonly #watched: Watched;
  /** Events from this revision on have not come yet. */
  #next: number;
  #told: number;
  #events: StoreEvent[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  #ended = false;
  #problem: unknown;

  constructor(watched: Watched) {
    this.#watched = watched;
    this.range = watched.range;
    this.#next = watched.from;
    this.#told = watched.from - 1;
    this.#endIfThere();
  }

  get next(): number {
    return this.#next;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  get isFull(): boolean {
    return this.#events.length >= maxEvents || this.#bytes >= maxBytes;
  }

  /** Takes the events of one answer, in order. */
  push(messages: readonly Message<'Event'>[]): void {
    if (this.#ended) return;
    const { start, end, until, isJump } = this.#watched;
    let newest = this.#next - 1;
    for (const message of messages) {
      const revision = message.kv!.modRevision;
      if (revision < this.#next || revision > until) {
        newest = Math.max(newest, Math.min(revision, until));
        continue;
      }
      if (isJump?.(message)) {
        this.end(new Compacted(this.#next, revision));
        return;
      }
      newest = revision;
      const event = this.#watched.event(message);
      if (!inRange(eventKey(event), start, end)) continue;
      this.#events.push(event);
      this.#bytes += (message.kv?.value.length ?? 0) + (message.prevKv?.value.length ?? 0);
    }
    this.reached(newest);
  }

  /** etcd says, and nobody can look it up, that it has come to `revision`. */
  notice(revision: number): void {
    if (this.#watched.confirm) this.#watched.confirm(revision);
    else this.reached(revision);
  }

  /** No event up to `revision` is to come any more. */
  reached(revision: number): void {
    if (this.#ended || revision < this.#next) return;
    this.#next = revision + 1;
    this.#endIfThere();
    this.#wake?.();
  }

  #endIfThere(): void {
    if (this.#next > this.#watched.until) this.#ended = true;
  }

  /** Ends it: after the events that are here, or with a problem. */
  end(problem?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#problem = problem;
    this.#wake?.();
  }

  /** What came since the last call; waits for something. Undefined when the watch is over. Throws its problem. */
  async take(): Promise<Batch | undefined> {
    while (this.#events.length === 0 && this.#next - 1 <= this.#told) {
      if (this.#problem !== undefined) throw this.#problem;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    const events = this.#events;
    this.#events = [];
    this.#bytes = 0;
    this.#told = this.#next - 1;
    return { events, revision: this.#told };
  }
}
