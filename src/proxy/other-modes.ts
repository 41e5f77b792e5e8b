/** Rules of other modes, of whichever proxy: beside ours they would answer for Services as these were once. */
import { messageOf } from '../errors/known-error.ts';
import { isLack } from '../linux/lack.ts';
import { type TableFamily, tableFamilies } from '../linux/nftables/table.ts';
import type { Log } from '../observability/log.ts';
import type { Mode, ModeOptions } from './mode/mode.ts';
import { modes } from './mode/modes.ts';

async function withMode<T>(open: () => Promise<Mode>, otherwise: T, work: (mode: Mode) => Promise<T>): Promise<T> {
  try {
    const mode = await open();
    try {
      return await work(mode);
    } finally {
      mode.close();
    }
  } catch (err) {
    // A machine without the parts of a mode has no rules of it.
    if (!isLack(err)) throw err;
    return otherwise;
  }
}

async function drain(mode: Mode, families: readonly TableFamily[]): Promise<boolean> {
  if (mode.drain) return await mode.drain(families);
  await mode.cleanUp(families);
  return true;
}

/**
 * Takes away the rules of every mode but one in these families, in the network namespace of this process; what the options exclude from a mode is not
 * touched. Gives whether that is done: what failed is told, and what still carries connections is left for the next time.
 */
export async function cleanOtherModes(
  own: string,
  log: Log,
  options?: ModeOptions,
  families: readonly TableFamily[] = tableFamilies,
  all: typeof modes = modes,
): Promise<boolean> {
  let isDone = true;
  for (const [name, open] of Object.entries(all)) {
    if (name === own) continue;
    try {
      if (
        !(await withMode(
          () => open(options),
          true,
          (mode) => drain(mode, families),
        ))
      )
        isDone = false;
    } catch (err) {
      log.warn(`Cannot take away what is left of proxy mode "${name}", will try again: ${messageOf(err)}`);
      isDone = false;
    }
  }
  return isDone;
}

/** Removes every rule that a proxy left behind, in whatever mode, in the network namespace of this process. Throws the first refusal, after all was tried. */
export async function cleanUpProxy(options?: ModeOptions, all: typeof modes = modes): Promise<void> {
  const failures: unknown[] = [];
  for (const open of Object.values(all))
    await withMode(
      () => open(options),
      undefined,
      (mode) => mode.cleanUp(),
    ).catch((err: unknown) => failures.push(err));
  if (failures.length > 0) throw failures[0];
}
