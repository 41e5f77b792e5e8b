import { readFile } from 'node:fs/promises';
import { ensureClusterPki } from '../bootstrap/pki.ts';
import { ensureStorePki } from '../bootstrap/store-pki.ts';
import { isKnownError } from '../errors/known-error.ts';
import { startBalancer } from './balancer/start.ts';
import type { Hierarchy } from './cgroups.ts';
import { clearLab, type LabContext } from './down.ts';
import { ensureImageStore } from './images/image-store.ts';
import { snapshotterFor } from './images/snapshotter.ts';
import { checkKernel, prepareKernel } from './kernel.ts';
import { attachHost, openEgress } from './net/host.ts';
import { makeUnderlay } from './net/underlay.ts';
import { lacksSysResource } from './node/containerd-config.ts';
import { type LaunchContext, launchNode } from './node/launch-node.ts';
import { isBalanced, type LabPlan } from './plan.ts';
import type { ProcessId } from './process-id.ts';
import { relayCredential, startRelay } from './relay/start.ts';
import { type LabState, removeState, writeState } from './state.ts';
import { storeOf } from './store/stores.ts';
import type { UpOptions } from './up.ts';

/** Makes what a lab consists of, one thing after the other, and records each. */
export class LabStart {
  readonly #context: LabContext;
  readonly #plan: LabPlan;
  readonly #options: UpOptions;
  readonly #hierarchies: readonly Hierarchy[];
  #state: LabState;

  constructor(context: LabContext, plan: LabPlan, options: UpOptions, hierarchies: readonly Hierarchy[], state: LabState) {
    this.#context = context;
    this.#plan = plan;
    this.#options = options;
    this.#hierarchies = hierarchies;
    this.#state = state;
  }

  nodes(): ReadonlyMap<string, ProcessId> {
    return new Map(Object.entries(this.#state.nodes));
  }

  async record(change: Partial<LabState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    await writeState(this.#plan, this.#state);
  }

  /** Images, keys, and the network unless it is there. Gives the directory of the images. */
  async prepare(hasNetwork: boolean, hasData: boolean): Promise<string> {
    const making = [this.#makeImages(), this.#makeKeys(), hasNetwork ? undefined : this.#makeNetwork()] as const;
    const failures = (await Promise.allSettled(making))
      .filter((result) => result.status === 'rejected')
      .map(({ reason }) => reason as unknown);
    // What the kernel lacks is why the rest failed. Such a machine is left as it was found: nothing of the lab could be used again.
    const lacking = failures.find((reason) => isKnownError(reason, 'KERNEL_FEATURE_MISSING'));
    if (lacking && !hasNetwork) {
      await clearLab(this.#context, this.#plan, this.#state);
      await removeState(this.#plan, hasData);
    }
    if (failures.length > 0) throw lacking ?? failures[0];
    return await making[0];
  }

  async #makeImages(): Promise<string> {
    const { exec, clock, tools, progress } = this.#context;
    const { cacheDir, dir } = this.#plan;
    const { timeoutMs } = this.#options;
    const snapshotter = await snapshotterFor(dir);
    const images = await ensureImageStore({ cacheDir, busybox: tools.busybox, snapshotter, exec, clock, timeoutMs });
    if (images.built) progress.note('Prepared the images fairlead.local/box:1 and fairlead.local/pause:1');
    return images.dir;
  }

  async #makeKeys(): Promise<void> {
    const plan = this.#plan;
    if (plan.options.bare) return;
    const now = this.#context.clock.now();
    if (storeOf(plan).program) await ensureStorePki({ pkiDir: plan.pkiDir, store: plan.store, now });
    await ensureClusterPki({
      dir: plan.pkiDir,
      cluster: plan.options.name,
      server: plan.server,
      addresses: [
        ...plan.controlPlanes.flatMap(({ addresses }) => addresses),
        ...plan.families.flatMap((one) => [one.apiAddress, one.hostAddress]),
      ],
      names: plan.controlPlanes.map(({ name }) => name),
      serviceAddress: plan.kubernetesAddress,
      clusterDomain: plan.options.clusterDomain,
      now,
    });
  }

  async #makeNetwork(): Promise<void> {
    const { exec, tools } = this.#context;
    await prepareKernel(exec);
    await makeUnderlay(exec, tools, this.#plan);
    await checkKernel(exec, tools, this.#plan.underlayNetns);
  }

  /** Starts the nodes that do not live, and gives them. */
  async boot(imageStore: string): Promise<ReadonlyMap<string, ProcessId>> {
    const missing = this.#plan.nodes.filter((node) => !(node.name in this.#state.nodes));
    if (missing.length === 0) return new Map();
    const launch = await this.#launchContext(imageStore);
    const booted = await this.#context.progress.step(`Booted ${missing.map((n) => n.name).join(', ')}`, () =>
      Promise.all(missing.map(async (node) => [node.name, await launchNode(launch, node)] as const)),
    );
    await this.record({ nodes: { ...this.#state.nodes, ...Object.fromEntries(booted) } });
    return new Map(booted);
  }

  async #launchContext(imageStore: string): Promise<LaunchContext> {
    const plan = this.#plan;
    const { relay, upstreamDns } = plan.options;
    const [snapshotter, status] = await Promise.all([snapshotterFor(plan.dir), readFile('/proc/self/status', 'utf8')]);
    return {
      ...this.#context,
      plan,
      hierarchies: this.#hierarchies,
      imageStore,
      containerd: { snapshotter, restrictOomScore: lacksSysResource(status) },
      timeoutMs: this.#options.timeoutMs,
      credential: relay ? await relayCredential(plan) : undefined,
      nameservers: upstreamDns !== undefined ? [upstreamDns] : relay ? [plan.relayAddress] : [],
    };
  }

  async ensureRelay(hadNetwork: boolean): Promise<void> {
    if (!this.#plan.options.relay || this.#state.relay !== undefined) return;
    if (hadNetwork) this.#context.progress.note('Found the relay dead: starting it again');
    await this.record({ relay: await startRelay(this.#hierarchies, this.#plan) });
  }

  async ensureBalancer(hadNetwork: boolean): Promise<void> {
    if (!isBalanced(this.#plan) || this.#state.balancer !== undefined) return;
    if (hadNetwork) this.#context.progress.note('Found the balancer dead: starting it again');
    await this.record({ balancer: await startBalancer(this.#context.tools, this.#hierarchies, this.#plan) });
  }

  async attach(): Promise<void> {
    const plan = this.#plan;
    if (!plan.options.attach) return;
    const { exec, tools, progress } = this.#context;
    await progress.step(`Attached this machine by ${plan.hostLink} (${plan.hostAddress})`, async () => {
      await attachHost(exec, tools, plan);
      if (plan.options.egress === 'nat') await openEgress(exec, tools, plan);
    });
  }
}
