import { chown, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureClusterPki } from '../bootstrap/pki.ts';
import { writeSecret } from '../bootstrap/secret-file.ts';
import { isKnownError } from '../errors/known-error.ts';
import { makeCgroups, readDelegated, readHierarchies } from './cgroups.ts';
import { clearLab, endProcesses, type LabContext } from './down.ts';
import { ensureImageStore } from './images/image-store.ts';
import { loadKept } from './images/load.ts';
import { snapshotterFor } from './images/snapshotter.ts';
import { checkKernel, prepareKernel } from './kernel.ts';
import { attachHost, checkRanges, egressSysctls, openEgress, readSysctls } from './net/host.ts';
import { makeUnderlay } from './net/underlay.ts';
import { lacksSysResource } from './node/containerd-config.ts';
import { type LaunchContext, launchNode } from './node/launch-node.ts';
import type { LabOptions, LabPlan } from './plan.ts';
import { type ProcessId, readBootId } from './process-id.ts';
import { relayCredential, startRelay } from './relay/start-relay.ts';
import { type LabState, makeThoroughfare, removeState, writeState } from './state.ts';
import { isGone, type Survey, surveyLab } from './survey.ts';
import { waitForCluster, waitForParts } from './wait-for-cluster.ts';

export interface UpOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** The user the kubeconfig belongs to. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/** What certificates and stored objects depend on. */
const lasting: readonly (keyof LabOptions)[] = ['underlay', 'podCidr', 'serviceCidr', 'nodePortRange', 'clusterDomain'];

/** What a lab cannot take over from a new command line: while it runs everything but the number of workers, else what its data depends on. */
export function changedOptions(present: LabOptions, wanted: LabOptions, running: boolean): string[] {
  const keys = running ? (Object.keys(wanted) as (keyof LabOptions)[]).filter((key) => key !== 'workers') : lasting;
  return keys.filter((key) => present[key] !== wanted[key]);
}

