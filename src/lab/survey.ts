import { netnsExists } from '../linux/netns.ts';
import { processesIn, readHierarchies } from './cgroups.ts';
import type { LabContext } from './down.ts';
import { isAttached } from './net/host.ts';
import type { LabPlan } from './plan.ts';
import { isAlive, type ProcessId, readBootId } from './process-id.ts';
import type { LabState } from './state.ts';

/** What there is of a lab right now, whatever its record says. */
export interface Survey {
  /** The machine was restarted since the lab was. */
  readonly rebooted: boolean;
  readonly underlay: boolean;
  readonly client: boolean;
  readonly attached: boolean;
  readonly relay: boolean;
  readonly balancer: boolean;
  /** The nodes whose init lives. */
  readonly nodes: ReadonlyMap<string, ProcessId>;
  /** Processes in the lab's cgroups. */
  readonly processes: readonly number[];
}

/** The nodes whose init lives, of a lab that was started in this boot. */
export async function livingNodes(state: LabState): Promise<ReadonlyMap<string, ProcessId>> {
  const nodes = new Map<string, ProcessId>();
  if (state.bootId !== (await readBootId())) return nodes;
  for (const [name, id] of Object.entries(state.nodes)) if (await isAlive(id)) nodes.set(name, id);
  return nodes;
}

export async function surveyLab({ exec, tools }: LabContext, plan: LabPlan, state: LabState | undefined): Promise<Survey> {
  const hierarchies = await readHierarchies();
  const [bootId, attached, processes] = await Promise.all([
    readBootId(),
    isAttached(exec, tools, plan),
    processesIn(hierarchies.slice(0, 1), plan.cgroup),
  ]);
  const rebooted = state !== undefined && state.bootId !== bootId;
  const nodes = state ? await livingNodes(state) : new Map<string, ProcessId>();
  const lives = async (id: ProcessId | undefined): Promise<boolean> => id !== undefined && !rebooted && (await isAlive(id));
  return {
    rebooted,
    underlay: netnsExists(plan.underlayNetns),
    client: netnsExists(plan.clientNetns),
    attached,
    relay: await lives(state?.relay),
    balancer: await lives(state?.balancer),
    nodes,
    processes,
  };
}

/** Whether there is nothing of it outside its directory. */
export function isGone(survey: Survey): boolean {
  return !survey.underlay && !survey.client && !survey.attached && survey.processes.length === 0;
}
