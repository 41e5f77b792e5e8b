/** A container runtime in memory: it runs nothing, but keeps sandboxes and containers as a runtime does, and says what was asked of it. */

import type { Input } from '../../api/codec/message-type.ts';
import type { Clock } from '../../clock/clock.ts';
import { type Cri, CriError } from '../cri/cri.ts';
import type * as m from '../cri/messages.ts';
import { ContainerState, NamespaceMode, PodSandboxState } from '../cri/messages.ts';

interface Sandbox {
  readonly config: Input<m.PodSandboxConfig>;
  readonly status: m.PodSandboxStatus;
}

interface Made {
  readonly config: Input<m.ContainerConfig>;
  readonly listed: m.Container;
  readonly status: m.ContainerStatus;
}

export class FakeCri implements Cri {
  /** In order: `run web`, `create main`, `start main`, `exec main ready`, `stop main 30`, `stop web`, `remove main`, `remove web`. */
  readonly calls: string[] = [];
  /** Without it every call fails, as when the runtime is away. */
  up: boolean = true;
  /** Conditions that do not hold: `RuntimeReady`, `NetworkReady`. */
  readonly unready: Set<string> = new Set();
  /** Exit codes of commands, by their first word; others end with 0. */
  readonly exitCodes: Map<string, number> = new Map();
  /** That every sandbox has behind its own of 10.244.1.0/24. */
  readonly additionalIps: string[] = [];
  /** Why images cannot be pulled. */
  pullError: Error | undefined;
  readonly #clock: Clock;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, Made>();
  readonly #images = new Set<string>();
  #made = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The calls since the last time. */
  took(): string[] {
    return this.calls.splice(0);
  }

