/**
 * Whether a resolver is there, found out apart from questions as CoreDNS's forward does: the first sign of trouble starts a round of checks,
 * and only an answer ends it.
 */
import type { Clock } from '../../../clock/clock.ts';

export interface HealthOptions {
  /** One check: resolves when the resolver says anything at all. */
  readonly check: () => Promise<unknown>;
  /** CoreDNS's `health_check`. */
  readonly everyMs: number;
  /** Down when more checks than these failed in a row; 0: never checked, never down. */
  readonly maxFails: number;
  readonly onFailure: () => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** `doubtful`: a question waits, or failed, and no check has been answered since. */
export type UpstreamState = 'up' | 'doubtful' | 'down';

export class UpstreamHealth {
  readonly #options: HealthOptions;
  #fails = 0;
  #round: AbortController | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  get state(): UpstreamState {
    if (!this.#round) return 'up';
    return this.#fails > this.#options.maxFails ? 'down' : 'doubtful';
  }

  /** A question was answered: that is worth as much as a check. */
  answered(): void {
    this.#round?.abort();
    this.#round = undefined;
    this.#fails = 0;
  }

  /** A question was not answered (in time). */
  doubt(): void {
    const { maxFails, signal } = this.#options;
    if (this.#round || maxFails === 0 || signal.aborted) return;
    this.#round = new AbortController();
    void this.#checkUntilAnswered(AbortSignal.any([this.#round.signal, signal]));
  }

  async #checkUntilAnswered(signal: AbortSignal): Promise<void> {
    const { check, clock, everyMs, onFailure } = this.#options;
    while (!signal.aborted) {
      try {
        await check();
        if (!signal.aborted) this.answered();
        return;
      } catch {
        if (signal.aborted) return;
        this.#fails++;
        onFailure();
      }
      await clock.sleep(everyMs, signal).catch(() => {});
    }
  }
}
