import { join } from 'node:path';
import { isKnownError } from '../errors/known-error.ts';
import type { Cidr } from '../ip/ip.ts';
import { lockDirectory } from '../linux/lock.ts';
import type { LabContext } from './down.ts';
import type { LabOptions } from './lab-options.ts';
import { checkRanges, routedRanges } from './net/host.ts';
import { type LabPlan, planLab, stateRoot } from './plan.ts';
import { readBootId } from './process-id.ts';
import { chooseRanges, cidrsOf, type Ranges } from './ranges.ts';
import { labNames, readLabState, writeState } from './state.ts';

/** The ranges of every lab that is, or will be again, reached from this machine. */
async function reservedRanges(): Promise<Cidr[]> {
  const states = await Promise.all((await labNames()).map((name) => readLabState(join(stateRoot, name))));
  return states
    .flatMap((state) => (state?.options.attach ? [state.options] : []))
    .flatMap(({ underlay, podCidr, serviceCidr }) => cidrsOf({ underlay, podCidr, serviceCidr }));
}

async function lockRanges(context: LabContext): Promise<() => void> {
  const deadline = context.clock.monotonic() + 30_000;
  for (;;) {
    try {
      return lockDirectory(join(stateRoot, '.locks', '.ranges'));
    } catch (err) {
      if (!isKnownError(err, 'STATE_IN_USE') || context.clock.monotonic() > deadline) throw err;
      await context.clock.sleep(20);
    }
  }
}

/**
 * The plan of a lab that is new. One that this machine is attached to gets ranges that nothing else here has, as far as none were
 * `given`, and its record at once: labs that start at the same time must not choose the same. Throws RANGE_OVERLAPS.
 */
export async function reserveLab(context: LabContext, options: LabOptions, given: Partial<Ranges>): Promise<LabPlan> {
  const wanted = planLab(options);
  if (!options.attach) return wanted;
  const unlock = await lockRanges(context);
  try {
    const taken = [...(await routedRanges(context.exec, context.tools)), ...(await reservedRanges())];
    const plan = planLab({ ...options, ...chooseRanges(given, taken) });
    await checkRanges(context.exec, context.tools, plan);
    await writeState(plan, { version: 1, options: plan.options, bootId: await readBootId(), nodes: {}, sysctls: {} });
    const { underlay, podCidr, serviceCidr } = plan.options;
    if (JSON.stringify({ ...wanted.options, underlay, podCidr, serviceCidr }) !== JSON.stringify(wanted.options))
      context.progress.note(`The usual ranges are taken: nodes get ${underlay}, pods ${podCidr}, Services ${serviceCidr}`);
    return plan;
  } finally {
    unlock();
  }
}