  /** The container of that name that runs ends by itself. */
  exit(name: string, exitCode: number): void {
    for (const { listed, status } of this.#containers.values())
      if (status.metadata?.name === name && status.state === ContainerState.CONTAINER_RUNNING) this.#end(listed, status, exitCode);
  }

  /** Names of containers that run. */
  running(): string[] {
    const running = [...this.#containers.values()].filter(({ status }) => status.state === ContainerState.CONTAINER_RUNNING);
    return running.map(({ status }) => status.metadata?.name ?? '');
  }

  /** What the container of that name was made from. */
  configOf(name: string): Input<m.ContainerConfig> | undefined {
    return [...this.#containers.values()].find(({ config }) => config.metadata?.name === name)?.config;
  }

  async version(): Promise<m.VersionResponse> {
    this.#mustBeUp();
    return { version: 'v1', runtimeName: 'cri-o', runtimeVersion: '1.35.0', runtimeApiVersion: 'v1' };
  }

  async runtimeConfig(): Promise<m.RuntimeConfigResponse> {
    return { linux: { cgroupDriver: 1 } };
  }

  async status(): Promise<m.StatusResponse> {
    this.#mustBeUp();
    const conditions = ['RuntimeReady', 'NetworkReady'].map((type) => ({
      type,
      status: !this.unready.has(type),
      reason: this.unready.has(type) ? 'NotYet' : '',
      message: this.unready.has(type) ? 'wait' : '',
    }));
    return { status: { conditions }, info: {} };
  }

  async runPodSandbox(config: Input<m.PodSandboxConfig>, runtimeHandler: string): Promise<string> {
    this.#say(`run ${config.metadata?.name}`);
    const id = `sandbox-${++this.#made}`;
    const network = config.linux?.securityContext?.namespaceOptions?.network ?? NamespaceMode.POD;
    const status: m.PodSandboxStatus = {
      id,
      metadata: config.metadata as m.PodSandboxMetadata,
      state: PodSandboxState.SANDBOX_READY,
      createdAt: this.#createdAt(),
      network: {
        ip: network === NamespaceMode.NODE ? '' : `10.244.1.${this.#made}`,
        additionalIps: this.additionalIps.map((ip) => ({ ip })),
      },
      linux: { namespaces: { options: { network, pid: 0, ipc: 0, targetId: '' } } },
      labels: { ...(config.labels as Record<string, string>) },
      annotations: { ...(config.annotations as Record<string, string>) },
      runtimeHandler,
    };
    this.#sandboxes.set(id, { config, status });
    return id;
  }

  async stopPodSandbox(id: string): Promise<void> {
    const { config, status } = this.#sandbox(id);
    this.#say(`stop ${config.metadata?.name}`);
    status.state = PodSandboxState.SANDBOX_NOTREADY;
    for (const { listed, status: container } of this.#containers.values())
      if (listed.podSandboxId === id) this.#end(listed, container, 137);
  }

  async removePodSandbox(id: string): Promise<void> {
    this.#say(`remove ${this.#sandbox(id).config.metadata?.name}`);
    this.#sandboxes.delete(id);
    for (const [key, { listed }] of this.#containers) if (listed.podSandboxId === id) this.#containers.delete(key);
  }

  async podSandboxStatus(id: string): Promise<m.PodSandboxStatus> {
    this.#mustBeUp();
    return { ...this.#sandbox(id).status };
  }

  async listPodSandboxes(podUid?: string): Promise<m.PodSandbox[]> {
    this.#mustBeUp();
    const all = [...this.#sandboxes.values()].map(({ status }) => ({ ...status }));
    return all.filter((s) => podUid === undefined || s.metadata?.uid === podUid);
  }

  async createContainer(podSandboxId: string, config: Input<m.ContainerConfig>): Promise<string> {
    this.#say(`create ${config.metadata?.name}`);
    const id = `container-${++this.#made}`;
    const both = {
      id,
      metadata: config.metadata as m.ContainerMetadata,
      state: ContainerState.CONTAINER_CREATED as number,
      createdAt: this.#createdAt(),
      image: config.image as m.ImageSpec,
      imageRef: config.image?.image ?? '',
      imageId: config.image?.image ?? '',
      labels: { ...(config.labels as Record<string, string>) },
      annotations: { ...(config.annotations as Record<string, string>) },
    };
    const ended = { startedAt: 0, finishedAt: 0, exitCode: 0, reason: '', message: '' };
    const status = { ...both, ...ended, mounts: [], logPath: '', stopSignal: 0 };
    this.#containers.set(id, { config, listed: { ...both, podSandboxId }, status });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const { listed, status } = this.#container(id);
    this.#say(`start ${status.metadata?.name}`);
    status.state = ContainerState.CONTAINER_RUNNING;
    status.startedAt = this.#now();
    listed.state = status.state;
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    const { listed, status } = this.#container(id);
    this.#say(`stop ${status.metadata?.name} ${graceSeconds}`);
    this.#end(listed, status, 143);
  }

  async removeContainer(id: string): Promise<void> {
    this.#say(`remove ${this.#container(id).status.metadata?.name}`);
    this.#containers.delete(id);
  }

  async listContainers(podUid?: string): Promise<m.Container[]> {
    this.#mustBeUp();
    const all = [...this.#containers.values()].map(({ listed }) => ({ ...listed }));
    return all.filter((c) => podUid === undefined || this.#sandbox(c.podSandboxId).status.metadata?.uid === podUid);
  }

  async containerStatus(id: string): Promise<m.ContainerStatus> {
    this.#mustBeUp();
    return { ...this.#container(id).status };
  }

  async updateContainerResources(id: string): Promise<void> {
    this.#say(`update ${this.#container(id).status.metadata?.name}`);
  }

  async reopenContainerLog(): Promise<void> {}

  async execSync(id: string, command: readonly string[]): Promise<m.ExecSyncResponse> {
    const [word = ''] = command;
    this.#say(`exec ${this.#container(id).status.metadata?.name} ${word}`);
    return { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), exitCode: this.exitCodes.get(word) ?? 0 };
  }

  async exec(): Promise<string> {
    throw new CriError(12, 'not here');
  }

  async attach(): Promise<string> {
    throw new CriError(12, 'not here');
  }

  async portForward(): Promise<string> {
    throw new CriError(12, 'not here');
  }

  async listContainerStats(): Promise<m.ContainerStats[]> {
    return [];
  }

  // biome-ignore lint/correctness/useYield: it is one of those runtimes that cannot tell.
  async *changes(): AsyncIterable<void> {
    throw new CriError(12, 'not here');
  }

  async listImages(): Promise<m.Image[]> {
    this.#mustBeUp();
    return [...this.#images].map(imageOf);
  }

  async imageStatus(image: string): Promise<m.Image | undefined> {
    this.#mustBeUp();
    return this.#images.has(image) ? imageOf(image) : undefined;
  }

  async pullImage(image: string): Promise<string> {
    this.#say(`pull ${image}`);
    if (this.pullError) throw this.pullError;
    this.#images.add(image);
    return image;
  }

  async removeImage(image: string): Promise<void> {
    this.#images.delete(image);
  }

  async imageFsInfo(): Promise<m.FilesystemUsage[]> {
    return [];
  }

  close(): void {}

  #say(call: string): void {
    this.#mustBeUp();
    this.calls.push(call);
  }

  #mustBeUp(): void {
    if (!this.up) throw new CriError(14, 'no connection to the runtime');
  }

  #now(): number {
    return this.#clock.now() * 1e6;
  }

  /** A clock that stands still must not hide which came first. */
  #createdAt(): number {
    return this.#now() + this.#made * 1e6;
  }

  #end(listed: m.Container, status: m.ContainerStatus, exitCode: number): void {
    if (status.state === ContainerState.CONTAINER_EXITED) return;
    Object.assign(status, { state: ContainerState.CONTAINER_EXITED, exitCode, finishedAt: this.#now() });
    status.reason = exitCode === 0 ? 'Completed' : 'Error';
    listed.state = status.state;
  }

  #sandbox(id: string): Sandbox {
    const found = this.#sandboxes.get(id);
    if (!found) throw new CriError(5, `sandbox ${id} not found`);
    return found;
  }

  #container(id: string): Made {
    const found = this.#containers.get(id);
    if (!found) throw new CriError(5, `container ${id} not found`);
    return found;
  }
}

function imageOf(id: string): m.Image {
  return { id, repoTags: [id], repoDigests: [], size: 1, username: '', pinned: false };
}
