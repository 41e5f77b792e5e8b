/** Rules of other modes, of whichever proxy: beside ours they would answer for Services as these were once. */
import { isKnownError, messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import type { Mode } from './mode/mode.ts';
import { modes } from './mode/modes.ts';

async function cleanUp(open: () => Promise<Mode>): Promise<void> {
  try {
    const mode = await open();
    try {
      await mode.cleanUp();
    } finally {
      mode.close();
    }
  } catch (err) {
    // A machine without the parts of a mode has no rules of it.
    if (!isKnownError(err, 'KERNEL_FEATURE_MISSING') && !isKnownError(err, 'TOOL_MISSING')) throw err;
  }
}

/** Takes away the rules of every mode but one, in the network namespace of this process. Gives whether that is done: what failed is told. */
export async function cleanOtherModes(own: string, log: Log, all: typeof modes = modes): Promise<boolean> {
  let isDone = true;
  for (const [name, open] of Object.entries(all)) {
    if (name === own) continue;
    try {
      await cleanUp(open);
    } catch (err) {
      log.warn(`Cannot take away what is left of proxy mode "${name}", will try again: ${messageOf(err)}`);
      isDone = false;
    }
  }
  return isDone;
}

/** Removes every rule that a proxy left behind, in whatever mode, in the network namespace of this process. */
export async function cleanUpProxy(): Promise<void> {
  for (const open of Object.values(modes)) await cleanUp(open);
}
