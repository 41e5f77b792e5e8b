/**
 * Whose turn it is: every request is of a flow of a level (`levels.ts`), takes a seat there, and waits for one in its flow's queue. As
 * API Priority and Fairness (KEP-1040) does it, in one thread and with the suggested configuration; levels lend each other no seats.
 */
import type { Clock } from '../../clock/clock.ts';
import { tooManyRequests } from '../status/status-error.ts';
import { Allowance, type AllowanceLimits } from './allowance.ts';
import { type Flow, type LevelName, levelRows } from './levels.ts';
import { Pace } from './pace.ts';
import { PriorityLevel, type Rejection, type Seat } from './priority-level.ts';

export interface Inflight {
  /** As --max-requests-inflight and --max-mutating-requests-inflight: their sum is shared out among the levels. */
  readonly requests: number;
  readonly mutating: number;
}

const defaultInflight: Inflight = { requests: 400, mutating: 200 };

interface FlowLimits {
  /** Bytes: a body is in memory from its first byte to its answer, however slowly it comes. */
  readonly bodies: AllowanceLimits;
  /** Watches, and streams through the server to a pod. A controller has one for each kind, a kubelet one for each Secret. */
  readonly lasting: AllowanceLimits;
}

/** Of each user of a level, and of all of them. */
const defaultLimits: FlowLimits = { bodies: { each: 32 << 20, all: 128 << 20 }, lasting: { each: 1000, all: 20_000 } };

interface Limits {
  readonly level: PriorityLevel;
  readonly bodies: Allowance;
  readonly lasting: Allowance;
}

export interface FlowCounts {
  readonly level: LevelName;
  readonly seats: number;
  readonly taken: number;
  readonly waiting: number;
  readonly lasting: number;
  /** Of bodies under way. */
  readonly bytes: number;
}

const free: Seat = { leave: () => {} };

export class FlowControl {
  readonly #levels = new Map<LevelName, Limits>();
  readonly #onReject: (level: LevelName, why: Rejection) => void;

  constructor(options: {
    clock: Clock;
    inflight?: Inflight | undefined;
    limits?: FlowLimits;
    onReject?: (level: LevelName, why: Rejection) => void;
  }) {
    const { clock, inflight = defaultInflight, limits = defaultLimits, onReject = () => {} } = options;
    this.#onReject = onReject;
    const seats = inflight.requests + inflight.mutating;
    const shares = levelRows.reduce((sum, row) => sum + row.shares, 0);
    // One pace for all that can wait: together they may take so much of a round.
    const pace = new Pace(clock);
    for (const row of levelRows) {
      const share = Math.max(1, Math.ceil((seats * row.shares) / shares));
      this.#levels.set(row.name, {
        level: new PriorityLevel(row, share, { clock, pace, onReject: (_flow, why) => onReject(row.name, why) }),
        bodies: new Allowance(limits.bodies),
        lasting: new Allowance(limits.lasting),
      });
    }
  }

  /** A request that may go on. Throws 429. */
  enter({ level, key }: Flow, width = 1): Seat | Promise<Seat> {
    return this.#levels.get(level)?.level.enter(key, width) ?? free;
  }

  /** Room for a body; returns what gives it back. Throws 429. */
  reserveBody({ level, user }: Flow, bytes: number): () => void {
    return this.#take(level, 'bodies', user, bytes, 'bytes of bodies');
  }

  /** A place for what lasts; returns what gives it back. Throws 429. */
  beginLasting({ level, user }: Flow): () => void {
    return this.#take(level, 'lasting', user, 1, 'watches and streams');
  }

  #take(level: LevelName, what: 'bodies' | 'lasting', user: string, amount: number, name: string): () => void {
    const limits = this.#levels.get(level);
    if (!limits) return free.leave;
    const giveBack = limits[what].take(user, amount);
    if (!giveBack) {
      this.#onReject(level, 'concurrency-limit');
      throw tooManyRequests(`Too many ${name} under way, please try again later.`, 5);
    }
    return giveBack;
  }

  counts(): FlowCounts[] {
    return [...this.#levels].map(([name, { level, bodies, lasting }]) => ({
      level: name,
      seats: level.seats,
      taken: level.taken,
      waiting: level.waiting,
      lasting: lasting.total,
      bytes: bodies.total,
    }));
  }
}
