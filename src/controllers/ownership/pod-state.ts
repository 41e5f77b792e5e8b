/** What a pod says of itself. */
import type { Pod } from '../../api/schema/types.ts';

/** All its containers have ended, and none is started again. */
export function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

export function isActive(pod: Pod): boolean {
  return !isOver(pod) && !pod.metadata.deletionTimestamp;
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

/** Milliseconds since the epoch when the pod became ready; undefined while it is not. */
export function readySince(pod: Pod): number | undefined {
  const ready = pod.status?.conditions?.find((c) => c.type === 'Ready' && c.status === 'True');
  return ready ? Date.parse(ready.lastTransitionTime ?? '') || 0 : undefined;
}

/** Milliseconds until the pod counts as available: 0 when it does, undefined while it is not ready. */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  const since = readySince(pod);
  if (since === undefined) return undefined;
  return Math.max(since + minReadySeconds * 1000 - now, 0);
}
