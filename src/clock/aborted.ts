/** Waiting for a signal to abort. Each of these takes a signal that has aborted already for one that does so now. */

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => onAbort(signal, resolve));
}

/** Calls `run` once, when the signal aborts; disposing takes that back. */
export function onAbort(signal: AbortSignal, run: () => void): Disposable {
  const listener = (): void => run();
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', listener) };
}

/** Resolves or rejects as `work` does, or rejects when the signal aborts; the work goes on then, for others or by itself. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  using _ = onAbort(signal, () => reject(signal.reason));
  return await Promise.race([work, promise]);
}
