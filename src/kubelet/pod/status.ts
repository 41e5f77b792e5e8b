/**
 * The status of a pod, from its specification and what the runtime holds. Pure: times come in as values, and conditions keep the
 * time of their last change from the status before.
 */
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { podConditions } from './conditions.ts';
import { containerStatuses } from './container-status.ts';
import { podPhase } from './phase.ts';
import type { PodRuntime } from './pod-runtime.ts';
import { qosClassOf } from './qos.ts';
import type { ResizeProblem } from './resize.ts';
import { isFinal, specOf } from './spec.ts';

/** Why a container waits: the outcome of the last attempt to start it. */
export interface WaitReason {
  readonly reason: string;
  readonly message: string;
}

export interface StatusInput {
  readonly pod: Pod;
  readonly runtime: PodRuntime;
  /** The status written last; conditions of others (scheduler, readiness gates) are taken over from it. */
  readonly previous: PodStatus;
  readonly waitReason: (containerName: string) => WaitReason | undefined;
  /** What the readiness probe says of a running container; true without such a probe. */
  readonly isReady: (containerId: string) => boolean;
  /** Whether the startup probe succeeded; true without one. */
  readonly isStarted: (containerId: string) => boolean;
  /** All containers have ended and none will be started again, whatever the restart policy. */
  readonly terminal: boolean;
  readonly hostIps: readonly string[];
  readonly now: number;
  /** Why the containers do not have what the pod in the API asks for. */
  readonly resize: ResizeProblem | undefined;
}

export function podStatus(input: StatusInput): PodStatus {
  const { pod, previous, hostIps } = input;
  const statuses = containerStatuses(input);
  // A phase that is final stays: the pod's controller has acted on it.
  const phase = isFinal(previous.phase) ? previous.phase : podPhase(pod, statuses, input.terminal);
  const { generation } = pod.metadata;
  const { reason, message } = previous;
  const podIps = podIpsOf(input, phase);
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: podConditions(input, phase, statuses),
    startTime: previous.startTime ?? timestamp(input.now),
    qosClass: previous.qosClass ?? qosClassOf(pod),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(hostIps[0] === undefined ? {} : { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(podIps[0] === undefined ? {} : { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) }),
    ...(statuses.inits.length > 0 ? { initContainerStatuses: [...statuses.inits] } : {}),
    containerStatuses: [...statuses.mains],
    ...(statuses.ephemeral.length > 0 ? { ephemeralContainerStatuses: [...statuses.ephemeral] } : {}),
  };
}

/** A pod that goes on keeps its addresses while its sandbox is being replaced. */
function podIpsOf({ pod, runtime, previous, hostIps }: StatusInput, phase: string): readonly string[] {
  const ips = specOf(pod).hostNetwork ? hostIps : (runtime.sandboxes[0]?.ips ?? []);
  return ips.length > 0 || isFinal(phase) ? ips : (previous.podIPs ?? []).map((p) => p.ip);
}
