import { type Clock, sleepOn } from '../clock.ts';

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

  /** The process stands still: time goes on, and what falls due waits for `advance`. */
  freeze(ms: number): void {
    this.#now += ms;
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
