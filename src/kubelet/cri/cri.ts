/** The calls to a container runtime that the kubelet makes (CRI v1), as an interface, so that tests can answer for a runtime. */
import type { Input } from '../../api/codec/message-type.ts';
import type * as m from './messages.ts';

export interface Cri {
  version(): Promise<m.VersionResponse>;
  /** Throws UNIMPLEMENTED at runtimes older than CRI 1.28. */
  runtimeConfig(): Promise<m.RuntimeConfigResponse>;
  /** `isVerbose`: with its configuration, as JSON in `info`. */
  status(isVerbose?: boolean): Promise<m.StatusResponse>;
  /** `handler` '' is the runtime's default. */
  runPodSandbox(config: Input<m.PodSandboxConfig>, handler: string): Promise<string>;
  stopPodSandbox(id: string): Promise<void>;
  removePodSandbox(id: string): Promise<void>;
  podSandboxStatus(id: string): Promise<m.PodSandboxStatus>;
  /** All sandboxes, or those of one pod. */
  listPodSandboxes(podUid?: string): Promise<m.PodSandbox[]>;
  createContainer(sandboxId: string, config: Input<m.ContainerConfig>, sandbox: Input<m.PodSandboxConfig>): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** Sends the stop signal, and SIGKILL after `graceSeconds`. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  listContainers(podUid?: string): Promise<m.Container[]>;
  containerStatus(id: string): Promise<m.ContainerStatus>;
  updateContainerResources(id: string, linux: Input<m.LinuxContainerResources>): Promise<void>;
  reopenContainerLog(id: string): Promise<void>;
  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<m.ExecSyncResponse>;
  /** The address where the runtime serves the stream. */
  exec(request: Input<m.ExecRequest>): Promise<string>;
  attach(request: Input<m.AttachRequest>): Promise<string>;
  portForward(request: Input<m.PortForwardRequest>): Promise<string>;
  listContainerStats(): Promise<m.ContainerStats[]>;
  /** Something changed at some container, told as it happens; throws UNIMPLEMENTED (see isUnimplemented) when the runtime cannot tell. */
  changes(signal: AbortSignal): AsyncIterable<void>;
  listImages(): Promise<m.Image[]>;
  imageStatus(image: string): Promise<m.Image | undefined>;
  pullImage(image: string, auth: Input<m.AuthConfig> | undefined, sandbox: Input<m.PodSandboxConfig>): Promise<string>;
  removeImage(image: string): Promise<void>;
  /** The file systems that hold images. */
  imageFsInfo(): Promise<m.FilesystemUsage[]>;
  close(): void;
}

/** What a runtime refused, with gRPC's status code. */
export class CriError extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.name = 'CriError';
    this.status = status;
  }
}

/** The sandbox, container or image is not there (any more). */
export function isMissing(err: unknown): boolean {
  return err instanceof CriError && (err.status === 5 || (err.status === 2 && /not found/i.test(err.message)));
}

/** What a call gives, or undefined when what it is about is not there. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (err) {
    if (isMissing(err)) return undefined;
    throw err;
  }
}

export function isUnimplemented(err: unknown): boolean {
  return err instanceof CriError && err.status === 12;
}

export function isDeadline(err: unknown): boolean {
  return err instanceof CriError && err.status === 4;
}
