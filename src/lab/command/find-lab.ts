/** What the commands of `fairlead lab` share: which lab is meant, what it works with, and that nobody else is at work on it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type PresetText, textFlag } from '../../cli/command.ts';
import { standardProgress } from '../../cli/progress.ts';
import { systemClock } from '../../clock/clock.ts';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
import { systemExec } from '../../linux/exec.ts';
import type { LabContext } from '../down.ts';
import { defaultLabName, defaultLabOptions } from '../lab-options.ts';
import { type LabPlan, planLab, stateRoot } from '../plan.ts';
import { type LabState, labNames, makeThoroughfare, readLabState } from '../state.ts';
import { findTools } from '../tools.ts';

export const nameOption: PresetText = { ...textFlag('NAME', 'Which lab', defaultLabName), isForgotten: true };

export async function labContext(): Promise<LabContext> {
  return { exec: systemExec, clock: systemClock, tools: await findTools(), progress: standardProgress(systemClock) };
}

export async function locked<T>(name: string, run: () => Promise<T>): Promise<T> {
  await makeThoroughfare(stateRoot);
  const dir = join(stateRoot, '.locks', name);
  const { lockDirectory, removeLock } = await import('../../linux/lock.ts');
  let unlock: () => void;
  try {
    unlock = lockDirectory(dir);
  } catch (err) {
    if (!isKnownError(err, 'STATE_IN_USE')) throw err;
    throw new KnownError('LAB_BUSY', `Cannot change lab "${name}": another command is at work on it`, {
      hint: 'Wait for the other "fairlead lab" command to end',
      cause: err,
    });
  }
  try {
    return await run();
  } finally {
    // Nothing is left of a lab that has ended or never came to be.
    if (!existsSync(join(stateRoot, name))) removeLock(dir);
    unlock();
  }
}

/** The labs that may have been meant, for the hint about one that is not there. */
export async function otherLabs(name: string): Promise<string | undefined> {
  const others = (await labNames()).filter((n) => n !== name);
  return others.length > 0 ? `Known labs: ${others.join(', ')}; choose with --name` : undefined;
}

/** The plan and record of a lab that exists. Throws LAB_NOT_RUNNING. */
export async function existingLab(name: string): Promise<{ plan: LabPlan; state: LabState }> {
  const state = await readLabState(planLab({ ...defaultLabOptions, name }).dir);
  if (!state) {
    if ((await labNames()).includes(name))
      throw new KnownError('LAB_NOT_RUNNING', `Cannot read the record of lab "${name}": its start was not finished`, {
        hint: `Start it again: fairlead lab up --name ${name}, or end it: fairlead lab down --name ${name}`,
      });
    throw new KnownError('LAB_NOT_RUNNING', `Cannot find lab "${name}": it was not started`, {
      hint: (await otherLabs(name)) ?? 'Start one: npm start, or fairlead lab up',
    });
  }
  return { plan: planLab(state.options), state };
}
