/**
 * A part that works while this process leads: term after term, each with settings, connections and copies of the cluster of its own. What makes its
 * work fail ends the term: another process may do better, and the other parts of this one, such as its API server, go on.
 */
import type { LeaderElector } from '../../client/leader-election.ts';
import type { Term } from '../../client/term.ts';
import { BackOff } from '../../clock/back-off.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { GaugeSource } from '../../observability/gauge.ts';
import type { FlagReader } from '../flag-reader.ts';
import { InformerPool } from './informer-pool.ts';
import type { Part, PartContext, Running, Setting } from './part.ts';

export interface TermsOptions {
  readonly part: Part;
  readonly flags: FlagReader;
  readonly setting: Setting;
  readonly elector: Pick<LeaderElector, 'run' | 'isExpired'>;
  readonly context: PartContext;
}

/** Of work that has failed. One that went well for longer than the longest wait counts as well again. */
const backOff = { durationMs: 1_000, capMs: 60_000 };

export class Terms {
  readonly #options: TermsOptions;
  readonly #backOff = new BackOff(backOff);
  #running: Running | undefined;

  constructor(options: TermsOptions) {
    this.#options = options;
  }

  /** Until the signal aborts. Throws what keeps the part from starting, but for what the loss of a Lease brings about. */
  async run(): Promise<void> {
    const { elector, context } = this.#options;
    const { clock, log, signal } = context;
    while (!signal.aborted) {
      let fault: unknown;
      // Not while another one led: a part that waits has not gone well.
      let workedMs = 0;
      await elector.run(async (term) => {
        const began = clock.monotonic();
        fault = await this.#lead(term);
        workedMs = clock.monotonic() - began;
      }, signal);
      if (fault === undefined) continue;
      log.error(`The work of this term failed; stands for election again: ${messageOf(fault)}`, { err: fault });
      if (workedMs > backOff.capMs) this.#backOff.reset();
      await clock.sleep(this.#backOff.step(), signal).catch(() => {});
    }
  }

  /** What is wrong now; a part that waits for its turn is well. */
  health(): string | undefined {
    return this.#options.elector.isExpired ? 'it leads by a Lease that has run out' : this.#running?.health?.();
  }

  /** Of the term that is under way. */
  gauges(): readonly GaugeSource[] {
    return this.#running?.gauges?.() ?? [];
  }

  /** Gives what made the work fail; undefined when it ended with the term. */
  async #lead(term: Term): Promise<unknown> {
    const { part, flags, setting, context } = this.#options;
    const { signal } = term;
    const config = await part.config(flags, { ...setting, term });
    // A busy machine may take longer to read them than the term lasts.
    if (signal.aborted) return undefined;
    const running = await part.start(config, { ...context, informers: new InformerPool(), signal });
    this.#running = running;
    running.ready?.then(
      (words) => context.log.info(words),
      () => {},
    );
    try {
      await running.stopped;
      return undefined;
    } catch (err) {
      if (signal.aborted) throw err;
      return err;
    } finally {
      // When it ended late, the next term may have begun.
      if (this.#running === running) this.#running = undefined;
    }
  }
}
