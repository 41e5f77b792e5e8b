/**
 * Containers whose CPU and memory are changed while they run (KEP-1287). What a container has is noted at the container when it is made,
 * and in the pod's status when it is changed, because not every runtime tells. Pure.
 */
import type { Container, ContainerStatus, Pod, ResourceRequirements } from '../../api/schema/types.ts';
import { latestOf, type PodRuntime } from './pod-runtime.ts';

const resizable = ['cpu', 'memory'] as const;

/** Why a pod keeps what it has, or what went wrong: becomes a condition of the pod. */
export interface ResizeProblem {
  readonly type: 'PodResizePending' | 'PodResizeInProgress';
  readonly reason: 'Infeasible' | 'Deferred' | 'Error';
  readonly message: string;
}

function changedOf(a: ResourceRequirements, b: ResourceRequirements): string[] {
  return resizable.filter((name) => a.requests?.[name] !== b.requests?.[name] || a.limits?.[name] !== b.limits?.[name]);
}

/** Whether the container has other resources than it asks for. What is not known is taken to be right. */
export function isResized(container: Container, has: ResourceRequirements | undefined): boolean {
  return has !== undefined && changedOf(has, container.resources ?? {}).length > 0;
}

/** Whether its resize policy wants it started anew for the change. */
export function needsRestart(container: Container, has: ResourceRequirements | undefined): boolean {
  if (!has) return false;
  const changed = changedOf(has, container.resources ?? {});
  return changed.some((name) => container.resizePolicy?.find((p) => p.resourceName === name)?.restartPolicy === 'RestartContainer');
}

/** The pod with what its containers have; itself when that is what they ask for. */
export function withActualResources(pod: Pod, runtime: PodRuntime): Pod {
  const { spec } = pod;
  if (!spec) return pod;
  let changed = false;
  const actual = (container: Container): Container => {
    const has = latestOf(runtime, container.name)?.resources;
    if (!has || !isResized(container, has)) return container;
    changed = true;
    return { ...container, resources: has };
  };
  const containers = spec.containers.map(actual);
  const initContainers = spec.initContainers?.map(actual);
  return changed ? { ...pod, spec: { ...spec, containers, ...(initContainers ? { initContainers } : {}) } } : pod;
}

/** What the status says of containers, by the runtime's id: `containerd://…` without what stands before it. */
export function resourcesInStatus(pod: Pod): Map<string, ResourceRequirements> {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const found = new Map<string, ResourceRequirements>();
  for (const { containerID, resources } of [...initContainerStatuses, ...containerStatuses] as ContainerStatus[])
    if (containerID && resources) found.set(containerID.slice(containerID.indexOf('://') + 3), resources);
  return found;
}

/** The runtime's state with what has been changed since its containers were made. */
export function withResources(runtime: PodRuntime, changed: ReadonlyMap<string, ResourceRequirements>): PodRuntime {
  if (changed.size === 0) return runtime;
  const containers = runtime.containers.map((record) => {
    const resources = changed.get(record.id);
    return resources ? { ...record, resources } : record;
  });
  return { ...runtime, containers };
}
