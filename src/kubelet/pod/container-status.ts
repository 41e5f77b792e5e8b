/** The status of one container, from what the runtime holds of it. Pure. */
import type { Container, ContainerState, ContainerStatus, ResourceRequirements } from '../../api/schema/types.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { shouldRestart } from './actions.ts';
import type { ContainerRecord } from './pod-runtime.ts';
import { ephemeralOf, isSidecar, specOf } from './spec.ts';
import type { StatusInput } from './status.ts';

/** In the order of the specification. */
export interface ContainerStatuses {
  readonly inits: readonly ContainerStatus[];
  readonly mains: readonly ContainerStatus[];
  readonly ephemeral: readonly ContainerStatus[];
}

export function containerStatuses(input: StatusInput): ContainerStatuses {
  const { initContainers = [], containers } = specOf(input.pod);
  const creating = { reason: initContainers.length > 0 ? 'PodInitializing' : 'ContainerCreating' };
  return {
    inits: initContainers.map((c) => initStatus(input, c, containerStatus(input, c, creating))),
    mains: containers.map((c) => containerStatus(input, c, creating)),
    ephemeral: ephemeralOf(input.pod).map((c) => ephemeralStatus(containerStatus(input, c, { reason: 'ContainerCreating' }))),
  };
}

/** The API knows no resources of ephemeral containers. They have no probes, and are never ready: no traffic waits for them. */
function ephemeralStatus({ resources: _resources, started: _started, ...status }: ContainerStatus): ContainerStatus {
  return { ...status, ready: false };
}

/** An init container is ready when it has succeeded; only a sidecar when it runs. */
function initStatus({ runtime }: StatusInput, container: Container, status: ContainerStatus): ContainerStatus {
  if (isSidecar(container)) return status;
  const latest = runtime.containers.find((c) => c.name === container.name);
  return { ...status, ready: latest?.state === 'exited' && latest.exitCode === 0 };
}

function containerStatus(input: StatusInput, container: Container, creating: { readonly reason: string }): ContainerStatus {
  const { pod, runtime } = input;
  const { runtimeName } = runtime;
  const [latest, before] = runtime.containers.filter((c) => c.name === container.name);
  const waiting = input.waitReason(container.name);
  if (!latest) return statusWithoutRecord(input, container, waiting ?? creating);
  const state = stateOf(latest, runtimeName);
  const running = latest.state === 'running';
  // One that will be started again waits; why it could not be started is more telling than how it ended.
  const willRestart = !running && waiting !== undefined && shouldRestart(pod, container, latest);
  const lastState = before?.state === 'exited' ? stateOf(before, runtimeName) : {};
  const started = running && input.isStarted(latest.id);
  return {
    name: container.name,
    state: willRestart ? { waiting } : state,
    lastState: willRestart && state.terminated ? state : lastState,
    ready: started && input.isReady(latest.id),
    restartCount: latest.restartCount,
    image: latest.image || (container.image ?? ''),
    imageID: latest.imageRef,
    ...resourcesOf(container, running ? latest.resources : undefined),
    containerID: `${runtimeName}://${latest.id}`,
    started,
  };
}

/** A container that vanished with a lost disk or runtime did end, although nobody knows how. */
const unknownEnd = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
};

/** Of a container that the runtime does not know: not made yet, or lost. */
function statusWithoutRecord(
  { previous, terminal }: StatusInput,
  container: Container,
  waiting: { readonly reason: string },
): ContainerStatus {
  const known = [...(previous.containerStatuses ?? []), ...(previous.initContainerStatuses ?? [])];
  const old = known.find((s) => s.name === container.name);
  const lost = old?.state?.running !== undefined && terminal;
  return {
    name: container.name,
    state: lost ? { terminated: unknownEnd } : { waiting },
    ...(old?.lastState === undefined ? {} : { lastState: old.lastState }),
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
    ...resourcesOf(container, undefined),
    started: false,
  };
}

function stateOf(record: ContainerRecord, runtimeName: string): ContainerState {
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

/** What was allocated, and what a container that runs has (KEP-1287). */
function resourcesOf(
  { resources = {} }: Container,
  has: ResourceRequirements | undefined,
): Pick<ContainerStatus, 'allocatedResources' | 'resources'> {
  return { ...(resources.requests ? { allocatedResources: resources.requests } : {}), resources: has ?? resources };
}
