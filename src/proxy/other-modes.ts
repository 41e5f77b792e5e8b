/** Rules of other modes, of whichever proxy: beside ours they would answer for Services as these were once. */
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import type { Mode } from './mode/mode.ts';
import { modes } from './mode/modes.ts';
import { isLack } from './usable-modes.ts';

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

async function drain(mode: Mode): Promise<boolean> {
  if (mode.drain) return await mode.drain();
  await mode.cleanUp();
  return true;
}

/** Takes away the rules of every mode but one, in the network namespace of this process. Gives whether that is done: what failed is told, and what still carries connections is left for the next time. */
export async function cleanOtherModes(own: string, log: Log, all: typeof modes = modes): Promise<boolean> {
  let isDone = true;
  for (const [name, open] of Object.entries(all)) {
    if (name === own) continue;
    try {
      if (!(await withMode(open, true, drain))) isDone = false;
    } catch (err) {
      log.warn(`Cannot take away what is left of proxy mode "${name}", will try again: ${messageOf(err)}`);
      isDone = false;
    }
  }
  return isDone;
}

/** Removes every rule that a proxy left behind, in whatever mode, in the network namespace of this process. */
export async function cleanUpProxy(): Promise<void> {
  for (const open of Object.values(modes)) await withMode(open, undefined, (mode) => mode.cleanUp());
}
