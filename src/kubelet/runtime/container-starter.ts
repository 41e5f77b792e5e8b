/** Starts one container of a pod that has its sandbox: image, back-off, environment, mounts, create, start, postStart. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Input } from '../../api/codec/message-type.ts';
import type { Container, Pod, Service } from '../../api/schema/types.ts';
import { orAborted } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { formatDuration } from '../../clock/duration.ts';
import { KeyedBackOff } from '../../clock/keyed-back-off.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Cri } from '../cri/cri.ts';
import type { Image, PodSandboxConfig } from '../cri/messages.ts';
import { type BindMount, containerConfig } from '../pod/container-config.ts';
import type { NodeFacts } from '../pod/downward.ts';
import { ConfigError, type ConfigSource, environmentOf } from '../pod/env.ts';
import { expand } from '../pod/expand.ts';
import { hostsFile } from '../pod/hosts-file.ts';
import { type ContainerRecord, latestOf, type PodRuntime } from '../pod/pod-runtime.ts';
import { fullNameOf, isReadOnly, specOf, uidOf } from '../pod/spec.ts';
import type { VolumeManager } from '../volume/volume-manager.ts';
import type { ContainerKiller } from './container-killer.ts';
import { HeldOffStarts } from './held-off-starts.ts';
import { runHook } from './hooks.ts';
import type { ImagePuller } from './image-puller.ts';
import type { PodEvents } from './pod-events.ts';
import { restartCountOfLogs } from './restart-count.ts';
import { StartError } from './start-error.ts';

const postStartMs = 120_000;

export interface StarterOptions {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly events: PodEvents;
  readonly images: ImagePuller;
  readonly volumes: VolumeManager;
  readonly killer: ContainerKiller;
  readonly source: ConfigSource;
  /** All Services of the cluster; rejects or waits until they are known. */
  readonly services: () => readonly Service[];
  readonly clusterDomain: string;
  readonly nodeHosts: () => Promise<string>;
  readonly memoryCapacity: number;
  readonly seccompRoot: string;
}

export interface StartContext {
  readonly pod: Pod;
  readonly runtime: PodRuntime;
  readonly sandboxId: string;
  readonly sandbox: Input<PodSandboxConfig>;
  readonly volumes: ReadonlyMap<string, string>;
  readonly facts: NodeFacts;
  /** Aborts when the pod is to end: nothing more is started then. */
  readonly signal: AbortSignal;
}

export class ContainerStarter {
  readonly #options: StarterOptions;
  readonly #backOff = new KeyedBackOff();
  readonly #heldOff: HeldOffStarts;

  constructor(options: StarterOptions) {
    this.#options = options;
    this.#heldOff = new HeldOffStarts(options.clock);
  }

  forget(podUid: string): void {
    this.#heldOff.forget(podUid);
    this.#backOff.forget(podUid);
    this.#options.images.forget(podUid);
  }

  /** Starts the container. Throws StartError with the reason for which it waits, and when to try again. */
  async start(container: Container, context: StartContext): Promise<void> {
    await this.#heldOff.attempt(context.pod, container, () => this.#start(container, context));
  }

  async #start(container: Container, context: StartContext): Promise<void> {
    const { cri, events } = this.#options;
    const { pod, runtime, sandboxId, sandbox, signal } = context;
    const latest = latestOf(runtime, container.name);
    this.#checkBackOff(pod, container, latest);
    const image = await this.#options.images.ensure(pod, container, sandbox, signal);
    signal.throwIfAborted();
    let id: string;
    try {
      checkUser(pod, container, image);
      // A log that is there already belongs to an earlier start: its text must not be mixed with this one's.
      const restartCount = latest ? latest.restartCount + 1 : await restartCountOfLogs(join(sandbox.logDirectory ?? '', container.name));
      const config = await this.#config(container, context, image.id, restartCount);
      id = await cri.createContainer(sandboxId, config, sandbox);
    } catch (err) {
      const reason = err instanceof ConfigError ? err.reason : 'CreateContainerError';
      events.container(pod, container, 'Warning', 'Failed', `Error: ${messageOf(err)}`);
      throw new StartError(reason, messageOf(err));
    }
    events.container(pod, container, 'Normal', 'Created', `Created container: ${container.name}`);
    try {
      await cri.startContainer(id);
    } catch (err) {
      events.container(pod, container, 'Warning', 'Failed', `Error: ${messageOf(err)}`);
      throw new StartError('RunContainerError', messageOf(err), 0);
    }
    events.container(pod, container, 'Normal', 'Started', `Started container ${container.name}`);

