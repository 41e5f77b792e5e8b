/** Starts a lab, or what is missing of it: `fairlead lab up`. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSecret } from '../bootstrap/secret-file.ts';
import { type Hierarchy, readDelegated, readHierarchies } from './cgroups.ts';
import { clearLab, endProcesses, type LabContext } from './down.ts';
import { loadKept } from './images/load.ts';
import type { LabOptions } from './lab-options.ts';
import { LabStart } from './lab-start.ts';
import { checkRanges, egressSysctls } from './net/host.ts';
import type { LabPlan } from './plan.ts';
import { type ProcessId, readBootId } from './process-id.ts';
import { type LabState, makePrivate, makeThoroughfare } from './state.ts';
import { isGone, type Survey, surveyLab } from './survey.ts';
import { waitForCluster, waitForParts } from './wait-for-cluster.ts';

export interface UpOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The user the kubeconfig belongs to. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/** What certificates and stored objects depend on. */
const lasting: readonly (keyof LabOptions)[] = [
  ...(['underlay', 'podCidr', 'serviceCidr', 'nodePortRange', 'clusterDomain'] as const),
  ...(['controlPlanes', 'store'] as const),
];

/** What a lab cannot take over from a new command line: while it runs everything but the number of workers, else what its data depends on. */
export function changedOptions(present: LabOptions, wanted: LabOptions, running: boolean): string[] {
  const keys = running ? (Object.keys(wanted) as (keyof LabOptions)[]).filter((key) => key !== 'workers') : lasting;
  return keys.filter((key) => present[key] !== wanted[key]);
}

/** What of an earlier run goes on. */
interface Kept {
  readonly network: boolean;
  readonly attached: boolean;
  readonly relay: boolean;
  readonly balancer: boolean;
  readonly nodes: ReadonlyMap<string, ProcessId>;
}

const nothing: Kept = { network: false, attached: false, relay: false, balancer: false, nodes: new Map() };

/** Tells what an earlier run left, and takes away what cannot be used again. */
async function adopt(context: LabContext, plan: LabPlan, state: LabState | undefined, survey: Survey): Promise<Kept> {
  const { progress } = context;
  const name = `lab "${plan.options.name}"`;
  if (survey.rebooted) {
    progress.note(`Found ${name} from before this machine was restarted: starting it again with its objects`);
    // Links and processes are gone with the boot; a disk-backed /run and an old lab of the same name are not.
    await clearLab(context, plan, undefined);
    return nothing;
  }
  if (isGone(survey)) {
    if (state) progress.note(`Found the data of ${name}: starting it again with its objects`);
    return nothing;
  }
  if (state === undefined || !survey.underlay || survey.client !== plan.options.client) {
    progress.note(`Found leftovers of ${name} (${survey.processes.length} processes): clearing them away`);
    await clearLab(context, plan, state);
    return nothing;
  }
  const dead = plan.nodes.filter((node) => !survey.nodes.has(node.name));
  if (dead.length === 0) progress.note(`Found ${name} running: ${survey.nodes.size} nodes`);
  else if (survey.nodes.size === 0) progress.note(`Found ${name} with none of its nodes alive: starting them again`);
  else progress.note(`Found ${name} with ${survey.nodes.size} nodes alive; starting ${dead.map((n) => n.name).join(', ')}`);
  const hierarchies = await readHierarchies();
  const surplus = Object.keys(state.nodes).filter((n) => !plan.nodes.some((p) => p.name === n));
  if (surplus.length > 0) progress.note(`Ending ${surplus.join(', ')}: no more than ${plan.options.workers} of the workers are wanted`);
  const ended = new Set([...surplus, ...dead.map((n) => n.name)]);
  await Promise.all([...ended].map((node) => endProcesses(context, hierarchies, state, plan.cgroup, node)));
  await Promise.all(surplus.map((node) => rm(join(plan.dir, 'nodes', node), { recursive: true, force: true })));
  const nodes = new Map([...survey.nodes].filter(([node]) => !ended.has(node)));
  return { network: true, attached: survey.attached, relay: survey.relay, balancer: survey.balancer, nodes };
}

async function exportKubeconfig(plan: LabPlan, owner: UpOptions['owner']): Promise<void> {
  await writeSecret(plan.kubeconfig, await readFile(join(plan.pkiDir, 'admin.conf'), 'utf8'), owner);
}

/** The record that is written before anything is made. */
async function firstState(plan: LabPlan, before: LabState | undefined, kept: Kept, hierarchies: readonly Hierarchy[]): Promise<LabState> {
  const delegated = kept.network ? before?.delegated : await readDelegated(hierarchies);
  const taken = plan.options.egress === 'nat' ? egressSysctls() : {};
  return {
    version: 1,
    options: plan.options,
    bootId: await readBootId(),
    nodes: Object.fromEntries(kept.nodes),
    sysctls: kept.attached ? (before?.sysctls ?? {}) : taken,
    ...(kept.relay && before?.relay && { relay: before.relay }),
    ...(kept.balancer && before?.balancer && { balancer: before.balancer }),
    ...(delegated && { delegated }),
  };
}

/** Starts a lab, or whatever is missing of it. Returns when its nodes are Ready and its DNS answers. */
export async function labUp(context: LabContext, plan: LabPlan, state: LabState | undefined, options: UpOptions): Promise<void> {
  const { exec, tools } = context;
  const hierarchies = await readHierarchies();
  const survey = await surveyLab(context, plan, state);
  const kept = await adopt(context, plan, state, survey);
  if (plan.options.attach && !kept.attached) await checkRanges(exec, tools, plan);
  // What is in it is no secret, and the npm scripts look there before they become root.
  await makeThoroughfare(plan.cacheDir);
  await makeThoroughfare(plan.dir);
  // Logs, volumes and images of every pod.
  await makePrivate(join(plan.dir, 'nodes'));
  const first = await firstState(plan, state, kept, hierarchies);
  const start = new LabStart(context, plan, options, hierarchies, first);
  await start.record({});
  const imageStore = await start.prepare(kept.network, state !== undefined);
  // Before the nodes, which ask for it at once.
  await start.ensureBalancer(kept.network);
  const booted = await start.boot(imageStore);
  await start.ensureRelay(kept.network);
  if (!kept.attached) await start.attach();
  if (plan.options.bare) return;
  await exportKubeconfig(plan, options.owner);
  await waitForCluster(context, plan, options);
  await waitForParts(context, plan, start.nodes(), options);
  await loadKept(context, plan, booted);
}
