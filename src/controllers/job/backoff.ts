/** How long a Job waits before it replaces pods that failed: 10 s, doubled by each failure since the last success, at most 10 min. */

import type { Pod } from '../../api/schema/types.ts';
import { backOffMs } from '../../clock/back-off.ts';
import { finishedAt } from './pod-facts.ts';

const options = { durationMs: 10_000, capMs: 10 * 60_000 };

export interface Backoff {
  /** Failures since the last success. */
  readonly failures: number;
  /** Milliseconds since the epoch; of no meaning without failures. */
  readonly lastFailure: number;
}

export const noBackoff: Backoff = { failures: 0, lastFailure: 0 };

/** After pods that ended since it was last looked. */
export function backoffAfter(before: Backoff, succeeded: readonly Pod[], failed: readonly Pod[]): Backoff {
  const failures = failed.map(finishedAt);
  if (succeeded.length === 0) {
    if (failures.length === 0) return before;
    return { failures: before.failures + failures.length, lastFailure: Math.max(...failures) };
  }
  const success = Math.max(...succeeded.map(finishedAt));
  const later = failures.filter((at) => at > success);
  return later.length === 0 ? noBackoff : { failures: later.length, lastFailure: Math.max(...later) };
}

/** Milliseconds until pods may be made again; 0 when they may. */
export function remainingDelay({ failures, lastFailure }: Backoff, now: number): number {
  if (failures === 0) return 0;
  return Math.max(0, backOffMs(options, failures) - (now - lastFailure));
}
