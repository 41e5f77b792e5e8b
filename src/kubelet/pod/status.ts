/**
 * The status of a pod, from its specification and what the runtime holds. Pure: times come in as values, and conditions keep the
 * time of their last change from the status before.
 */
import type { Container, ContainerStatus, Pod, PodCondition, PodStatus, ResourceRequirements } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { shouldRestart } from './actions.ts';
import { qosClassOf } from './qos.ts';
import type { ResizeProblem } from './resize.ts';
import type { ContainerRecord, PodRuntime } from './runtime-state.ts';
import { ephemeralOf, isSidecar, restartsAfter, specOf } from './spec.ts';

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
  /** Of the runtime, such as `containerd`. */
  readonly runtimeName: string;
  readonly now: number;
  /** Why the containers do not have what the pod in the API asks for. */
  readonly resize: ResizeProblem | undefined;
}

export function podStatus(input: StatusInput): PodStatus {
  const { pod, runtime, previous } = input;
  const spec = specOf(pod);
  const inits = spec.initContainers ?? [];
  const initStatuses = inits.map((c) => containerStatus(input, c, inits.length > 0, true));
  const statuses = spec.containers.map((c) => containerStatus(input, c, inits.length > 0, false));
  const ephemeral = ephemeralOf(pod).map((c) => withoutResources(containerStatus(input, c, false, false)));
  const phase = phaseOf(input, initStatuses, statuses);
  const generation = pod.metadata.generation;
  const ips = spec.hostNetwork ? input.hostIps : (runtime.sandboxes[0]?.ips ?? []);
  const kept = ips.length > 0 ? ips : phase === 'Succeeded' || phase === 'Failed' ? [] : (previous.podIPs ?? []).map((p) => p.ip);
  const base: PodStatus = {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: [],
    startTime: previous.startTime ?? timestamp(input.now),
    qosClass: previous.qosClass ?? qosClassOf(pod),
  };
  if (previous.reason !== undefined) base.reason = previous.reason;
  if (previous.message !== undefined) base.message = previous.message;
  if (input.hostIps[0] !== undefined) {
    base.hostIP = input.hostIps[0];
    base.hostIPs = input.hostIps.map((ip) => ({ ip }));
  }
  if (kept[0] !== undefined) {
    base.podIP = kept[0];
    base.podIPs = kept.map((ip) => ({ ip }));
  }
  if (initStatuses.length > 0) base.initContainerStatuses = initStatuses;
  base.containerStatuses = statuses;
  if (ephemeral.length > 0) base.ephemeralContainerStatuses = ephemeral;
  base.conditions = conditionsOf(input, phase, initStatuses, statuses);
  return base;
}

function stateOf(record: ContainerRecord, runtimeName: string): NonNullable<ContainerStatus['state']> {
  if (record.state === 'running') return { running: { startedAt: timestamp(record.startedAt) } };
  if (record.state === 'exited') {
    const terminated = {
      exitCode: record.exitCode,
      reason: record.reason || (record.exitCode === 0 ? 'Completed' : 'Error'),
      ...(record.message === '' ? {} : { message: record.message }),
      startedAt: timestamp(record.startedAt),
      finishedAt: timestamp(record.finishedAt),
      containerID: `${runtimeName}://${record.id}`,
    };
    return { terminated };
  }
  return { waiting: { reason: 'ContainerCreating' } };
}

