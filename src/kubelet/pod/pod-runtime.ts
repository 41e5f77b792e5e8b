/** What the container runtime holds for a pod, as plain data: the right-hand side of every decision. Times are ms since the epoch. */

import type { ResourceRequirements } from '../../api/schema/types.ts';
import { type Family, familyOf } from '../../ip/ip.ts';
import type { ContainerStatus, PodSandboxStatus } from '../cri/messages.ts';
import { ContainerState, NamespaceMode, PodSandboxState } from '../cri/messages.ts';
import { containerAnnotations, podLabels } from './labels.ts';

export interface SandboxRecord {
  readonly id: string;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdAt: number;
  readonly hostNetwork: boolean;
  /** The pod's addresses, the first one first; empty with the node's own network. */
  readonly ips: readonly string[];
}

export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  readonly sandboxId: string;
  readonly state: 'created' | 'running' | 'exited' | 'unknown';
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  /** From the runtime: Completed, Error, OOMKilled …; the message may be the termination message. */
  readonly reason: string;
  readonly message: string;
  readonly image: string;
  readonly imageRef: string;
  readonly restartCount: number;
  /** Of the specification the container was made from. */
  readonly hash: string;
  /** What it has; undefined when nobody noted it. */
  readonly resources: ResourceRequirements | undefined;
  readonly logPath: string;
}

/** Sandboxes and containers are sorted, the newest first. */
export interface PodRuntime {
  /** As the runtime calls itself, such as `containerd`: ids of containers begin with it. */
  readonly runtimeName: string;
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly sandboxes: readonly SandboxRecord[];
  readonly containers: readonly ContainerRecord[];
}

/** The newest container of that name. */
export function latestOf(runtime: PodRuntime, name: string): ContainerRecord | undefined {
  return runtime.containers.find((c) => c.name === name);
}

function millis(ns: number): number {
  return Math.floor(ns / 1e6);
}

const states: Readonly<Record<number, ContainerRecord['state']>> = {
  [ContainerState.CONTAINER_CREATED]: 'created',
  [ContainerState.CONTAINER_RUNNING]: 'running',
  [ContainerState.CONTAINER_EXITED]: 'exited',
};

/** `family` is that of the node's first address, and so of the pod's, in whatever order the runtime tells them. */
export function sandboxRecord(status: PodSandboxStatus, family: Family = 4): SandboxRecord {
  const { ip = '', additionalIps = [] } = status.network ?? {};
  const ips = ip === '' ? [] : [ip, ...additionalIps.map((one) => one.ip)];
  const isFirst = (one: string): boolean => familyOf(one) === family;
  return {
    id: status.id,
    attempt: status.metadata?.attempt ?? 0,
    ready: status.state === PodSandboxState.SANDBOX_READY,
    createdAt: millis(status.createdAt),
    hostNetwork: status.linux?.namespaces?.options?.network === NamespaceMode.NODE,
    ips: [...ips.filter(isFirst), ...ips.filter((one) => !isFirst(one))],
  };
}

/** `terminationMessage` is what the container left in its termination log. */
export function containerRecord(status: ContainerStatus, sandboxId: string, terminationMessage?: string): ContainerRecord {
  const { [containerAnnotations.resources]: resources } = status.annotations;
  return {
    id: status.id,
    name: status.labels[podLabels.containerName] ?? status.metadata?.name ?? '',
    sandboxId,
    state: states[status.state] ?? 'unknown',
    createdAt: millis(status.createdAt),
    startedAt: millis(status.startedAt),
    finishedAt: millis(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message: terminationMessage || status.message,
    image: status.image?.userSpecifiedImage || status.image?.image || '',
    imageRef: status.imageRef,
    restartCount: Number(status.annotations[containerAnnotations.restartCount] ?? status.metadata?.attempt ?? 0),
    hash: status.annotations[containerAnnotations.hash] ?? '',
    resources: resources === undefined ? undefined : (JSON.parse(resources) as ResourceRequirements),
    logPath: status.logPath,
  };
}

export function newestFirst<T extends { readonly createdAt: number }>(records: readonly T[]): T[] {
  return records.toSorted((a, b) => b.createdAt - a.createdAt);
}
