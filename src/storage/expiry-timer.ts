import type { Clock } from '../clock/clock.ts';

/** The longest single wait: the wall clock may be set while the timer runs. */
const maxWaitMs = 60_000;

/** One timer for the earliest moment at which a record may expire. */
export class ExpiryTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #at: number | undefined;
  #timer: { cancel(): void } | undefined;

  /** Calls `onDue` once when the moment has come; `expect` then sets the next one. */
  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Says that a record expires at `at`, in milliseconds since the epoch. */
  expect(at: number): void {
    if (this.#at !== undefined && this.#at <= at) return;
    this.#at = at;
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer?.cancel();
    const wait = Math.max(0, this.#at! - this.#clock.now());
    this.#timer = this.#clock.after(Math.min(wait, maxWaitMs), () => {
      if (this.#at! > this.#clock.now()) {
        this.#arm();
        return;
      }
      this.#at = undefined;
      this.#onDue();
    });
  }
}