function containerStatus(input: StatusInput, container: Container, hasInits: boolean, isInit: boolean): ContainerStatus {
  const { pod, runtime, runtimeName } = input;
  const records = runtime.containers.filter((c) => c.name === container.name);
  const [latest, before] = records;
  const wait = input.waitReason(container.name);
  const old = [...(input.previous.containerStatuses ?? []), ...(input.previous.initContainerStatuses ?? [])].find(
    (s) => s.name === container.name,
  );
  if (!latest) {
    const reason = wait ?? { reason: hasInits ? 'PodInitializing' : 'ContainerCreating' };
    const gone = old?.state?.running !== undefined && input.terminal;
    return {
      name: container.name,
      // A container that vanished with a lost disk or runtime did end, although nobody knows how.
      state: gone
        ? {
            terminated: {
              exitCode: 137,
              reason: 'ContainerStatusUnknown',
              message: 'The container could not be located when the pod was terminated',
            },
          }
        : { waiting: reason },
      ...(old?.lastState === undefined ? {} : { lastState: old.lastState }),
      ready: false,
      restartCount: old?.restartCount ?? 0,
      image: container.image ?? '',
      imageID: '',
      ...resourcesOf(container, undefined),
      started: false,
    };
  }
  let state = stateOf(latest, runtimeName);
  const lastState: ContainerStatus['lastState'] = before?.state === 'exited' ? stateOf(before, runtimeName) : {};
  let last = lastState;
  // One that will be started again waits; why it could not be started is more telling than how it ended.
  if (latest.state !== 'running' && wait && shouldRestart(pod, container, latest)) {
    if (state.terminated) last = state;
    state = { waiting: wait };
  }
  const running = latest.state === 'running';
  const started = running && input.isStarted(latest.id);
  const succeeded = isInit && !isSidecar(container) && latest.state === 'exited' && latest.exitCode === 0;
  return {
    name: container.name,
    state,
    lastState: last,
    ready: succeeded || (started && input.isReady(latest.id) && (!isInit || isSidecar(container))),
    restartCount: latest.restartCount,
    image: latest.image || (container.image ?? ''),
    imageID: latest.imageRef,
    ...resourcesOf(container, running ? latest.resources : undefined),
    containerID: `${runtimeName}://${latest.id}`,
    started,
  };
}

/** What was granted, and what a container that runs has (KEP-1287). */
function resourcesOf(
  { resources = {} }: Container,
  has: ResourceRequirements | undefined,
): Pick<ContainerStatus, 'allocatedResources' | 'resources'> {
  return { ...(resources.requests ? { allocatedResources: resources.requests } : {}), resources: has ?? resources };
}

function withoutResources({ resources: _resources, ...status }: ContainerStatus): ContainerStatus {
  return status;
}

function phaseOf(input: StatusInput, inits: readonly ContainerStatus[], statuses: readonly ContainerStatus[]): string {
  const { pod, previous } = input;
  const spec = specOf(pod);
  // A phase that is final stays: the pod's controller has acted on it.
  if (previous.phase === 'Failed' || previous.phase === 'Succeeded') return previous.phase;
  let pendingInit = 0;
  let failedInit = 0;
  let failedForGood = 0;
  for (const [i, s] of inits.entries()) {
    const container = spec.initContainers?.[i];
    if (container && isSidecar(container)) {
      if (!(s.state?.running && s.started) && !s.state?.terminated && !s.lastState?.terminated) pendingInit++;
      continue;
    }
    const end = s.state?.terminated ?? s.lastState?.terminated;
    if (end && end.exitCode !== 0) {
      failedInit++;
      if (container && !restartsAfter(pod, container, end.exitCode)) failedForGood++;
    } else if (!s.state?.terminated) pendingInit++;
  }
  let waiting = 0;
  let running = 0;
  let stopped = 0;
  let succeeded = 0;
  let restarting = 0;
  for (const [i, s] of statuses.entries()) {
    const container = spec.containers[i];
    const end = s.state?.terminated ?? s.lastState?.terminated;
    if (s.state?.running) running++;
    else if (end) {
      stopped++;
      if (s.state?.terminated?.exitCode === 0) succeeded++;
      if (container && restartsAfter(pod, container, end.exitCode)) restarting++;
    } else waiting++;
  }
  if (failedForGood > 0) return 'Failed';
  if (input.terminal) return stopped > 0 && succeeded === stopped && waiting === 0 && failedInit === 0 ? 'Succeeded' : 'Failed';
  if (pendingInit + failedInit > 0 && running + stopped === 0) return 'Pending';
  if (waiting > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (stopped === 0) return 'Pending';
  if (restarting > 0) return 'Running';
  return stopped === succeeded ? 'Succeeded' : 'Failed';
}

/** Stand only while a resize does not get on. */
const resizeTypes = ['PodResizePending', 'PodResizeInProgress'];
const ownTypes = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];

