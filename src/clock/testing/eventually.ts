/** How tests wait: for what shall be, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Gives an answer, or throws or gives false as long as it has none. */
export type Attempt<T> = () => Promise<T> | T;

export interface Patience {
  /** The default is for a machine with ten other things to do: how long something takes undisturbed is for a bench to say. */
  readonly timeoutMs?: number;
  /** The longest pause; the first ones are short. */
  readonly pauseMs?: number;
}

/** Tries until there is an answer, and gives it. At the deadline it throws what the last attempt threw, or says what was waited for. */
export function eventually<T>(attempt: Attempt<T>, patience?: Patience): Promise<T>;
export function eventually<T>(what: string, attempt: Attempt<T>, patience?: Patience): Promise<T>;
export function eventually<T>(first: string | Attempt<T>, second?: Attempt<T> | Patience, third?: Patience): Promise<T> {
  return typeof first === 'string' ? poll(first, second as Attempt<T>, third) : poll(undefined, first, second as Patience | undefined);
}

async function poll<T>(what: string | undefined, attempt: Attempt<T>, { timeoutMs = 90_000, pauseMs = 100 }: Patience = {}): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let pause = 2; ; pause = Math.min(pauseMs, 1.5 * pause)) {
    let reason: unknown = new Error('it is not so');
    try {
      const answer = await attempt();
      if (answer !== false) return answer;
    } catch (err) {
      reason = err;
    }
    if (performance.now() > deadline)
      throw what === undefined ? reason : new Error(`Waited ${timeoutMs} ms in vain for ${what}: ${String(reason)}`, { cause: reason });
    await sleep(pause);
  }
}
