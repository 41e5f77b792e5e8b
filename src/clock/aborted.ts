/** Waiting for a signal to abort. Each of these takes a signal that has aborted already for one that does so now. */

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => onAbort(signal, resolve));
}

/** Those who wait for one signal, behind one listener: to add another listener, Node compares it with each that is there. */
class Waiting {
  static readonly #all = new WeakMap<AbortSignal, Waiting>();
  readonly #signal: AbortSignal;
  readonly #runs = new Set<() => void>();

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#run, { once: true });
  }

  static for(signal: AbortSignal): Waiting {
    const waiting = Waiting.#all.get(signal) ?? new Waiting(signal);
    Waiting.#all.set(signal, waiting);
    return waiting;
  }

  add(run: () => void): void {
    this.#runs.add(run);
  }

  /** A signal that somebody listens to is kept in memory: the last one goes with the listener. */
  delete(run: () => void): void {
    if (!this.#runs.delete(run) || this.#runs.size > 0) return;
    this.#signal.removeEventListener('abort', this.#run);
    Waiting.#all.delete(this.#signal);
  }

  readonly #run = (): void => {
    for (const run of this.#runs) {
      try {
        run();
      } catch (err) {
        // As of a listener: it keeps the others from nothing, and is not lost.
        process.nextTick(() => {
          throw err;
        });
      }
    }
  };
}

/** Calls `run` once, when the signal aborts; disposing takes that back. */
export function onAbort(signal: AbortSignal, run: () => void): Disposable {
  const call = (): void => run();
  if (signal.aborted) {
    call();
    return { [Symbol.dispose]: () => {} };
  }
  const waiting = Waiting.for(signal);
  waiting.add(call);
  return { [Symbol.dispose]: () => waiting.delete(call) };
}

/** Resolves or rejects as `work` does, or rejects when the signal aborts; the work goes on then, for others or by itself. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  using _ = onAbort(signal, () => reject(signal.reason));
  return await Promise.race([work, promise]);
}
