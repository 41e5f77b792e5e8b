/** The controllers of a process, each under the name by which `--controllers` knows it. */
import { BackOff } from '../clock/back-off.ts';
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';

interface Surroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Runs those of `known` that `names` has until the signal aborts. One that ends with an error is started again, the others go on. */
export async function runNamed<C extends Surroundings>(
  context: C,
  names: readonly string[],
  known: Readonly<Record<string, (context: C) => Promise<void>>>,
): Promise<void> {
  const { clock, log, signal } = context;
  await Promise.all(
    names.map(async (name) => {
      const run = known[name];
      if (!run) throw new RangeError(`Cannot start controller "${name}": there is none of that name`);
      const backOff = new BackOff({ durationMs: 1_000, capMs: 60_000 });
      while (!signal.aborted) {
        try {
          await run({ ...context, log: log.child({ controller: name }) });
          return;
        } catch (err) {
          if (signal.aborted) return;
          log.error(`Controller "${name}" ended and starts again: ${messageOf(err)}`, { err });
          await clock.sleep(backOff.step(), signal).catch(() => {});
        }
      }
    }),
  );
}
