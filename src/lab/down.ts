/** Ends a lab: its processes, mounts, links, namespaces and control groups, with a record of them or without. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from '../cli/progress.ts';
import type { Clock } from '../clock/clock.ts';
import { messageOf, systemCode } from '../errors/known-error.ts';
import type { Exec } from '../linux/exec.ts';
import { endingMs, type Hierarchy, processesIn, readHierarchies, removeCgroups, restoreDelegated } from './cgroups.ts';
import { detachHost } from './net/host.ts';
import { dropNetns } from './net/underlay.ts';
import type { LabPlan } from './plan.ts';
import { isAlive } from './process-id.ts';
import { type LabState, removeState } from './state.ts';
import type { Tools } from './tools.ts';

export interface LabContext {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly tools: Tools;
  readonly progress: Progress;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (err) {
    if (systemCode(err) !== 'ESRCH') throw err;
  }
}

/** Ends every process below a cgroup of the lab and removes the cgroup. Inits first: the kernel ends the rest of a node with its init. */
export async function endProcesses(
  context: Pick<LabContext, 'clock'>,
  hierarchies: readonly Hierarchy[],
  state: LabState | undefined,
  ...parts: readonly string[]
): Promise<void> {
  const node = parts[1];
  for (const [name, id] of Object.entries(state?.nodes ?? {}))
    if ((node === undefined || node === name) && (await isAlive(id))) kill(id.pid);
  const deadline = context.clock.monotonic() + endingMs;
  // One hierarchy is enough to look at, as every process was put into all of them.
  const look = (): Promise<number[]> => processesIn(hierarchies.slice(0, 1), ...parts);
  let left = await look();
  for (let round = 0; left.length > 0 && context.clock.monotonic() < deadline; round++) {
    // Without a record (or with a torn one) there is no telling which of them is an init.
    if (round % 10 === 5 || state === undefined) for (const pid of left) kill(pid);
    await context.clock.sleep(10);
    left = await look();
  }
  await removeCgroups(hierarchies, context.clock, ...parts);
}

/** Takes away everything a lab made outside its directory. Works whatever of it is there; says what it found. */
export async function clearLab(context: LabContext, plan: LabPlan, state: LabState | undefined): Promise<string[]> {
  const { exec, tools } = context;
  const hierarchies = await readHierarchies();
  // The way in goes first, so that nothing of the machine waits for nodes that are ending.
  const found = await detachHost(exec, tools, plan, state?.sysctls ?? {});
  await endProcesses(context, hierarchies, state, plan.cgroup);
  if (await dropNetns(exec, tools, plan.clientNetns)) found.push('the client namespace');
  if (await dropNetns(exec, tools, plan.underlayNetns)) found.push('the bridge');
  if (state?.delegated) await restoreDelegated(state.delegated);
  return found;
}

async function leaveKubeconfigs({ progress }: LabContext, plan: LabPlan): Promise<void> {
  if (!existsSync(join(plan.dir, 'merged.json'))) return;
  const { unmergeAll } = await import('./kubeconfig/user-kubeconfig.ts');
  // A file that cannot be read any more is its owner's affair: the lab ends all the same.
  const cleared = await unmergeAll(plan).catch((err: unknown) => {
    progress.warn(`A kubeconfig keeps the lab: ${messageOf(err)}`);
    return [];
  });
  for (const path of cleared) progress.note(`Took it out of ${path}`);
}

/** Ends a lab. With `keepData`, its objects and keys stay for the next `up`. Gives whether there was anything of it. */
export async function labDown(context: LabContext, plan: LabPlan, state: LabState | undefined, keepData: boolean): Promise<boolean> {
  const name = `lab "${plan.options.name}"`;
  const hierarchies = await readHierarchies();
  const processes = (await processesIn(hierarchies.slice(0, 1), plan.cgroup)).length;
  if (state === undefined && processes === 0 && !existsSync(plan.dir)) {
    // A link or a route may be left of a lab whose directory was taken away by hand.
    const found = await clearLab(context, plan, state);
    if (found.length > 0) context.progress.note(`Took away what was left of ${name}: ${found.join(', ')}`);
    return found.length > 0;
  }
  await context.progress.step(`Ended ${name}${keepData ? '' : ' and removed all that was created in it'}`, () =>
    clearLab(context, plan, state),
  );
  if (!keepData) await leaveKubeconfigs(context, plan);
  await removeState(plan, keepData);
  if (keepData) context.progress.note(`Kept its objects and keys in ${plan.dir}`);
  return true;
}
