/**
 * What to do next for a pod: its specification beside what the runtime holds gives sandboxes and containers to make and to kill.
 * Pure; the runtime manager carries it out and asks again. After the kubelet's computePodActions.
 */
import type { Container, Pod } from '../../api/schema/types.ts';
import { isResized, mainContainers, needsRestart } from './resize.ts';
import { type ContainerRecord, latestOf, type PodRuntime } from './runtime-state.ts';
import { containerHash, ephemeralOf, isSidecar, restartPolicyOf, restartsAfter, specOf } from './spec.ts';

export type ProbeVerdict = 'success' | 'failure' | 'unknown';

/** What probes said last about a container; undefined when it has no such probe. */
export interface ProbeResults {
  liveness(containerId: string): ProbeVerdict | undefined;
  startup(containerId: string): ProbeVerdict | undefined;
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

export function computeActions(pod: Pod, runtime: PodRuntime, probes: ProbeResults): PodActions {
  const spec = specOf(pod);
  const sandbox = runtime.sandboxes[0];
  const attempt = newSandboxAttempt(pod, runtime);
  const inits = spec.initContainers ?? [];

  if (attempt !== undefined) {
    const neverAgain = spec.restartPolicy === 'Never' && attempt > 0 && runtime.containers.length > 0;
    if (neverAgain || pod.metadata.deletionTimestamp) return { ...nothing, killPod: true, sandboxId: sandbox?.id };
    const wanted = spec.containers.filter((c) => !(restartPolicyOf(pod, c) === 'OnFailure' && hasSucceeded(latestOf(runtime, c.name))));
    // Everything has run to its end: a lost sandbox needs no successor.
    if (wanted.length === 0 && runtime.containers.length > 0) return { ...nothing, killPod: true, sandboxId: sandbox?.id };
    const firstInit = inits[0];
    return { ...nothing, killPod: sandbox !== undefined, createSandbox: attempt, start: firstInit ? [firstInit] : wanted };
  }

  const current: PodRuntime = { ...runtime, containers: runtime.containers.filter((c) => c.sandboxId === sandbox?.id) };
  const start: Container[] = [];
  const kill: ContainerKill[] = [];
  for (const container of ephemeralOf(pod)) if (!latestOf(current, container.name)) start.push(container);

  const init = initActions(pod, current, probes);
  start.push(...init.start);
  kill.push(...init.kill);
  if (init.failed) return { ...nothing, killPod: true, sandboxId: sandbox?.id };
  if (!init.done) return { ...nothing, sandboxId: sandbox?.id, kill, start };

  let kept = 0;
  let mainStarts = 0;
  for (const container of spec.containers) {
    // A container of an earlier sandbox still counts here: one that succeeded is not run again.
    const latest = latestOf(current, container.name) ?? latestOf(runtime, container.name);
    if (latest?.state !== 'running') {
      if (!shouldRestart(pod, container, latest)) continue;
      // A container whose state nobody knows may still run.
      if (latest?.state === 'unknown')
        kill.push({ id: latest.id, name: container.name, message: unknownMessage(container), reason: 'Unknown' });
      start.push(container);
      mainStarts++;
      continue;
    }
    const verdict = verdictOn(pod, container, latest, probes);
    if (!verdict) {
      kept++;
      continue;
    }
    kill.push({ id: latest.id, name: container.name, ...verdict });
    if (verdict.reason === 'Changed' || restartPolicyOf(pod, container) !== 'Never') {
      start.push(container);
      mainStarts++;
    }
  }
  if (kept === 0 && mainStarts === 0) return { ...nothing, killPod: true, sandboxId: sandbox?.id };
  return { ...nothing, sandboxId: sandbox?.id, kill, start, resize: resizesOf(pod, current, kill) };
}

function resizesOf(pod: Pod, current: PodRuntime, kill: readonly ContainerKill[]): ContainerResize[] {
  if (pod.metadata.deletionTimestamp) return [];
  return mainContainers(pod).flatMap((container) => {
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

function unknownMessage(container: Container): string {
  return `Container ${container.name} is in an unknown state, try killing it before restart`;
}

function verdictOn(
  pod: Pod,
  container: Container,
  latest: ContainerRecord,
  probes: ProbeResults,
): { readonly message: string; readonly reason: ContainerKill['reason'] } | undefined {
  const ending = pod.metadata.deletionTimestamp ? '' : ', will be restarted';
  if (latest.hash !== '' && latest.hash !== containerHash(container))
    return { message: `Container ${container.name} definition changed${ending}`, reason: 'Changed' };
  if (!pod.metadata.deletionTimestamp && needsRestart(container, latest.resources))
    return { message: `Container ${container.name} resize requires restart`, reason: 'Changed' };
  if (probes.liveness(latest.id) === 'failure')
    return { message: `Container ${container.name} failed liveness probe${ending}`, reason: 'LivenessProbe' };
  if (probes.startup(latest.id) === 'failure')
    return { message: `Container ${container.name} failed startup probe${ending}`, reason: 'StartupProbe' };
  return undefined;
}

/** Init containers run one after the other, each to its end; a sidecar only has to have started. */
function initActions(
  pod: Pod,
  current: PodRuntime,
  probes: ProbeResults,
): { readonly done: boolean; readonly failed: boolean; readonly start: readonly Container[]; readonly kill: readonly ContainerKill[] } {
  const spec = specOf(pod);
  const start: Container[] = [];
  const kill: ContainerKill[] = [];
  // Finished init containers may have been collected; a main container proves that they were there.
  const mainsBegan = spec.containers.some((c) => latestOf(current, c.name) !== undefined);
  for (const container of spec.initContainers ?? []) {
    const latest = latestOf(current, container.name);
    const sidecar = isSidecar(container);
    if (mainsBegan && !sidecar) continue;
    if (latest?.state === 'running') {
      if (!sidecar) return { done: false, failed: false, start, kill };
      const verdict = verdictOn(pod, container, latest, probes);
      if (verdict) {
        kill.push({ id: latest.id, name: container.name, ...verdict });
        start.push(container);
      }
      const startup = probes.startup(latest.id);
      if (!mainsBegan && (verdict || (startup !== undefined && startup !== 'success'))) return { done: false, failed: false, start, kill };
      continue;
    }
    if (hasSucceeded(latest) && !sidecar) continue;
    if (latest?.state === 'exited' && !sidecar && !restartsAfter(pod, container, latest.exitCode))
      return { done: false, failed: true, start: [], kill };
    if (latest?.state === 'unknown')
      kill.push({ id: latest.id, name: container.name, message: unknownMessage(container), reason: 'Unknown' });
    if (!pod.metadata.deletionTimestamp) start.push(container);
    if (!mainsBegan) return { done: false, failed: false, start, kill };
  }
  return { done: true, failed: false, start, kill };
}
