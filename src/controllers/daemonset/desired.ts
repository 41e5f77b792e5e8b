/** On which nodes a DaemonSet's pods should run, and which pods are one too many: pure. */
import { nodeRequirement } from '../../api/placement/node-selector.ts';
import { tolerationFits } from '../../api/placement/taints.ts';
import type { DaemonSet, DaemonSetStatus, Node, Pod, PodTemplateSpec, Toleration } from '../../api/schema/types.ts';
import {
  taintNodeDiskPressure,
  taintNodeMemoryPressure,
  taintNodeNetworkUnavailable,
  taintNodeNotReady,
  taintNodePIDPressure,
  taintNodeUnreachable,
  taintNodeUnschedulable,
} from '../../api/well-known.ts';
import { availableIn, isReady } from '../ownership/pod-state.ts';

export const hashLabel = 'controller-revision-hash';

/** What every daemon pod tolerates: it shall run, and stay, on a node in trouble. */
const always: readonly Toleration[] = [
  { key: taintNodeNotReady, operator: 'Exists', effect: 'NoExecute' },
  { key: taintNodeUnreachable, operator: 'Exists', effect: 'NoExecute' },
  { key: taintNodeDiskPressure, operator: 'Exists', effect: 'NoSchedule' },
  { key: taintNodeMemoryPressure, operator: 'Exists', effect: 'NoSchedule' },
  { key: taintNodePIDPressure, operator: 'Exists', effect: 'NoSchedule' },
  { key: taintNodeUnschedulable, operator: 'Exists', effect: 'NoSchedule' },
];
const onHostNetwork: Toleration = { key: taintNodeNetworkUnavailable, operator: 'Exists', effect: 'NoSchedule' };

export function tolerationsOf(template: PodTemplateSpec): Toleration[] {
  return [...(template.spec?.tolerations ?? []), ...always, ...(template.spec?.hostNetwork ? [onHostNetwork] : [])];
}

/** The template for one node: bound to it by affinity, so that the scheduler still has the last word. */
export function templateFor(template: PodTemplateSpec, nodeName: string, hash: string): PodTemplateSpec {
  const pin = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] };
  const terms = template.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return {
    metadata: { ...template.metadata, labels: { ...template.metadata?.labels, [hashLabel]: hash } },
    spec: {
      containers: [],
      ...template.spec,
      tolerations: tolerationsOf(template),
      affinity: {
        ...template.spec?.affinity,
        nodeAffinity: {
          ...template.spec?.affinity?.nodeAffinity,
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms ? terms.map((t) => ({ ...t, ...pin })) : [pin] },
        },
      },
    },
  };
}

/** The node a daemon pod is for, also before it is bound. */
export function nodeOf(pod: Pod): string {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms.flatMap((t) => t.matchFields ?? []).find((f) => f.key === 'metadata.name')?.values?.[0] ?? '';
}

export interface Verdict {
  /** A pod should be made when there is none. */
  readonly run: boolean;
  /** A pod that is there may stay. */
  readonly stay: boolean;
}

export function verdictOn(daemonSet: DaemonSet, node: Node): Verdict {
  const template = daemonSet.spec?.template ?? {};
  if (template.spec?.nodeName && template.spec.nodeName !== node.metadata.name) return { run: false, stay: false };
  const required = nodeRequirement(template.spec);
  if (required && !required({ name: node.metadata.name, labels: node.metadata.labels ?? {} })) return { run: false, stay: false };
  const tolerations = tolerationsOf(template);
  const open = (node.spec?.taints ?? []).filter(
    (t) => t.effect !== 'PreferNoSchedule' && !tolerations.some((tol) => tolerationFits(tol, t)),
  );
  return { run: open.length === 0, stay: open.every((t) => t.effect !== 'NoExecute') };
}

