/** When to reconcile: at once, after every poke, some seconds after a failure, and every few seconds whatever happens. */
import { onAbort } from '../clock/aborted.ts';
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { Complaints } from './complaints.ts';

/** Even without any notice everything is looked at this often: sysctls give none. */
const resyncMs = 5_000;
/** Changes come in swarms: deleting a link takes its routes and neighbours along. */
const settleMs = 20;
const retryMs = 1_000;

export interface ReconcileLoopOptions {
  readonly reconcile: () => Promise<void>;
  readonly clock: Pick<Clock, 'after' | 'sleep'>;
  readonly log: Pick<Log, 'warn' | 'debug'>;
  readonly signal: AbortSignal;
}

export class ReconcileLoop {
  readonly #options: ReconcileLoopOptions;
  readonly #troubles: Complaints;
  #wake: () => void = () => {};
  #isPoked = false;

  constructor(options: ReconcileLoopOptions) {
    this.#options = options;
    this.#troubles = new Complaints(options.log);
  }

  /** Something may have changed. */
  poke(): void {
    this.#isPoked = true;
    this.#wake();
  }

  /** Ends after the signal. What goes wrong is said once. */
  async run(): Promise<void> {
    const { signal, clock } = this.#options;
    using _ = onAbort(signal, () => this.poke());
    while (!signal.aborted) {
      this.#isPoked = false;
      await this.#pause((await this.#try()) ? resyncMs : retryMs);
      if (!signal.aborted) await clock.sleep(settleMs, signal).catch(() => {});
    }
  }

  /** True when all is well. */
  async #try(): Promise<boolean> {
    const { reconcile, log } = this.#options;
    try {
      await reconcile();
      this.#troubles.are(new Map());
      return true;
    } catch (err) {
      this.#troubles.are(new Map([['sync', messageOf(err)]]));
      log.debug('Cannot set up the pod network', { err });
      return false;
    }
  }

  /** Waits for a poke, but no longer than `ms`. */
  #pause(ms: number): Promise<void> {
    if (this.#isPoked || this.#options.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(ms, resolve);
      this.#wake = (): void => {
        timer.cancel();
        resolve();
      };
    });
  }
}
