/**
 * What to do next for a pod: its specification beside what the runtime holds gives sandboxes and containers to make and to kill.
 * Pure; the runtime manager carries it out and asks again. After the kubelet's computePodActions.
 */
import type { Container, Pod } from '../../api/schema/types.ts';
import { type ContainerRecord, latestOf, type PodRuntime } from './pod-runtime.ts';
import { isResized, needsRestart } from './resize.ts';
import { containerHash, ephemeralOf, initAndMainContainers, isSidecar, restartPolicyOf, restartsAfter, specOf } from './spec.ts';

export type ProbeResult = 'success' | 'failure' | 'unknown';

/** What probes said last about a container; undefined when it has no such probe. */
export interface ProbeResults {
  liveness(containerId: string): ProbeResult | undefined;
  startup(containerId: string): ProbeResult | undefined;
}

export interface ContainerKill {
  readonly id: string;
  readonly name: string;
  /** For the event. */
  readonly message: string;
  readonly reason: 'Changed' | 'LivenessProbe' | 'StartupProbe' | 'Unknown';
}

export interface ContainerResize {
  readonly id: string;
  readonly container: Container;
}

export interface PodActions {
  /** Stop everything, the sandbox too: it is gone, wrong, or no longer needed. */
  readonly killPod: boolean;
  /** The attempt number of the sandbox to make. */
  readonly createSandbox: number | undefined;
  /** The sandbox to use when none is made. */
  readonly sandboxId: string | undefined;
  readonly kill: readonly ContainerKill[];
  /** In order; init containers come alone or as sidecars before the next one. */
  readonly start: readonly Container[];
  /** Running containers that get other resources as they run. */
  readonly resize: readonly ContainerResize[];
}

const nothing: PodActions = { killPod: false, createSandbox: undefined, sandboxId: undefined, kill: [], start: [], resize: [] };

/** What becomes of one container. Killed and started anew has both; neither is for one that stays as it is. */
interface ContainerAction {
  readonly kill?: ContainerKill;
  readonly start?: Container;
  /** It runs and goes on running. */
  readonly keep?: true;
}

export function computePodActions(pod: Pod, runtime: PodRuntime, probes: ProbeResults): PodActions {
  const attempt = newSandboxAttempt(pod, runtime);
  return attempt === undefined ? actionsInSandbox(pod, runtime, probes) : actionsForNewSandbox(pod, runtime, attempt);
}

function killPodOf({ sandboxes }: PodRuntime): PodActions {
  return { ...nothing, killPod: true, sandboxId: sandboxes[0]?.id };
}

function actionsForNewSandbox(pod: Pod, runtime: PodRuntime, attempt: number): PodActions {
  const { restartPolicy, initContainers = [], containers } = specOf(pod);
  const neverAgain = restartPolicy === 'Never' && attempt > 0 && runtime.containers.length > 0;
  if (neverAgain || pod.metadata.deletionTimestamp) return killPodOf(runtime);
  const wanted = containers.filter((c) => !(restartPolicyOf(pod, c) === 'OnFailure' && hasSucceeded(latestOf(runtime, c.name))));
  // Everything has run to its end: a lost sandbox needs no successor.
  if (wanted.length === 0 && runtime.containers.length > 0) return killPodOf(runtime);
  const start = initContainers.length > 0 ? initContainers.slice(0, 1) : wanted;
  return { ...nothing, killPod: runtime.sandboxes.length > 0, createSandbox: attempt, start };
}

function actionsInSandbox(pod: Pod, runtime: PodRuntime, probes: ProbeResults): PodActions {
  const sandboxId = runtime.sandboxes[0]?.id;
  const current: PodRuntime = { ...runtime, containers: runtime.containers.filter((c) => c.sandboxId === sandboxId) };
  const ephemeral = ephemeralOf(pod).filter((c) => !latestOf(current, c.name));
  const inits = initActions(pod, current, probes);
  if (inits.some((action) => action.failed)) return killPodOf(runtime);
  const initialized = inits.every((action) => action.proceed);
  // A container of an earlier sandbox still counts here: one that succeeded is not run again.
  const latest = ({ name }: Container): ContainerRecord | undefined => latestOf(current, name) ?? latestOf(runtime, name);
  const mains = initialized ? specOf(pod).containers.map((c) => mainAction(pod, c, latest(c), probes)) : [];
  if (initialized && !mains.some(({ keep, start }) => keep || start)) return killPodOf(runtime);
  const all = [...inits, ...mains];
  const kill = all.flatMap((action) => action.kill ?? []);
  const start = [...ephemeral, ...all.flatMap((action) => action.start ?? [])];
  return { ...nothing, sandboxId, kill, start, resize: initialized ? resizesOf(pod, current, kill) : [] };
}

function mainAction(pod: Pod, container: Container, latest: ContainerRecord | undefined, probes: ProbeResults): ContainerAction {
  if (latest?.state === 'running') {
    const kill = killOf(pod, container, latest, probes);
    if (!kill) return { keep: true };
    return kill.reason === 'Changed' || restartPolicyOf(pod, container) !== 'Never' ? { kill, start: container } : { kill };
  }
  return shouldRestart(pod, container, latest) ? { ...killUnknown(latest), start: container } : {};
}