/** Tells what an earlier run left, and takes away what cannot be used again. Gives the nodes that go on. */
async function adopt(
  context: LabContext,
  plan: LabPlan,
  state: LabState | undefined,
  survey: Survey,
): Promise<ReadonlyMap<string, ProcessId>> {
  const { progress } = context;
  const none: ReadonlyMap<string, ProcessId> = new Map();
  const name = `lab "${plan.options.name}"`;
  if (survey.rebooted) {
    progress.note(`Found ${name} from before this machine was restarted: starting it again with its objects`);
    // Links and processes are gone with the boot; a disk-backed /run and an old lab of the same name are not.
    await clearLab(context, plan, undefined);
    return none;
  }
  if (isGone(survey)) {
    if (state) progress.note(`Found the data of ${name}: starting it again with its objects`);
    return none;
  }
  const usable = state !== undefined && survey.underlay && survey.client === plan.options.client;
  if (!usable) {
    progress.note(`Found leftovers of ${name} (${survey.processes.length} processes): clearing them away`);
    await clearLab(context, plan, state);
    return none;
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
  return new Map([...survey.nodes].filter(([node]) => !ended.has(node)));
}

async function exportKubeconfig(plan: LabPlan, owner: UpOptions['owner']): Promise<void> {
  await writeSecret(plan.kubeconfig, await readFile(join(plan.pkiDir, 'admin.conf'), 'utf8'), owner);
  if (owner) await chown(plan.kubeconfig, owner.uid, owner.gid);
}

/** Starts a lab, or whatever is missing of it. Returns when its nodes are Ready and its DNS answers. */
export async function labUp(context: LabContext, plan: LabPlan, state: LabState | undefined, options: UpOptions): Promise<void> {
  const { exec, clock, tools, progress } = context;
  const hierarchies = await readHierarchies();
  const survey = await surveyLab(exec, tools, hierarchies, plan, state);
  const alive = await adopt(context, plan, state, survey);
  const fresh = alive.size === 0 && !(survey.underlay && state && !survey.rebooted && survey.client === plan.options.client);
  const attached = !fresh && survey.attached;
  if (plan.options.attach && !attached) await checkRanges(exec, tools, plan);

  // What is in it is no secret, and the npm scripts look there before they become root.
  await makeThoroughfare(plan.cacheDir);
  await makeThoroughfare(plan.dir);
  const [snapshotter, status, bootId] = await Promise.all([snapshotterFor(plan.dir), readFile('/proc/self/status', 'utf8'), readBootId()]);
  let next: LabState = {
    version: 1,
    options: plan.options,
    bootId,
    nodes: Object.fromEntries(alive),
    sysctls: attached ? (state?.sysctls ?? {}) : plan.options.egress === 'nat' ? readSysctls(egressSysctls()) : {},
    ...(survey.relay && state?.relay ? { relay: state.relay } : {}),
    ...delegatedBefore(fresh ? await readDelegated(hierarchies) : state?.delegated),
  };
  await writeState(plan, next);

  const making = [
    ensureImageStore({ cacheDir: plan.cacheDir, busybox: tools.busybox, snapshotter, exec, clock, timeoutMs: options.timeoutMs }),
    ensureClusterPki({
      dir: plan.pkiDir,
      cluster: plan.options.name,
      server: plan.server,
      addresses: [plan.controlPlane.address, plan.hostAddress],
      names: [plan.controlPlane.name],
      serviceAddress: plan.kubernetesAddress,
      clusterDomain: plan.options.clusterDomain,
      now: clock.now(),
    }),
    fresh ? prepareKernel(exec).then(() => makeNetwork(context, plan)) : undefined,
  ] as const;
  const failures = (await Promise.allSettled(making)).flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  // What the kernel lacks is why the rest failed. Such a machine is left as it was found: nothing of the lab could be used again.
  const lacking = failures.find((reason) => isKnownError(reason, 'KERNEL_FEATURE_MISSING'));
  if (lacking && fresh) {
    await clearLab(context, plan, next);
    await removeState(plan, state !== undefined);
  }
  if (failures.length > 0) throw lacking ?? failures[0];
  const images = await making[0];
  if (images.built) progress.note('Prepared the images fairlead.local/box:1 and fairlead.local/pause:1');

  const launch: LaunchContext = {
    plan,
    tools,
    hierarchies,
    imageStore: images.dir,
    containerd: { snapshotter, restrictOomScore: lacksSysResource(status) },
    exec,
    clock,
    timeoutMs: options.timeoutMs,
    credential: plan.options.relay ? await relayCredential(plan) : undefined,
    nameservers: plan.options.upstreamDns !== undefined ? [plan.options.upstreamDns] : plan.options.relay ? [plan.relayAddress] : [],
  };
  const missing = plan.nodes.filter((node) => !alive.has(node.name));
  if (missing.length > 0) {
    const started = await progress.step(`Booted ${missing.map((n) => n.name).join(', ')}`, () =>
      Promise.all(missing.map(async (node) => [node.name, await launchNode(launch, node)] as const)),
    );
    next = { ...next, nodes: { ...next.nodes, ...Object.fromEntries(started) } };
    await writeState(plan, next);
  }
  if (plan.options.relay && next.relay === undefined) {
    if (!fresh) progress.note('Found the relay dead: starting it again');
    await makeCgroups(hierarchies.slice(0, 1), plan.cgroup, 'relay');
    next = { ...next, relay: await startRelay(hierarchies, plan) };
    await writeState(plan, next);
  }
  if (plan.options.attach && !attached) {
    await progress.step(`Attached this machine by ${plan.hostLink} (${plan.hostAddress})`, async () => {
      await attachHost(exec, tools, plan);
      if (plan.options.egress === 'nat') await openEgress(exec, tools, plan);
    });
  }
  await exportKubeconfig(plan, options.owner);
  await waitForCluster(context, plan, options);
  await waitForParts(context, plan, new Map(Object.entries(next.nodes)), options);
  await loadKept(context, plan, new Map(missing.flatMap(({ name }) => (next.nodes[name] ? [[name, next.nodes[name]]] : []))));
}

async function makeNetwork(context: LabContext, plan: LabPlan): Promise<void> {
  const { exec, tools } = context;
  await makeUnderlay(exec, tools, plan);
  await checkKernel(exec, tools, plan.underlayNetns);
}

function delegatedBefore(names: readonly string[] | undefined): { delegated?: readonly string[] } {
  return names === undefined ? {} : { delegated: names };
}
