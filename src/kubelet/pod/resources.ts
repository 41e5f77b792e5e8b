/** Requests and limits as what cgroups understand. After the kubelet's cm/helpers_linux.go. */

import type { Input } from '../../api/codec/message-type.ts';
import { milli, value } from '../../api/quantity/quantity.ts';
import type { Container, Pod } from '../../api/schema/types.ts';
import type { LinuxContainerResources } from '../cri/messages.ts';
import { qosClassOf } from './qos.ts';
import { initAndMainContainers, isSidecar, specOf } from './spec.ts';

const periodUs = 100_000;

/** cpu.shares of an amount of CPU in thousandths. */
export function sharesOf(milliCpu: number): number {
  return milliCpu === 0 ? 2 : Math.min(262_144, Math.max(2, Math.floor((milliCpu * 1024) / 1000)));
}

/** CFS quota in µs per 100 ms; 0 for none. The kernel takes no less than 1 ms. */
export function quotaOf(milliCpu: number): number {
  return milliCpu === 0 ? 0 : Math.max(1000, Math.floor((milliCpu * periodUs) / 1000));
}

function milliCpu(quantity: string | undefined): number {
  return quantity === undefined ? 0 : Number(milli(quantity));
}

function bytes(quantity: string | undefined): number {
  return quantity === undefined ? 0 : Number(value(quantity));
}

export function containerResources(pod: Pod, container: Container, memoryCapacity: number): Input<LinuxContainerResources> {
  const { requests, limits } = container.resources ?? {};
  const request = requests?.cpu ?? limits?.cpu;
  const memory = bytes(limits?.memory);
  return {
    cpuPeriod: periodUs,
    cpuQuota: quotaOf(milliCpu(limits?.cpu)),
    cpuShares: sharesOf(milliCpu(request)),
    memoryLimitInBytes: memory,
    oomScoreAdj: oomScore(pod, bytes(requests?.memory), memoryCapacity),
    // Swap is not for pods: memory and swap together may use no more than memory.
    ...(memory > 0 ? { memorySwapLimitInBytes: memory } : {}),
  };
}

/** Who asked for much of the memory is killed late (qos/policy.go). */
function oomScore(pod: Pod, requested: number, capacity: number): number {
  if ((specOf(pod).priority ?? 0) >= 2_000_000_000) return -997;
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const score = 1000 - Math.floor((1000 * requested) / Math.max(capacity, 1));
  return Math.min(999, Math.max(3, score));
}

export interface PodResources {
  /** Under the node's cgroup root. */
  readonly cgroup: string;
  readonly cpuShares: number;
  /** 0: no limit. */
  readonly cpuQuota: number;
  readonly memoryLimit: number;
}

/** The cgroup of a pod: sums over its containers; a limit only when every container has one. */
export function podResources(pod: Pod): PodResources {
  const qos = qosClassOf(pod);
  const parent = qos === 'Guaranteed' ? '/kubepods' : `/kubepods/${qos.toLowerCase()}`;
  // What the RuntimeClass costs comes on top of the containers.
  const { overhead } = specOf(pod);
  const cpuRequest = milliCpu(overhead?.cpu) + sumOf(pod, (c) => milliCpu(c.resources?.requests?.cpu ?? c.resources?.limits?.cpu));
  const cpuLimit = milliCpu(overhead?.cpu) + sumOf(pod, (c) => milliCpu(c.resources?.limits?.cpu));
  const memory = bytes(overhead?.memory) + sumOf(pod, (c) => bytes(c.resources?.limits?.memory));
  const every = (name: string): boolean => initAndMainContainers(pod).every((c) => c.resources?.limits?.[name] !== undefined);
  return {
    cgroup: `${parent}/pod${pod.metadata.uid}`,
    cpuShares: sharesOf(cpuRequest),
    cpuQuota: every('cpu') ? quotaOf(cpuLimit) : 0,
    memoryLimit: every('memory') ? memory : 0,
  };
}

/** Init containers run one at a time beside the sidecars before them; main containers run beside all sidecars (KEP-753). */
export function sumOf(pod: Pod, amount: (container: Container) => number): number {
  let sidecars = 0;
  let peak = 0;
  for (const container of specOf(pod).initContainers ?? []) {
    if (isSidecar(container)) sidecars += amount(container);
    else peak = Math.max(peak, sidecars + amount(container));
  }
  return Math.max(peak, sidecars + specOf(pod).containers.reduce((sum, c) => sum + amount(c), 0));
}