    const hook = container.lifecycle?.postStart;
    if (!hook) return;
    const podIp = context.facts.podIps[0] ?? '';
    // A pod that is to end does not wait for its hook.
    const failure = await orAborted(runHook(hook, { cri, containerId: id, container, podIp }, postStartMs), signal);
    if (failure === undefined) return;
    events.container(pod, container, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${failure}`);
    const status = await cri.containerStatus(id);
    const grace = specOf(pod).terminationGracePeriodSeconds ?? 30;
    const record = { id: status.id, name: container.name, state: 'running' } as ContainerRecord;
    await this.#options.killer.kill(record, pod, podIp, grace, 'FailedPostStartHook');
    throw new StartError('PostStartHookError', `PostStartHook failed: ${failure}`, 0);
  }

  #checkBackOff(pod: Pod, container: Container, latest: ContainerRecord | undefined): void {
    if (latest?.state !== 'exited') return;
    const { clock, events } = this.#options;
    const key = `${uidOf(pod)}/${container.name}`;
    const now = clock.now();
    const remaining = this.#backOff.remaining(key, latest.finishedAt, now);
    if (remaining === 0) {
      this.#backOff.next(key, latest.finishedAt, now);
      return;
    }
    const name = fullNameOf(pod);
    events.container(pod, container, 'Warning', 'BackOff', `Back-off restarting failed container ${container.name} in pod ${name}`);
    const text = formatDuration(this.#backOff.delay(key));
    throw new StartError('CrashLoopBackOff', `back-off ${text} restarting failed container=${container.name} pod=${name}`, remaining);
  }

  async #config(
    container: Container,
    context: StartContext,
    imageRef: string,
    restartCount: number,
  ): Promise<ReturnType<typeof containerConfig>> {
    const { pod, facts, runtime } = context;
    const { source, services, memoryCapacity, seccompRoot } = this.#options;
    const env = await environmentOf({ pod, container, services: services(), facts, source });
    const mounts = await this.#volumeMounts(container, context, env);
    const own = join(this.#options.volumes.podDir(uidOf(pod)), 'containers', container.name);
    await mkdir(own, { recursive: true, mode: 0o750 });
    if (!mounts.some((m) => m.containerPath === '/etc/hosts')) mounts.push(await this.#hostsMount(pod, facts));
    const terminationLog = join(own, `termination-${restartCount}`);
    await writeFile(terminationLog, '');
    // Any user in the container may write there.
    await chmod(terminationLog, 0o666);
    mounts.push({ containerPath: container.terminationMessagePath || '/dev/termination-log', hostPath: terminationLog, readOnly: false });
    const target = specOf(pod).ephemeralContainers?.find((c) => c.name === container.name)?.targetContainerName;
    const targetId = target ? latestOf(runtime, target)?.id : undefined;
    const input = { pod, container, imageRef, env, mounts, restartCount, terminationLog, memoryCapacity, seccompRoot, targetId };
    return containerConfig(input);
  }

  async #volumeMounts(
    container: Container,
    { pod, volumes }: StartContext,
    env: Awaited<ReturnType<typeof environmentOf>>,
  ): Promise<BindMount[]> {
    const kept = new Set((specOf(pod).volumes ?? []).filter(isReadOnly).map(({ name }) => name));
    const mounts: BindMount[] = [];
    for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
      const volume = volumes.get(mount.name);
      if (volume === undefined) throw new ConfigError(`volume "${mount.name}" of container "${container.name}" is not there`);
      const sub = mount.subPathExpr ? expand(mount.subPathExpr, (name) => env.get(name)) : mount.subPath;
      mounts.push({
        containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
        hostPath: sub ? await this.#subPath(pod, container, volume, sub, i) : volume,
        readOnly: mount.readOnly === true || kept.has(mount.name),
        propagation: mount.mountPropagation,
      });
    }
    return mounts;
  }

  async #subPath(pod: Pod, container: Container, volume: string, subPath: string, index: number): Promise<string> {
    try {
      return await this.#options.volumes.subPath(uidOf(pod), volume, subPath, container.name, index);
    } catch (err) {
      const name = container.volumeMounts?.[index]?.name;
      throw new ConfigError(`failed to prepare subPath for volumeMount "${name}" of container "${container.name}": ${messageOf(err)}`);
    }
  }

  async #hostsMount(pod: Pod, facts: NodeFacts): Promise<BindMount> {
    const file = join(this.#options.volumes.podDir(uidOf(pod)), 'etc-hosts');
    await writeFile(file, hostsFile(pod, facts.podIps, this.#options.clusterDomain, await this.#options.nodeHosts()), { mode: 0o644 });
    return { containerPath: '/etc/hosts', hostPath: file, readOnly: false };
  }
}

function checkUser(pod: Pod, container: Container, image: Image): void {
  const nonRoot = container.securityContext?.runAsNonRoot ?? specOf(pod).securityContext?.runAsNonRoot;
  if (!nonRoot) return;
  const user = container.securityContext?.runAsUser ?? specOf(pod).securityContext?.runAsUser;
  const where = `(pod: "${fullNameOf(pod)}", container: ${container.name})`;
  if (user === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
  if (user !== undefined) return;
  if (image.uid?.value) return;
  if (image.username !== '' && image.username !== undefined)
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`,
    );
  throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
}
