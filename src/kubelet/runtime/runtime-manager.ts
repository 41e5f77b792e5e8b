/** Carries out what computePodActions decided for a pod. */

import { mkdir } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Input } from '../../api/codec/message-type.ts';
import type { Container, Pod, ResourceRequirements } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Family } from '../../ip/ip.ts';
import { type Cri, unlessMissing } from '../cri/cri.ts';
import type { DNSConfig, PodSandboxConfig } from '../cri/messages.ts';
import type { CgroupManager } from '../node/cgroup-manager.ts';
import type { ContainerResize, PodActions } from '../pod/actions.ts';
import { type ClusterDns, podDns } from '../pod/dns.ts';
import type { NodeFacts } from '../pod/downward.ts';
import { type PodRuntime, type SandboxRecord, sandboxRecord } from '../pod/pod-runtime.ts';
import { type ResizeProblem, withActualResources } from '../pod/resize.ts';
import { containerResources, podResources } from '../pod/resources.ts';
import { logDirectory, sandboxConfig } from '../pod/sandbox-config.ts';
import { initAndMainContainers, specOf } from '../pod/spec.ts';
import type { WaitReason } from '../pod/status.ts';
import type { ContainerKiller } from './container-killer.ts';
import type { ContainerStarter } from './container-starter.ts';
import { removeLog } from './log-rotator.ts';
import type { PodEvents } from './pod-events.ts';
import { StartError } from './start-error.ts';

export interface RuntimeManagerOptions {
  readonly cri: Cri;
  readonly events: PodEvents;
  readonly cgroups: CgroupManager;
  readonly starter: ContainerStarter;
  readonly killer: ContainerKiller;
  readonly clusterDns: ClusterDns;
  readonly hostDns: () => Promise<DNSConfig>;
  readonly logsRoot: string;
  /** The runtime's name for a RuntimeClass; rejects when there is no such class. */
  readonly runtimeHandler: (runtimeClass: string) => Promise<string>;
  /** Bytes of the node. */
  readonly memoryCapacity: number;
  /** Of pods' first addresses. */
  readonly podFamily?: Family;
}

export interface PodSync {
  readonly pod: Pod;
  readonly runtime: PodRuntime;
  readonly actions: PodActions;
  /** The paths of volumes by name. */
  readonly volumes: ReadonlyMap<string, string>;
  readonly facts: NodeFacts;
  readonly onStarted: (container: string) => Promise<void>;
  /** Aborts when the pod is to end. */
  readonly signal: AbortSignal;
}

/** What came of a sync: why containers wait, and when to look again. */
export interface SyncOutcome {
  readonly waiting: ReadonlyMap<string, WaitReason>;
  readonly started: readonly string[];
  /** By the container's id, what it has now. */
  readonly resized: ReadonlyMap<string, ResourceRequirements>;
  readonly resizeProblem: ResizeProblem | undefined;
  /** ms until something that is held off may be tried. */
  readonly retryMs: number | undefined;
  /** The sandbox or something before it failed; the worker backs off. */
  readonly error: string | undefined;
}

/** Until a resize that the runtime refused is tried again: memory may have been given back by then. */
const resizeRetryMs = 10_000;

export class RuntimeManager {
  readonly #options: RuntimeManagerOptions;

  constructor(options: RuntimeManagerOptions) {
    this.#options = options;
  }

  /** Carries out what was decided, in this order: kills, resizes, the sandbox, containers. */
  async syncPod(sync: PodSync): Promise<SyncOutcome> {
    const { pod, runtime, actions, signal } = sync;
    await this.#kill(sync);
    const resize = await this.#resize(pod, runtime, actions);
    const retryMs = resize.resizeProblem && resizeRetryMs;
    const outcome: SyncOutcome = { waiting: new Map(), started: [], ...resize, retryMs, error: undefined };
    if (actions.createSandbox === undefined && actions.start.length === 0) return outcome;

    const { logsRoot, clusterDns, hostDns } = this.#options;
    const attempt = actions.createSandbox ?? runtime.sandboxes[0]?.attempt ?? 0;
    const config = sandboxConfig({ pod, attempt, dns: podDns(pod, clusterDns, await hostDns()), logsRoot });
    let sandbox: SandboxRecord | undefined;
    try {
      sandbox = actions.createSandbox === undefined ? runtime.sandboxes[0] : await this.#createPodSandbox(pod, config);
    } catch (err) {
      const error = `Failed to create pod sandbox: ${messageOf(err)}`;
      this.#options.events.pod(pod, 'Warning', 'FailedCreatePodSandBox', error);
      return { ...outcome, error };
    }
    if (!sandbox || signal.aborted) return outcome;
    const starts = await this.#startContainers(sync, sandbox, config);
    return { ...outcome, ...starts, retryMs: sooner(retryMs, starts.retryMs) };
  }

