/** What the state of a node means for its taints and its pods: pure. */
import { tolerationFits } from '../../api/placement/taints.ts';
import type { Node, NodeCondition, Pod, Taint } from '../../api/schema/types.ts';
import {
  taintNodeDiskPressure,
  taintNodeMemoryPressure,
  taintNodeNetworkUnavailable,
  taintNodeNotReady,
  taintNodePIDPressure,
  taintNodeUnreachable,
  taintNodeUnschedulable,
} from '../../api/well-known.ts';

/** A node whose Lease was not renewed for this long is not heard of any more. */
export const graceMs = 40_000;

/** NoSchedule taints by condition: type, the status that means trouble, key. */
const byCondition = [
  ['Ready', 'False', taintNodeNotReady],
  ['Ready', 'Unknown', taintNodeUnreachable],
  ['MemoryPressure', 'True', taintNodeMemoryPressure],
  ['DiskPressure', 'True', taintNodeDiskPressure],
  ['PIDPressure', 'True', taintNodePIDPressure],
  ['NetworkUnavailable', 'True', taintNodeNetworkUnavailable],
] as const;
const ours = new Set<string>([...byCondition.map(([, , key]) => key), taintNodeUnschedulable]);

/** The conditions of a node that nobody has heard of for too long; undefined when they say so already. */
export function unheardConditions(node: Node, time: string): NodeCondition[] | undefined {
  const conditions = node.status?.conditions ?? [];
  const types = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
  if (types.every((type) => conditions.find((c) => c.type === type)?.status === 'Unknown')) return undefined;
  return types.map((type) => {
    const was = conditions.find((c) => c.type === type);
    if (was?.status === 'Unknown') return was;
    const never = was === undefined;
    return {
      ...was,
      type,
      status: 'Unknown',
      reason: never ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
      message: never ? 'Kubelet never posted node status.' : 'Kubelet stopped posting node status.',
      lastTransitionTime: time,
    };
  });
}

/**
 * The taints a node should carry; those of others stay. NoExecute taints keep the time they were set. `mayEvict` is false
 * while no node at all is ready: then it is the control plane that is cut off, and pods had nowhere to go (upstream's full disruption).
 */
export function wantedTaints(node: Node, time: string, mayEvict: boolean = true): Taint[] {
  const now = node.spec?.taints ?? [];
  const others = now.filter((t) => !ours.has(t.key));
  const status = new Map((node.status?.conditions ?? []).map((c) => [c.type, c.status]));
  const taint = (key: string, effect: string): Taint =>
    now.find((t) => t.key === key && t.effect === effect) ?? { key, effect, timeAdded: time };
  const taints: Taint[] = [];
  for (const [type, bad, key] of byCondition) {
    if (status.get(type) !== bad) continue;
    taints.push(taint(key, 'NoSchedule'));
    if (type === 'Ready' && mayEvict) taints.push(taint(key, 'NoExecute'));
  }
  if (node.spec?.unschedulable) taints.push(taint(taintNodeUnschedulable, 'NoSchedule'));
  // A node that has only just come and said nothing is not ready; its kubelet will say when it is.
  if (!status.has('Ready')) taints.push(...now.filter((t) => t.key === taintNodeNotReady));
  return [...others, ...taints];
}

/**
 * When a pod has to leave its node, in ms since the epoch; undefined when it may stay. The seconds of a toleration count from
 * the taint (`seen` says when one without a time came up) or, for a pod that came later, from its own arrival.
 */
export function evictionTime(pod: Pod, node: Node, seen: (taint: Taint) => number): number | undefined {
  let due: number | undefined;
  const scheduled = pod.status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'True')?.lastTransitionTime;
  const arrived = Date.parse(scheduled ?? pod.metadata.creationTimestamp ?? '') || 0;
  for (const taint of node.spec?.taints ?? []) {
    if (taint.effect !== 'NoExecute') continue;
    const added = Math.max(Date.parse(taint.timeAdded ?? '') || seen(taint), arrived);
    const fitting = (pod.spec?.tolerations ?? []).filter((t) => tolerationFits(t, taint));
    if (fitting.length === 0) return 0;
    const bounded = fitting.flatMap((t) => (t.tolerationSeconds === undefined ? [] : [t.tolerationSeconds]));
    if (bounded.length === 0) continue;
    const at = added + Math.max(Math.min(...bounded), 0) * 1000;
    due = due === undefined ? at : Math.min(due, at);
  }
  return due;
}
