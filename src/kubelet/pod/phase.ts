/** The phase of a pod, from the statuses of its containers. Pure; after the kubelet's getPhase. */
import type { Container, ContainerStateTerminated, ContainerStatus, Pod } from '../../api/schema/types.ts';
import type { ContainerStatuses } from './container-status.ts';
import { isSidecar, restartsAfter, specOf } from './spec.ts';

/** `terminal`: all containers have ended and none will be started again, whatever the restart policy. */
export function podPhase(pod: Pod, { inits, mains }: ContainerStatuses, terminal: boolean): string {
  const spec = specOf(pod);
  const initProgress = (spec.initContainers ?? []).map((container, i) => progressOf(pod, container, inits[i]));
  const isRunning = mains.some((s) => s.state?.running);
  const ended = mains.filter((s) => !s.state?.running && endOf(s));
  const isWaiting = mains.some((s) => !s.state?.running && !endOf(s));
  const succeeded = ended.length > 0 && ended.every((s) => s.state?.terminated?.exitCode === 0);

  if (initProgress.includes('failed')) return 'Failed';
  if (terminal) return succeeded && !isWaiting && !initProgress.includes('restarting') ? 'Succeeded' : 'Failed';
  const begun = isRunning || ended.length > 0;
  if (isWaiting || (!begun && initProgress.some((p) => p !== 'done'))) return 'Pending';
  if (isRunning) return 'Running';
  if (!begun) return 'Pending';
  const restarting = spec.containers.some((container, i) => {
    const end = endOf(mains[i]);
    return end && restartsAfter(pod, container, end.exitCode);
  });
  if (restarting) return 'Running';
  return succeeded ? 'Succeeded' : 'Failed';
}

function endOf(status: ContainerStatus | undefined): ContainerStateTerminated | undefined {
  return status?.state?.terminated ?? status?.lastState?.terminated;
}

/** How far an init container is; failed means for good. */
function progressOf(pod: Pod, container: Container, status: ContainerStatus | undefined): 'pending' | 'done' | 'restarting' | 'failed' {
  const end = endOf(status);
  if (isSidecar(container)) return end || (status?.state?.running && status.started) ? 'done' : 'pending';
  if (end && end.exitCode !== 0) return restartsAfter(pod, container, end.exitCode) ? 'restarting' : 'failed';
  return status?.state?.terminated ? 'done' : 'pending';
}
