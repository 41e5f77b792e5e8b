/**
 * Containers that could not be made (a ConfigMap is missing, the image's user is not allowed, the runtime refuses): each next try waits
 * longer, up to the ten to fifteen seconds that upstream's kubelet waits, for each one may ask the registry.
 */

import type { Container, Pod } from '../../api/schema/types.ts';
import { backOffMs } from '../../clock/back-off.ts';
import type { Clock } from '../../clock/clock.ts';
import { uidOf } from '../pod/spec.ts';
import { StartError } from './start-error.ts';

const backOff = { durationMs: 1_000, capMs: 15_000 };

interface Held {
  readonly failures: number;
  readonly until: number;
  /** A pod that was changed is tried at once. */
  readonly generation: number | undefined;
  readonly reason: string;
  readonly message: string;
}

export class HeldOffStarts {
  readonly #clock: Clock;
  /** By pod and container. */
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `start` when it is time; otherwise throws again what it threw before. An error that has its own delay is passed on as it is. */
  async attempt(pod: Pod, container: Container, start: () => Promise<void>): Promise<void> {
    const key = `${uidOf(pod)}/${container.name}`;
    const { generation } = pod.metadata;
    const known = this.#held.get(key);
    const held = known?.generation === generation ? known : undefined;
    const left = (held?.until ?? 0) - this.#clock.monotonic();
    if (held && left > 0) throw new StartError(held.reason, held.message, left);
    try {
      await start();
      this.#held.delete(key);
    } catch (err) {
      if (!(err instanceof StartError) || err.retryMs !== undefined) throw err;
      const { reason, message } = err;
      const failures = (held?.failures ?? 0) + 1;
      const delayMs = backOffMs(backOff, failures);
      this.#held.set(key, { failures, until: this.#clock.monotonic() + delayMs, generation, reason, message });
      throw new StartError(reason, message, delayMs);
    }
  }

  forget(podUid: string): void {
    for (const key of this.#held.keys()) if (key.startsWith(`${podUid}/`)) this.#held.delete(key);
  }
}
