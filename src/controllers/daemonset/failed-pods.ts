/** How soon a daemon pod that ended is made again: ever later while pods of one set keep ending on one node. */
import type { Clock } from '../../clock/clock.ts';

const firstDelayMs = 1_000;
const maxDelayMs = 15 * 60_000;

interface Failure {
  readonly podUid: string;
  readonly delay: number;
  readonly until: number;
}

export class FailedPods {
  readonly #clock: Clock;
  /** By the uid of the set and the name of the node. */
  readonly #failures = new Map<string, Failure>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the pod may be removed; `isNew` when it is the first time that it may. */
  look(setUid: string, node: string, podUid: string): { readonly wait: number; readonly isNew: boolean } {
    const place = `${setUid}/${node}`;
    const now = this.#clock.monotonic();
    const was = this.#failures.get(place);
    if (was?.podUid === podUid) return { wait: 0, isNew: false };
    if (was && now < was.until) return { wait: was.until - now, isNew: false };
    // A place that did well for long starts from the first delay again.
    const delay = was && now < was.until + 2 * maxDelayMs ? Math.min(was.delay * 2, maxDelayMs) : firstDelayMs;
    this.#failures.set(place, { podUid, delay, until: now + delay });
    return { wait: 0, isNew: true };
  }

  /** The set is gone. */
  forget(setUid: string): void {
    for (const place of this.#failures.keys()) if (place.startsWith(`${setUid}/`)) this.#failures.delete(place);
  }
}