function conditionsOf(
  input: StatusInput,
  phase: string,
  inits: readonly ContainerStatus[],
  statuses: readonly ContainerStatus[],
): PodCondition[] {
  const { pod, previous } = input;
  const spec = specOf(pod);
  const done = phase === 'Succeeded';
  const failed = phase === 'Failed';

  const sandbox = input.runtime.sandboxes[0];
  const hasSandbox = sandbox?.ready === true && (spec.hostNetwork === true || sandbox.ips.length > 0);

  const incomplete = (spec.initContainers ?? []).filter((c, i) => {
    const s = inits[i];
    return isSidecar(c) ? !s?.started : !s?.ready;
  });
  const begun = statuses.some((s) => s.state?.running || s.state?.terminated || s.lastState?.terminated);
  const initialized: Reason =
    done || incomplete.length === 0 || begun
      ? { status: 'True', ...(done ? { reason: 'PodCompleted' } : {}) }
      : { status: 'False', reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${names(incomplete)}]` };

  const unready = statuses.filter((s) => !s.ready);
  const unreadySidecars = (spec.initContainers ?? []).filter((c, i) => isSidecar(c) && !inits[i]?.ready);
  const bad = [...unreadySidecars, ...unready];
  const containersReady: Reason = done
    ? { status: 'False', reason: 'PodCompleted' }
    : failed
      ? { status: 'False', reason: 'PodFailed' }
      : bad.length > 0
        ? { status: 'False', reason: 'ContainersNotReady', message: `containers with unready status: [${names(bad)}]` }
        : { status: 'True' };

  const gates = (spec.readinessGates ?? []).filter((g) => previous.conditions?.find((c) => c.type === g.conditionType)?.status !== 'True');
  const ready: Reason =
    containersReady.status === 'True' && gates.length > 0
      ? {
          status: 'False',
          reason: 'ReadinessGatesNotReady',
          message: gates
            .map((g) => `corresponding condition of pod readiness gate "${g.conditionType}" does not exist or is not True.`)
            .join(', '),
        }
      : containersReady;

  const wanted: Record<string, Reason> = {
    PodReadyToStartContainers: { status: hasSandbox ? 'True' : 'False' },
    Initialized: initialized,
    Ready: ready,
    ContainersReady: containersReady,
    PodScheduled: { status: 'True' },
  };
  const own = ownTypes.map((type) => conditionOf(input, type, wanted[type] as Reason));
  const { resize } = input;
  if (resize) own.push(conditionOf(input, resize.type, { status: 'True', reason: resize.reason, message: resize.message }));
  return [...own, ...(previous.conditions ?? []).filter((c) => !isOwnCondition(c.type))];
}

interface Reason {
  readonly status: 'True' | 'False';
  readonly reason?: string;
  readonly message?: string;
}

function conditionOf({ previous, pod, now }: StatusInput, type: string, wanted: Reason): PodCondition {
  const old = previous.conditions?.find((c) => c.type === type);
  const changed = old?.status !== wanted.status || old.lastTransitionTime == null;
  return {
    type,
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    status: wanted.status,
    lastProbeTime: null as unknown as undefined,
    lastTransitionTime: changed ? timestamp(now) : (old.lastTransitionTime as string),
    ...(wanted.reason === undefined ? {} : { reason: wanted.reason }),
    ...(wanted.message === undefined ? {} : { message: wanted.message }),
  };
}

function names(containers: readonly { readonly name: string }[]): string {
  return containers.map((c) => c.name).join(' ');
}

/** Its absence tells something too: it must go from the API when it is over. */
export function isPassingCondition(type: string): boolean {
  return resizeTypes.includes(type);
}

/** The names of conditions that are the kubelet's to write. */
export function isOwnCondition(type: string): boolean {
  return ownTypes.includes(type) || resizeTypes.includes(type);
}