function resizesOf(pod: Pod, current: PodRuntime, kill: readonly ContainerKill[]): ContainerResize[] {
  if (pod.metadata.deletionTimestamp) return [];
  return initAndMainContainers(pod).flatMap((container) => {
    const latest = latestOf(current, container.name);
    const runsOn = latest?.state === 'running' && !kill.some((k) => k.id === latest.id);
    return runsOn && isResized(container, latest.resources) ? [{ id: latest.id, container }] : [];
  });
}

/** The attempt number of a new sandbox, or undefined when the newest one serves. */
function newSandboxAttempt(pod: Pod, { sandboxes }: PodRuntime): number | undefined {
  const newest = sandboxes[0];
  if (!newest) return 0;
  const serves =
    newest.ready &&
    sandboxes.filter((s) => s.ready).length === 1 &&
    newest.hostNetwork === (specOf(pod).hostNetwork === true) &&
    (newest.hostNetwork || newest.ips.length > 0);
  return serves ? undefined : newest.attempt + 1;
}

function hasSucceeded(record: ContainerRecord | undefined): boolean {
  return record?.state === 'exited' && record.exitCode === 0;
}

/** Whether a container that does not run should run (again). */
export function shouldRestart(pod: Pod, container: Container, latest: ContainerRecord | undefined): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  if (!latest) return true;
  if (latest.state === 'running') return false;
  if (latest.state !== 'exited') return true;
  return restartsAfter(pod, container, latest.exitCode);
}

/** A container whose state nobody knows may still run. */
function killUnknown(latest: ContainerRecord | undefined): ContainerAction {
  if (latest?.state !== 'unknown') return {};
  const { id, name } = latest;
  return { kill: { id, name, message: `Container ${name} is in an unknown state, try killing it before restart`, reason: 'Unknown' } };
}

/** Why a container that runs must not go on, or undefined. */
function killOf(pod: Pod, container: Container, latest: ContainerRecord, probes: ProbeResults): ContainerKill | undefined {
  const { id, name } = latest;
  const isDeleted = pod.metadata.deletionTimestamp !== undefined;
  const kill = (reason: ContainerKill['reason'], what: string): ContainerKill => ({
    id,
    name,
    reason,
    message: `Container ${name} ${what}`,
  });
  const restarted = isDeleted ? '' : ', will be restarted';
  if (latest.hash !== '' && latest.hash !== containerHash(container)) return kill('Changed', `definition changed${restarted}`);
  if (!isDeleted && needsRestart(container, latest.resources)) return kill('Changed', 'resize requires restart');
  if (probes.liveness(id) === 'failure') return kill('LivenessProbe', `failed liveness probe${restarted}`);
  if (probes.startup(id) === 'failure') return kill('StartupProbe', `failed startup probe${restarted}`);
  return undefined;
}

interface InitAction extends ContainerAction {
  /** The next container may begin. */
  readonly proceed: boolean;
  /** It failed for good, and the pod with it. */
  readonly failed?: true;
}

/** Init containers run one after the other, each to its end; a sidecar only has to have started. The last action is that of the one whose turn it is. */
function initActions(pod: Pod, current: PodRuntime, probes: ProbeResults): InitAction[] {
  const { initContainers = [], containers } = specOf(pod);
  // Finished init containers may have been collected; a main container proves that they were there.
  const initialized = containers.some((c) => latestOf(current, c.name) !== undefined);
  const actions: InitAction[] = [];
  for (const container of initContainers) {
    if (initialized && !isSidecar(container)) continue;
    const latest = latestOf(current, container.name);
    const action = isSidecar(container) ? sidecarAction(pod, container, latest, probes, initialized) : initAction(pod, container, latest);
    actions.push(action);
    if (!action.proceed) break;
  }
  return actions;
}

function initAction(pod: Pod, container: Container, latest: ContainerRecord | undefined): InitAction {
  if (latest?.state === 'running') return { proceed: false };
  if (hasSucceeded(latest)) return { proceed: true };
  if (latest?.state === 'exited' && !restartsAfter(pod, container, latest.exitCode)) return { proceed: false, failed: true };
  return { ...startInit(pod, container, latest), proceed: false };
}

function sidecarAction(
  pod: Pod,
  container: Container,
  latest: ContainerRecord | undefined,
  probes: ProbeResults,
  initialized: boolean,
): InitAction {
  if (latest?.state !== 'running') return { ...startInit(pod, container, latest), proceed: initialized };
  const kill = killOf(pod, container, latest, probes);
  if (kill) return { kill, start: container, proceed: initialized };
  return { proceed: initialized || (probes.startup(latest.id) ?? 'success') === 'success' };
}

function startInit(pod: Pod, container: Container, latest: ContainerRecord | undefined): ContainerAction {
  return pod.metadata.deletionTimestamp ? killUnknown(latest) : { ...killUnknown(latest), start: container };
}
