/** Which pods nobody else will take away: pure. */
import type { Pod } from '../../api/schema/types.ts';
import { isOver } from '../ownership/pod-state.ts';

/** A node may be on its way in: its pods wait this long. */
export const quarantineMs = 40_000;
/** kube-controller-manager's --terminated-pod-gc-threshold. */
const maxTerminated = 12_500;

export interface Orphan {
  readonly pod: Pod;
  readonly why: string;
}

/** `missing` has the nodes that pods name and that are not there, with how long each has been missed, in ms. */
export function planPodGc(pods: readonly Pod[], missing: ReadonlyMap<string, number>): Orphan[] {
  const ofLostNodes = pods.filter(({ spec }) => (missing.get(spec?.nodeName ?? '') ?? 0) >= quarantineMs);
  const unscheduled = pods.filter(({ metadata, spec }) => metadata.deletionTimestamp && !spec?.nodeName);
  const ended = pods.filter(isOver).toSorted((a, b) => (createdAt(a) < createdAt(b) ? -1 : 1));
  const surplus = ended.slice(0, Math.max(ended.length - maxTerminated, 0));
  return [
    ...ofLostNodes.map((pod) => ({ pod, why: `its node "${pod.spec?.nodeName}" is gone` })),
    ...unscheduled.map((pod) => ({ pod, why: 'it was deleted before it had a node' })),
    ...surplus.map((pod) => ({ pod, why: 'too many pods have ended' })),
  ];
}

function createdAt({ metadata }: Pod): string {
  return metadata.creationTimestamp ?? '';
}
