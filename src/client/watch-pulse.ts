/** Tells a watch that has died without a word from one on which nothing happens: by bookmarks, which a server sends at intervals. */
import type { Clock } from '../clock/clock.ts';

/** kube-apiserver sends a bookmark each minute. */
const unknownLimitMs = 75_000;
const leastLimitMs = 20_000;
/** How much longer than the longest pause between bookmarks until now a silence may be. */
const tolerance = 1.75;

export class WatchPulse {
  readonly #clock: Clock;
  #seenAt: number;
  #bookmarkAt: number | undefined;
  #longestPauseMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#seenAt = clock.monotonic();
  }

  /** A list or a new watch was answered. The first bookmark of a watch may come at any time, so that pause says nothing. */
  opened(): void {
    this.#seenAt = this.#clock.monotonic();
    this.#bookmarkAt = undefined;
  }

  event(isBookmark: boolean): void {
    const now = this.#clock.monotonic();
    this.#seenAt = now;
    if (!isBookmark) return;
    if (this.#bookmarkAt !== undefined) this.#longestPauseMs = Math.max(this.#longestPauseMs, now - this.#bookmarkAt);
    this.#bookmarkAt = now;
  }

  /** Milliseconds since the server was last heard. */
  get ageMs(): number {
    return this.#clock.monotonic() - this.#seenAt;
  }

  /** Whether the server is known to send bookmarks: then silence is a fault, not a habit. */
  get isKnown(): boolean {
    return this.#longestPauseMs > 0;
  }

  /** The age at which a watch counts as dead. */
  get limitMs(): number {
    if (!this.isKnown) return unknownLimitMs;
    return Math.min(Math.max(this.#longestPauseMs * tolerance, leastLimitMs), unknownLimitMs);
  }

  /** Calls `onDeath` once, when the limit is reached without a sign of life. `cancel` ends the wait. */
  guard(onDeath: () => void): { cancel(): void } {
    let timer: { cancel(): void };
    const wait = (ms: number): void => {
      timer = this.#clock.after(ms, () => {
        const left = this.limitMs - this.ageMs;
        if (left <= 0) onDeath();
        else wait(left);
      });
    };
    wait(this.limitMs);
    return { cancel: () => timer.cancel() };
  }
}
