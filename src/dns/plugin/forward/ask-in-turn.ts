/** One question, several to ask: the next is asked as soon as one fails or keeps it waiting, and the first good answer counts. */
import type { Clock } from '../../../clock/clock.ts';

export interface InTurn<T, R> {
  /** In this order. The same one twice in a row is asked again only after it failed. */
  readonly candidates: readonly T[];
  readonly ask: (candidate: T) => Promise<R>;
  /** Whether an answer ends it; otherwise the next is asked too. */
  readonly isFinal: (answer: R) => boolean;
  /** How long an answer may take until the next one is asked as well. */
  readonly patienceMs: number;
  /** Called when a candidate kept the question waiting so long, or failed. */
  readonly onTrouble: (candidate: T, err: unknown) => void;
  readonly deadlineMs: number;
  readonly clock: Clock;
  /** Nobody else is asked after it. */
  readonly signal: AbortSignal;
}

/** Gives the first final answer; without one the first answer at all; undefined when nobody answered before the deadline. */
export function askInTurn<T, R>(options: InTurn<T, R>): Promise<R | undefined> {
  const { candidates, ask, isFinal, onTrouble, clock, signal } = options;
  const { promise, resolve } = Promise.withResolvers<R | undefined>();
  const running = new Set<T>();
  const answered = new Set<T>();
  let at = 0;
  let second: R | undefined;
  let isDone = false;
  let patience: { cancel(): void } | undefined;
  const deadline = clock.after(options.deadlineMs, () => end(second));
  next();
  return promise;

  function end(answer: R | undefined): void {
    if (isDone) return;
    isDone = true;
    patience?.cancel();
    deadline.cancel();
    resolve(answer);
  }

  function next(): void {
    // Who answered without use gives the same answer again.
    while (at < candidates.length && answered.has(candidates[at] as T)) at++;
    const candidate = candidates[at];
    if (candidate === undefined || signal.aborted) {
      if (running.size === 0) end(second);
      return;
    }
    if (running.has(candidate)) return;
    at++;
    running.add(candidate);
    patience?.cancel();
    patience = clock.after(options.patienceMs, () => {
      onTrouble(candidate, undefined);
      next();
    });
    ask(candidate).then(
      (answer) => {
        running.delete(candidate);
        if (isDone) return;
        if (isFinal(answer)) return end(answer);
        answered.add(candidate);
        second ??= answer;
        next();
      },
      (err: unknown) => {
        running.delete(candidate);
        if (isDone) return;
        onTrouble(candidate, err);
        next();
      },
    );
  }
}
