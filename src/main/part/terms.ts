/** A part that works while this process leads: term after term, each with settings, connections and copies of the cluster of its own. */
import type { LeaderElector } from '../../client/leader-election.ts';
import type { Term } from '../../client/term.ts';
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

export class Terms {
  readonly #options: TermsOptions;
  #running: Running | undefined;

  constructor(options: TermsOptions) {
    this.#options = options;
  }

  /** Until the signal aborts. Throws what the part throws, but for what the loss of a Lease brings about. */
  async run(): Promise<void> {
    const { elector, context } = this.#options;
    while (!context.signal.aborted) await elector.run((term) => this.#lead(term), context.signal);
  }

  /** What is wrong now; a part that waits for its turn is well. */
  health(): string | undefined {
    return this.#options.elector.isExpired ? 'it leads by a Lease that has run out' : this.#running?.health?.();
  }

  async #lead(term: Term): Promise<void> {
    const { part, flags, setting, context } = this.#options;
    const { signal } = term;
    const config = await part.config(flags, { ...setting, term });
    // A busy machine may take longer to read them than the term lasts.
    if (signal.aborted) return;
    const running = await part.start(config, { ...context, informers: new InformerPool(), signal });
    this.#running = running;
    running.ready?.then(
      (words) => context.log.info(words),
      () => {},
    );
    await running.stopped.finally(() => {
      // When it ended late, the next term may have begun.
      if (this.#running === running) this.#running = undefined;
    });
  }
}
