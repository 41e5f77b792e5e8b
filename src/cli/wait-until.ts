/** Waiting for something that a probe tells of, with the last reason for who waits in vain. */
import type { Clock } from '../clock/clock.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';

export interface WaitOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told after ten seconds, twenty, forty … why it is still waiting: a slow machine must not look like a dead one. */
  readonly onPatience?: (text: string) => void;
  /** Between two looks; default 50. */
  readonly everyMs?: number;
}

const patienceMs = 10_000;

/** Calls `probe` until it gives nothing; throws TIMED_OUT with the last reason. */
export async function waitUntil(
  what: string,
  options: WaitOptions & { readonly hint: string },
  probe: () => Promise<string | undefined>,
): Promise<void> {
  const { clock, signal, everyMs = 50 } = options;
  const deadline = clock.monotonic() + options.timeoutMs;
  const began = clock.monotonic();
  let patience = patienceMs;
  for (;;) {
    signal.throwIfAborted();
    const reason = await probe().catch((err: unknown) => messageOf(err));
    if (reason === undefined) return;
    if (clock.monotonic() - began > patience) {
      options.onPatience?.(`Waiting for ${what}: ${reason}`);
      patience *= 2;
    }
    if (clock.monotonic() > deadline)
      throw new KnownError('TIMED_OUT', `Cannot wait longer for ${what}: ${reason}`, { hint: options.hint });
    await clock.sleep(everyMs, signal);
  }
}
