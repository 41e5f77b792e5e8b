/**
 * How long requests that can wait may keep the thread in one round of the event loop. What arrives on other connections is only seen
 * between two rounds: without a limit, a hundred lists that are asked for at once would all be begun before one lease is renewed.
 */
import type { Clock } from '../../clock/clock.ts';

const roundMs = 5;

export class Pace {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** When the first of them began in this round. */
  #began: number | undefined;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** True when another one may begin at once. */
  mayBegin(): boolean {
    const now = this.#clock.monotonic();
    if (this.#began !== undefined) return now - this.#began < roundMs;
    this.#began = now;
    setImmediate(() => {
      this.#began = undefined;
    });
    return true;
  }

  /** Calls `fn` in the next round. */
  later(fn: () => void): void {
    setImmediate(fn);
  }
}
