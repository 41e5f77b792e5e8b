/** The CRI over gRPC: one channel to the runtime's Unix socket, reconnecting by itself. */
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { MessageCodec } from '../../api/codec/message-codec.ts';
import type { Input } from '../../api/codec/message-type.ts';
import { podLabels } from '../pod/labels.ts';
import { containerdExits } from './containerd-events.ts';
import { type Cri, CriError, isUnimplemented, unlessMissing } from './cri.ts';
import type * as m from './messages.ts';
import { messageTable, pathOf } from './messages.ts';
import { serverStream } from './server-stream.ts';

/** As the kubelet's --runtime-request-timeout. */
const requestTimeoutMs = 120_000;
/** A pull takes as long as it takes; the runtime gives up by itself when nothing moves. */
const pullTimeoutMs = 3_600_000;

const codec = new MessageCodec(messageTable);

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

  #call<Method extends m.MethodName>(
    method: Method,
    request: Input<m.Message<`${Method}Request`>>,
    timeoutMs: number = requestTimeoutMs,
  ): Promise<m.Message<`${Method}Response`>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        (value: typeof request) => codec.encode(`${method}Request`, value),
        (bytes) => codec.decode(`${method}Response`, bytes),
        request,
        { deadline: Date.now() + timeoutMs },
        (err: ServiceError | null, value) => {
          if (err) reject(new CriError(err.code, err.details || err.message, { cause: err }));
          else resolve(value as m.Message<`${Method}Response`>);
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

  status(verbose: boolean = false): Promise<m.StatusResponse> {
    return this.#call('Status', verbose ? { verbose } : {}, 10_000);
  }

  async runPodSandbox(config: Input<m.PodSandboxConfig>, runtimeHandler: string): Promise<string> {
    return (await this.#call('RunPodSandbox', { config, runtimeHandler }, 240_000)).podSandboxId;
  }

  async stopPodSandbox(podSandboxId: string): Promise<void> {
    await this.#call('StopPodSandbox', { podSandboxId });
  }

  async removePodSandbox(podSandboxId: string): Promise<void> {
    await this.#call('RemovePodSandbox', { podSandboxId });
  }

  async podSandboxStatus(podSandboxId: string): Promise<m.PodSandboxStatus> {
    const { status } = await this.#call('PodSandboxStatus', { podSandboxId });
    if (!status) throw new CriError(5, `sandbox ${podSandboxId} not found`);
    return status;
  }

  async listPodSandboxes(podUid?: string): Promise<m.PodSandbox[]> {
    const filter = podUid === undefined ? undefined : { labelSelector: { [podLabels.podUid]: podUid } };
    return (await this.#call('ListPodSandbox', { filter })).items;
  }

  async createContainer(podSandboxId: string, config: Input<m.ContainerConfig>, sandboxConfig: Input<m.PodSandboxConfig>): Promise<string> {
    return (await this.#call('CreateContainer', { podSandboxId, config, sandboxConfig })).containerId;
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
    return (await this.#call('ListContainers', { filter })).containers;
  }

  async containerStatus(containerId: string): Promise<m.ContainerStatus> {
    const { status } = await this.#call('ContainerStatus', { containerId });
    if (!status) throw new CriError(5, `container ${containerId} not found`);
    return status;
  }

  async updateContainerResources(containerId: string, linux: Input<m.LinuxContainerResources>): Promise<void> {
    await this.#call('UpdateContainerResources', { containerId, linux });
  }

  async reopenContainerLog(containerId: string): Promise<void> {
    await this.#call('ReopenContainerLog', { containerId });
  }

  execSync(containerId: string, cmd: readonly string[], timeoutSeconds: number): Promise<m.ExecSyncResponse> {
    const timeoutMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 + 2000 : requestTimeoutMs;
    return this.#call('ExecSync', { containerId, cmd, timeout: timeoutSeconds }, timeoutMs);
  }

  async exec(request: Input<m.ExecRequest>): Promise<string> {
    return (await this.#call('Exec', request)).url;
  }

  async attach(request: Input<m.AttachRequest>): Promise<string> {
    return (await this.#call('Attach', request)).url;
  }

  async portForward(request: Input<m.PortForwardRequest>): Promise<string> {
    return (await this.#call('PortForward', request)).url;
  }

  async listContainerStats(): Promise<m.ContainerStats[]> {
    return (await this.#call('ListContainerStats', {})).stats;
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
    return (await this.#call('ListImages', {})).images;
  }

  async imageStatus(image: string): Promise<m.Image | undefined> {
    return (await unlessMissing(this.#call('ImageStatus', { image: { image } })))?.image;
  }

  async pullImage(image: string, auth: Input<m.AuthConfig> | undefined, sandboxConfig: Input<m.PodSandboxConfig>): Promise<string> {
    const request = { image: { image }, auth, sandboxConfig };
    return (await this.#call('PullImage', request, pullTimeoutMs)).imageRef;
  }

  async removeImage(image: string): Promise<void> {
    await this.#call('RemoveImage', { image: { image } });
  }

  async imageFsInfo(): Promise<m.FilesystemUsage[]> {
    return (await this.#call('ImageFsInfo', {})).imageFilesystems;
  }

  close(): void {
    this.#client.close();
  }
}
