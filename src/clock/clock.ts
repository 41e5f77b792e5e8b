/** Time as a value that is passed in, so that tests own it. */
import { onAbort } from './aborted.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never jumps. */
  monotonic(): number;
  /** Calls `fn` once after `ms`; the handle cancels it. Does not keep the process alive. */
  after(ms: number, fn: () => void): { cancel(): void };
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

function sleepOn(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      ended?.[Symbol.dispose]();
      resolve();
    });
    const ended =
      signal &&
      onAbort(signal, () => {
        timer.cancel();
        reject(signal.reason);
      });
  });
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
};

/** A clock that stands still until `advance` moves it. */
export class FakeClock implements Clock {
  #now: number;
  #started: number;
  #timers: { at: number; fn: () => void }[] = [];

  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#now = now;
    this.#started = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#started;
  }

  after(ms: number, fn: () => void): { cancel(): void } {
    const timer = { at: this.#now + ms, fn };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((t) => t !== timer);
      },
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Moves time on, calling what falls due in order; lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#timers.filter((t) => t.at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((t) => t !== next);
      this.#now = Math.max(this.#now, next.at);
      next.fn();
    }
    this.#now = end;
    await settle();
  }

  /** The wall clock is set to another time; timers and `monotonic` do not notice. */
  leap(ms: number): void {
    this.#now += ms;
    this.#started += ms;
    for (const timer of this.#timers) timer.at += ms;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.length;
  }
}

/** Lets every promise that is ready run its course. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