export interface DaemonPlan {
  /** Nodes that need a pod. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
}

export const ended = (pod: Pod): boolean => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
const age = (pod: Pod): number => Date.parse(pod.metadata.creationTimestamp ?? '') || 0;

export function podsByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  return Map.groupBy(pods, nodeOf);
}

/** `hash` names the current template; `now` in ms decides what is available. */
export function planDaemons(daemonSet: DaemonSet, hash: string, nodes: readonly Node[], owned: readonly Pod[], now: number): DaemonPlan {
  const create: string[] = [];
  const remove: Pod[] = [];
  const byNode = podsByNode(owned);
  const known = new Set<string>();
  let wanted = 0;
  let unavailable = 0;
  const outdated: { readonly pod: Pod; readonly available: boolean }[] = [];
  for (const node of nodes) {
    const name = node.metadata.name;
    known.add(name);
    const { run, stay } = verdictOn(daemonSet, node);
    const there = byNode.get(name) ?? [];
    const alive = there.filter((p) => !p.metadata.deletionTimestamp);
    if (!stay) {
      remove.push(...alive);
      continue;
    }
    remove.push(...alive.filter(ended));
    const running = alive.filter((p) => !ended(p)).toSorted((a, b) => age(a) - age(b));
    remove.push(...running.slice(1));
    if (run) wanted++;
    const [pod] = running;
    // One that is on its way out, or has failed and is not yet taken away, still holds the place: its successor waits.
    if (run && there.length === 0) create.push(name);
    const available = pod !== undefined && availableIn(pod, daemonSet.spec?.minReadySeconds ?? 0, now) === 0;
    if (run && !available) unavailable++;
    if (pod && pod.metadata.labels?.[hashLabel] !== hash) outdated.push({ pod, available });
  }
  for (const [name, pods] of byNode) if (!known.has(name)) remove.push(...pods.filter((p) => !p.metadata.deletionTimestamp));
  if (daemonSet.spec?.updateStrategy?.type !== 'OnDelete') {
    const allowed = daemonSet.spec?.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
    const most = typeof allowed === 'number' ? allowed : Math.max(Math.ceil((wanted * Number.parseFloat(allowed)) / 100), 1);
    // An outdated pod that serves nobody costs nothing.
    remove.push(...outdated.filter((o) => !o.available).map((o) => o.pod));
    const may = Math.max(most - unavailable, 0);
    remove.push(
      ...outdated
        .filter((o) => o.available)
        .slice(0, may)
        .map((o) => o.pod),
    );
  }
  return { create, remove: [...new Set(remove)] };
}

export function daemonSetStatus(
  daemonSet: DaemonSet,
  hash: string,
  nodes: readonly Node[],
  owned: readonly Pod[],
  now: number,
): DaemonSetStatus {
  const byNode = podsByNode(owned.filter((p) => !p.metadata.deletionTimestamp));
  const status = {
    currentNumberScheduled: 0,
    desiredNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
    updatedNumberScheduled: 0,
    numberAvailable: 0,
    numberUnavailable: 0,
  };
  for (const node of nodes) {
    const { run } = verdictOn(daemonSet, node);
    const pods = byNode.get(node.metadata.name) ?? [];
    if (!run) {
      if (pods.length > 0) status.numberMisscheduled++;
      continue;
    }
    status.desiredNumberScheduled++;
    const pod = pods.toSorted((a, b) => age(a) - age(b))[0];
    if (!pod) continue;
    status.currentNumberScheduled++;
    if (isReady(pod)) status.numberReady++;
    if (availableIn(pod, daemonSet.spec?.minReadySeconds ?? 0, now) === 0) status.numberAvailable++;
    if (pod.metadata.labels?.[hashLabel] === hash) status.updatedNumberScheduled++;
  }
  status.numberUnavailable = status.desiredNumberScheduled - status.numberAvailable;
  const collisionCount = daemonSet.status?.collisionCount;
  return { ...status, observedGeneration: daemonSet.metadata.generation, ...(collisionCount === undefined ? {} : { collisionCount }) };
}
