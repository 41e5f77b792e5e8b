/** The CRI over gRPC: one channel to the runtime's Unix socket, reconnecting by itself. */
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { podLabels } from '../pod/labels.ts';
import { containerdExits } from './containerd-events.ts';
import { type Cri, CriError, isUnimplemented, unlessMissing } from './cri.ts';
import { MessageCodec } from './message-codec.ts';
import type * as m from './messages.ts';
import { type MethodName, messageTable, methodTable } from './messages.ts';
import { serverStream } from './server-stream.ts';

/** As the kubelet's --runtime-request-timeout. */
const requestTimeoutMs = 120_000;
/** A pull takes as long as it takes; the runtime gives up by itself when nothing moves. */
const pullTimeoutMs = 3_600_000;

const codec = new MessageCodec(messageTable);

function pathOf(method: MethodName): string {
  return `/runtime.v1.${methodTable[method][0]}/${method}`;
}

export class GrpcCri implements Cri {
  readonly #client: Client;

  /** `endpoint` is such as `unix:///run/containerd/containerd.sock`. Nothing is sent until the first call. */
  constructor(endpoint: string) {
    this.#client = new Client(endpoint, credentials.createInsecure(), {
      // A Unix socket's path is no valid :authority; Go's server answers it with a protocol error.
      'grpc.default_authority': 'localhost',
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 3000,
      'grpc.max_receive_message_length': 16 << 20,
      'grpc.enable_http_proxy': 0,
    });
  }

  #call<T>(method: MethodName, request: object, timeoutMs: number = requestTimeoutMs): Promise<T> {
    const [, takes, gives] = methodTable[method];
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        (value: object) => codec.encode(takes, value),
        (bytes) => codec.decode(gives, bytes) as T,
        request,
        { deadline: Date.now() + timeoutMs },
        (err: ServiceError | null, value?: T) => {
          if (err) reject(new CriError(err.code, err.details || err.message, { cause: err }));
          else resolve(value as T);
        },
      );
    });
  }

  version(): Promise<m.VersionResponse> {
    return this.#call('Version', { version: 'v1' }, 10_000);
  }

  runtimeConfig(): Promise<m.RuntimeConfigResponse> {
    return this.#call('RuntimeConfig', {}, 10_000);
  }

  status(): Promise<m.StatusResponse> {
    return this.#call('Status', {}, 10_000);
  }

  async runPodSandbox(config: m.Input<m.PodSandboxConfig>, runtimeHandler: string): Promise<string> {
    return (await this.#call<m.RunPodSandboxResponse>('RunPodSandbox', { config, runtimeHandler }, 240_000)).podSandboxId;
  }

  async stopPodSandbox(podSandboxId: string): Promise<void> {
    await this.#call('StopPodSandbox', { podSandboxId });
  }

  async removePodSandbox(podSandboxId: string): Promise<void> {
    await this.#call('RemovePodSandbox', { podSandboxId });
  }

  async podSandboxStatus(podSandboxId: string): Promise<m.PodSandboxStatus> {
    const { status } = await this.#call<m.PodSandboxStatusResponse>('PodSandboxStatus', { podSandboxId });
    if (!status) throw new CriError(5, `sandbox ${podSandboxId} not found`);
    return status;
  }

  async listPodSandboxes(podUid?: string): Promise<m.PodSandbox[]> {
    const filter = podUid === undefined ? undefined : { labelSelector: { [podLabels.podUid]: podUid } };
    return (await this.#call<m.ListPodSandboxResponse>('ListPodSandbox', { filter })).items;
  }

  async createContainer(
    podSandboxId: string,
    config: m.Input<m.ContainerConfig>,
    sandboxConfig: m.Input<m.PodSandboxConfig>,
  ): Promise<string> {
    return (await this.#call<m.CreateContainerResponse>('CreateContainer', { podSandboxId, config, sandboxConfig })).containerId;
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#call('StartContainer', { containerId });
  }

  async stopContainer(containerId: string, graceSeconds: number): Promise<void> {
    await this.#call('StopContainer', { containerId, timeout: graceSeconds }, requestTimeoutMs + graceSeconds * 1000);
  }

  async removeContainer(containerId: string): Promise<void> {
    await this.#call('RemoveContainer', { containerId });
  }

  async listContainers(podUid?: string): Promise<m.Container[]> {
    const filter = podUid === undefined ? undefined : { labelSelector: { [podLabels.podUid]: podUid } };
    return (await this.#call<m.ListContainersResponse>('ListContainers', { filter })).containers;
  }

  async containerStatus(containerId: string): Promise<m.ContainerStatus> {
    const { status } = await this.#call<m.ContainerStatusResponse>('ContainerStatus', { containerId });
    if (!status) throw new CriError(5, `container ${containerId} not found`);
    return status;
  }

  async updateContainerResources(containerId: string, linux: m.Input<m.LinuxContainerResources>): Promise<void> {
    await this.#call('UpdateContainerResources', { containerId, linux });
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    await this.#call('ReopenContainerLog', { containerId });
  }

  execSync(containerId: string, cmd: readonly string[], timeoutSeconds: number): Promise<m.ExecSyncResponse> {
    const timeoutMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 + 2000 : requestTimeoutMs;
    return this.#call('ExecSync', { containerId, cmd, timeout: timeoutSeconds }, timeoutMs);
  }

  async exec(request: m.Input<m.ExecRequest>): Promise<string> {
    return (await this.#call<m.ExecResponse>('Exec', request)).url;
  }

  async attach(request: m.Input<m.AttachRequest>): Promise<string> {
    return (await this.#call<m.AttachResponse>('Attach', request)).url;
  }

  async portForward(request: m.Input<m.PortForwardRequest>): Promise<string> {
    return (await this.#call<m.PortForwardResponse>('PortForward', request)).url;
  }

  async listContainerStats(): Promise<m.ContainerStats[]> {
    return (await this.#call<m.ListContainerStatsResponse>('ListContainerStats', {})).stats;
  }

  /** CRI events come with containerd 1.7 and CRI-O 1.26. */
  async *changes(signal: AbortSignal): AsyncIterable<void> {
    try {
      for await (const _ of serverStream(this.#client, pathOf('GetContainerEvents'), Buffer.alloc(0), signal)) yield;
    } catch (err) {
      if (!isUnimplemented(err)) throw err;
      yield* containerdExits(this.#client, signal);
    }
  }

  async listImages(): Promise<m.Image[]> {
    return (await this.#call<m.ListImagesResponse>('ListImages', {})).images;
  }

  async imageStatus(image: string): Promise<m.Image | undefined> {
    return (await unlessMissing(this.#call<m.ImageStatusResponse>('ImageStatus', { image: { image } })))?.image;
  }

  async pullImage(image: string, auth: m.Input<m.AuthConfig> | undefined, sandboxConfig: m.Input<m.PodSandboxConfig>): Promise<string> {
    const request = { image: { image }, auth, sandboxConfig };
    return (await this.#call<m.PullImageResponse>('PullImage', request, pullTimeoutMs)).imageRef;
  }

  async removeImage(image: string): Promise<void> {
    await this.#call('RemoveImage', { image: { image } });
  }

  async imageFsInfo(): Promise<m.FilesystemUsage[]> {
    return (await this.#call<m.ImageFsInfoResponse>('ImageFsInfo', {})).imageFilesystems;
  }

  close(): void {
    this.#client.close();
  }
}
