/** How soon a daemon pod that ended is made again: ever later while pods of one set keep ending on one node. */
import type { Clock } from '../../clock/clock.ts';
import { KeyedBackOff } from '../../clock/keyed-back-off.ts';

export class FailedPods {
  readonly #clock: Clock;
  readonly #backOff = new KeyedBackOff(1_000, 15 * 60_000);
  /** The uid of the pod that may be removed, by the uid of the set and the name of the node. */
  readonly #removable = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until the pod may be removed; `isNew` when it is the first time that it may. */
  look(setUid: string, node: string, podUid: string): { readonly wait: number; readonly isNew: boolean } {
    const place = `${setUid}/${node}`;
    const now = this.#clock.monotonic();
    if (this.#removable.get(place) === podUid) return { wait: 0, isNew: false };
    const wait = this.#backOff.remainingSinceUpdate(place, now);
    if (wait > 0) return { wait, isNew: false };
    this.#backOff.next(place, now, now);
    this.#removable.set(place, podUid);
    return { wait: 0, isNew: true };
  }

  /** The set is gone. */
  forget(setUid: string): void {
    const prefix = `${setUid}/`;
    this.#backOff.forget(prefix);
    for (const place of this.#removable.keys()) if (place.startsWith(prefix)) this.#removable.delete(place);
  }
}
