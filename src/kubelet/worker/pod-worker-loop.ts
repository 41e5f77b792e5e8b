/** Runs the syncs of one pod: never two at a time, once more when something happened meanwhile, with back-off after an error. */
import { BackOff } from '../../clock/back-off.ts';
import type { Clock } from '../../clock/clock.ts';

export const resyncMs = 60_000;
const afterErrors = { durationMs: 500, capMs: 10_000 };

export interface PodWorkerLoopOptions {
  readonly clock: Clock;
  /** Gives the ms until the next sync unless something happens before; 0 for right away, undefined when there is nothing left to do. */
  readonly sync: () => Promise<number | undefined>;
  readonly onError: (err: unknown) => void;
  readonly onFinished: () => void;
}

export class PodWorkerLoop {
  readonly #options: PodWorkerLoopOptions;
  #held = true;
  #syncing = false;
  #again = false;
  #finished = false;
  readonly #backOff = new BackOff(afterErrors);
  #timer: { cancel(): void } | undefined;

  constructor(options: PodWorkerLoopOptions) {
    this.#options = options;
  }

  /** Lets it begin. */
  release(): void {
    this.#held = false;
    this.requeue();
  }

  /** Syncs now, or as soon as the sync under way is over. */
  requeue(): void {
    if (this.#held || this.#finished) return;
    if (this.#syncing) this.#again = true;
    else void this.#run();
  }

  close(): void {
    this.#held = true;
    this.#timer?.cancel();
  }

  async #run(): Promise<void> {
    this.#syncing = true;
    this.#timer?.cancel();
    let next: number | undefined;
    do {
      this.#again = false;
      next = await this.#syncOnce();
      // A pod that has ended is not synced once more for a requeue of that moment: it would be reported, and ended, again.
    } while (!this.#held && next !== undefined && (this.#again || next === 0));
    this.#syncing = false;
    if (next === undefined) {
      this.#finished = true;
      this.#options.onFinished();
    } else if (!this.#held) this.#timer = this.#options.clock.after(jittered(next), () => this.requeue());
  }

  async #syncOnce(): Promise<number | undefined> {
    try {
      const next = await this.#options.sync();
      this.#backOff.reset();
      return next;
    } catch (err) {
      this.#options.onError(err);
      return this.#backOff.step();
    }
  }
}

/** The pods of a node that were found together are not to be looked at together for ever. */
function jittered(ms: number): number {
  return ms === resyncMs ? resyncMs * (0.75 + Math.random() / 2) : ms;
}