  async #kill({ pod, runtime, actions }: PodSync): Promise<void> {
    const { killer } = this.#options;
    const grace = specOf(pod).terminationGracePeriodSeconds ?? 30;
    if (actions.killPod) return await killer.killPod(runtime, pod, grace);
    const podIp = runtime.sandboxes[0]?.ips[0] ?? '';
    await Promise.all(
      actions.kill.map(async ({ id, message, reason }) => {
        const record = runtime.containers.find((c) => c.id === id);
        if (record) await killer.kill(record, pod, podIp, probeGrace(pod, record.name, reason) ?? grace, message);
      }),
    );
  }

  async #createPodSandbox(pod: Pod, config: Input<PodSandboxConfig>): Promise<SandboxRecord> {
    const { cri, cgroups, logsRoot, runtimeHandler, podFamily } = this.#options;
    const { runtimeClassName } = specOf(pod);
    await Promise.all([mkdir(logDirectory(pod, logsRoot), { recursive: true, mode: 0o755 }), cgroups.createPod(podResources(pod))]);
    const handler = runtimeClassName ? await runtimeHandler(runtimeClassName) : '';
    return sandboxRecord(await cri.podSandboxStatus(await cri.runPodSandbox(config, handler)), podFamily);
  }

  async #startContainers(
    { pod, runtime, actions, volumes, facts, onStarted, signal }: PodSync,
    { id, hostNetwork, ips }: SandboxRecord,
    sandbox: Input<PodSandboxConfig>,
  ): Promise<Pick<SyncOutcome, 'waiting' | 'started' | 'retryMs'>> {
    const waiting = new Map<string, WaitReason>();
    const started: string[] = [];
    const podIps = hostNetwork ? facts.hostIps : ips;
    const context = { pod, runtime, sandboxId: id, sandbox, volumes, facts: { ...facts, podIps }, signal };
    // A container killed above has ended: its record must say so for the back-off to count from there. The next sync sees it.
    const isKilled = ({ name }: Container): boolean => actions.kill.some((k) => k.name === name);
    let retryMs = actions.start.some(isKilled) ? 0 : undefined;
    for (const container of actions.start.filter((c) => !isKilled(c))) {
      if (signal.aborted) break;
      try {
        await this.#options.starter.start(container, context);
        started.push(container.name);
        await onStarted(container.name);
      } catch (err) {
        if (signal.aborted) break;
        const { reason, message, retryMs: wait = 1000 } = this.#startFailed(pod, container, err);
        waiting.set(container.name, { reason, message });
        retryMs = sooner(retryMs, wait);
      }
    }
    return { waiting, started, retryMs };
  }

  #startFailed(pod: Pod, container: Container, err: unknown): StartError {
    const known = err instanceof StartError ? err : new StartError('CreateContainerError', messageOf(err));
    if (known.reason.endsWith('Pull') || known.reason === 'ImagePullBackOff')
      this.#options.events.container(pod, container, 'Warning', 'Failed', `Error: ${known.reason}`);
    return known;
  }

  /** A pod's cgroup must never be smaller than what stands in it: it grows first and shrinks last. */
  async #resize(pod: Pod, runtime: PodRuntime, { resize, start }: PodActions): Promise<Pick<SyncOutcome, 'resized' | 'resizeProblem'>> {
    const resized = new Map<string, ResourceRequirements>();
    const nothing = { resized, resizeProblem: undefined };
    if (resize.length === 0 && start.length === 0) return nothing;
    const [before, after] = [podResources(withActualResources(pod, runtime)), podResources(pod)];
    // A container that is started anew may have been resized meanwhile.
    if (resize.length === 0 && isDeepStrictEqual(before, after)) return nothing;
    const { cgroups, cri, memoryCapacity } = this.#options;
    await cgroups.createPod({
      ...after,
      cpuQuota: larger(before.cpuQuota, after.cpuQuota),
      memoryLimit: larger(before.memoryLimit, after.memoryLimit),
    });
    const problems: string[] = [];
    const one = async ({ id, container }: ContainerResize): Promise<void> => {
      try {
        const resources = containerResources(pod, container, memoryCapacity);
        await this.#checkMemory(id, container.name, resources.memoryLimitInBytes ?? 0);
        await cri.updateContainerResources(id, resources);
        resized.set(id, container.resources ?? {});
      } catch (err) {
        problems.push(`Cannot resize container ${container.name}: ${messageOf(err)}`);
      }
    };
    await Promise.all(resize.map(one));
    if (problems.length === 0) await cgroups.createPod(after);
    const resizeProblem = problems.length > 0 && ({ type: 'PodResizeInProgress', reason: 'Error', message: problems.join('; ') } as const);
    return { resized, resizeProblem: resizeProblem || undefined };
  }

  /** Version 2 of cgroups would take a limit below what is in use, and kill the container for it. */
  async #checkMemory(id: string, name: string, limit: number): Promise<void> {
    if (limit === 0) return;
    const { memory } = (await this.#options.cri.listContainerStats()).find((s) => s.attributes?.id === id) ?? {};
    const usage = (memory?.usageBytes ?? memory?.workingSetBytes)?.value ?? 0;
    if (usage >= limit)
      throw new Error(`attempting to set container ${JSON.stringify(name)} memory limit (${limit}) below current usage (${usage})`);
  }

  /** Removes dead containers that nobody will ask for: of each name the newest one that ended is kept, for its logs. */
  async collect(runtime: PodRuntime, all: boolean): Promise<void> {
    const { cri } = this.#options;
    const seen = new Set<string>();
    for (const record of runtime.containers) {
      if (record.state === 'running') continue;
      if (!all && !seen.has(record.name)) {
        seen.add(record.name);
        continue;
      }
      await unlessMissing(cri.removeContainer(record.id));
      if (record.logPath !== '') await removeLog(record.logPath);
    }
    for (const [i, sandbox] of runtime.sandboxes.entries()) {
      const used = runtime.containers.some((c) => c.sandboxId === sandbox.id);
      if (all || (i > 0 && !sandbox.ready && !used)) await unlessMissing(cri.removePodSandbox(sandbox.id));
    }
  }
}

/** Of two waits; undefined is none. */
function sooner(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** Of two limits; 0 is none. */
function larger(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : Math.max(a, b);
}

/** A liveness or startup probe may grant less time than the pod. */
function probeGrace(pod: Pod, name: string, reason: string): number | undefined {
  const container = initAndMainContainers(pod).find((c) => c.name === name);
  if (reason === 'LivenessProbe') return container?.livenessProbe?.terminationGracePeriodSeconds;
  if (reason === 'StartupProbe') return container?.startupProbe?.terminationGracePeriodSeconds;
  return undefined;
}
