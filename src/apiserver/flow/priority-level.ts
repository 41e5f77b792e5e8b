/** The seats of one level, and who waits for one: a queue for each flow, served in turns. */
import type { Clock } from '../../clock/clock.ts';
import { type StatusError, tooManyRequests } from '../status/status-error.ts';
import { FairQueue } from './fair-queue.ts';
import type { LevelRow } from './levels.ts';
import type { Pace } from './pace.ts';

/** As upstream: a quarter of the time that a request may take. */
const patienceMs = 15_000;
/** Seconds after which a client that was sent away may come back. */
const retryAfter = 1;

/** A place among the requests under way. */
export interface Seat {
  /** Gives it to the next. To leave twice is to leave once. */
  leave(): void;
}

interface Waiting {
  readonly flow: string;
  readonly width: number;
  readonly sit: (seat: Seat) => void;
  readonly timer: { cancel(): void };
}

export type Rejection = 'queue-full' | 'time-out' | 'concurrency-limit';

export class PriorityLevel {
  readonly row: LevelRow;
  readonly seats: number;
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #onReject: (flow: string, why: Rejection) => void;
  readonly #queue = new FairQueue<Waiting>();
  #taken = 0;
  #awaitsRound = false;

  constructor(row: LevelRow, seats: number, options: { clock: Clock; pace: Pace; onReject: (flow: string, why: Rejection) => void }) {
    this.row = row;
    this.seats = seats;
    this.#clock = options.clock;
    this.#pace = options.pace;
    this.#onReject = options.onReject;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** `width` is how many seats the request fills. Throws 429 at once when too many of the flow wait, and later when it waits too long. */
  enter(flow: string, width = 1): Seat | Promise<Seat> {
    const wide = Math.min(width, this.seats);
    if (this.#queue.size === 0 && this.#hasRoom(wide) && this.#mayBegin()) return this.#seat(wide);
    if (this.#queue.lengthOf(flow) >= this.row.queueLength) throw this.#rejected(flow, 'queue-full');
    return new Promise((sit, reject) => {
      const timer = this.#clock.after(patienceMs, () => {
        if (this.#queue.remove(flow, waiting)) reject(this.#rejected(flow, 'time-out'));
      });
      const waiting: Waiting = { flow, width: wide, sit, timer };
      this.#queue.push(flow, waiting);
      this.#next();
    });
  }

  #hasRoom(width: number): boolean {
    return this.#taken + width <= this.seats;
  }

  #mayBegin(): boolean {
    return !this.row.paced || this.#pace.mayBegin();
  }

  #seat(width: number): Seat {
    this.#taken += width;
    let left = false;
    return {
      leave: () => {
        if (left) return;
        left = true;
        this.#taken -= width;
        this.#next();
      },
    };
  }

  /** A paced level begins one request of its queue in each round. */
  #next(): void {
    if (this.#awaitsRound) return;
    for (let head = this.#queue.peek(); head && this.#hasRoom(head.width); head = this.#queue.peek()) {
      if (this.row.paced) {
        this.#awaitsRound = true;
        this.#pace.later(() => {
          this.#awaitsRound = false;
          this.#begin();
          this.#next();
        });
        return;
      }
      this.#begin();
    }
  }

  #begin(): void {
    const head = this.#queue.peek();
    if (!head || !this.#hasRoom(head.width)) return;
    this.#queue.shift();
    head.timer.cancel();
    head.sit(this.#seat(head.width));
  }

  #rejected(flow: string, why: Rejection): StatusError {
    this.#onReject(flow, why);
    return tooManyRequests('Too many requests, please try again later.', retryAfter);
  }
}
