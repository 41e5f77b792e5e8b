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

/** `sleep` of any clock, by its `after`. */
export function sleepOn(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
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

/** The longest wait that a timer of Node.js knows, in milliseconds (24.8 days): a longer one is over at once. */
const longestMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    if (ms <= 0) {
      // A timer of Node.js waits a millisecond at least. Not unref'd: the event loop would first wait for something else to happen.
      const soon = setImmediate(fn);
      return { cancel: () => clearImmediate(soon) };
    }
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      timer = setTimeout(() => (left > longestMs ? wait(left - longestMs) : fn()), Math.min(left, longestMs)).unref();
    };
    wait(ms);
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
};
