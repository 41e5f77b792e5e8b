/** On which nodes a DaemonSet's pods should run, and which pods are one too many: pure. */
import { nodeRequirement } from '../../api/placement/node-selector.ts';
import { tolerationFits } from '../../api/placement/taints.ts';
import type { DaemonSet, DaemonSetStatus, Node, Pod, PodTemplateSpec, Toleration } from '../../api/schema/types.ts';
import {
  deprecatedTemplateGeneration,
  taintNodeDiskPressure,
  taintNodeMemoryPressure,
  taintNodeNetworkUnavailable,
  taintNodeNotReady,
  taintNodePIDPressure,
  taintNodeUnreachable,
  taintNodeUnschedulable,
} from '../../api/well-known.ts';
import { availableIn, isOver, isReady } from '../ownership/pod-state.ts';
import { scaledValue } from '../ownership/scaled-value.ts';

export const hashLabel = 'controller-revision-hash';
const generationLabel = 'pod-template-generation';

/** What every daemon pod tolerates: it shall run, and stay, on a node in trouble. */
const always: readonly Toleration[] = [
  ...exists('NoExecute', taintNodeNotReady, taintNodeUnreachable),
  ...exists('NoSchedule', taintNodeDiskPressure, taintNodeMemoryPressure, taintNodePIDPressure, taintNodeUnschedulable),
];
const onHostNetwork = exists('NoSchedule', taintNodeNetworkUnavailable);

function exists(effect: string, ...keys: readonly string[]): Toleration[] {
  return keys.map((key) => ({ key, operator: 'Exists', effect }));
}

export function tolerationsOf(template: PodTemplateSpec): Toleration[] {
  return [...(template.spec?.tolerations ?? []), ...always, ...(template.spec?.hostNetwork ? onHostNetwork : [])];
}

/** The template for one node: bound to it by affinity, so that the scheduler still has the last word. */
export function templateFor({ metadata, spec }: DaemonSet, nodeName: string, hash: string): PodTemplateSpec {
  const template = spec?.template ?? {};
  const generation = metadata.annotations?.[deprecatedTemplateGeneration];
  const pin = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] };
  const terms = template.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return {
    metadata: {
      ...template.metadata,
      labels: { ...template.metadata?.labels, ...(generation ? { [generationLabel]: generation } : {}), [hashLabel]: hash },
    },
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

interface DaemonPlan {
  /** Nodes that need a pod. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
}

function oldestFirst(pods: readonly Pod[]): Pod[] {
  const created = ({ metadata }: Pod): number => Date.parse(metadata.creationTimestamp ?? '') || 0;
  return pods.toSorted((a, b) => created(a) - created(b));
}

/** What one node has, and should have. */
interface OnNode {
  readonly run: boolean;
  /** Whether any pod is there, also one on its way out. */
  readonly isTaken: boolean;
  /** Those that must go whatever the template is. */
  readonly surplus: readonly Pod[];
  /** The one that stays. */
  readonly pod: Pod | undefined;
  readonly isAvailable: boolean;
}

function lookAt(daemonSet: DaemonSet, node: Node, there: readonly Pod[], now: number): OnNode {
  const { run, stay } = verdictOn(daemonSet, node);
  const alive = there.filter((p) => !p.metadata.deletionTimestamp);
  // One that is on its way out, or has failed and is not yet taken away, still holds the place: its successor waits.
  const isTaken = there.length > 0;
  if (!stay) return { run: false, isTaken, surplus: alive, pod: undefined, isAvailable: false };
  const [pod, ...younger] = oldestFirst(alive.filter((p) => !isOver(p)));
  const isAvailable = pod !== undefined && availableIn(pod, daemonSet.spec?.minReadySeconds ?? 0, now) === 0;
  return { run, isTaken, surplus: [...alive.filter(isOver), ...younger], pod, isAvailable };
}

/** `hash` names the current template; `now` in ms decides what is available. */
export function planDaemons(daemonSet: DaemonSet, hash: string, nodes: readonly Node[], owned: readonly Pod[], now: number): DaemonPlan {
  const byNode = Map.groupBy(owned, nodeOf);
  const places = new Map(nodes.map((node) => [node.metadata.name, lookAt(daemonSet, node, byNode.get(node.metadata.name) ?? [], now)]));
  const strays = [...byNode].filter(([name]) => !places.has(name)).flatMap(([, pods]) => pods.filter((p) => !p.metadata.deletionTimestamp));
  const remove = [...[...places.values()].flatMap(({ surplus }) => surplus), ...strays, ...outdated(daemonSet, hash, [...places.values()])];
  return {
    create: [...places].filter(([, { run, isTaken }]) => run && !isTaken).map(([name]) => name),
    remove: [...new Set(remove)],
  };
}

/** Pods of an older template that a rolling update replaces now. */
function outdated({ spec }: DaemonSet, hash: string, places: readonly OnNode[]): Pod[] {
  const { type, rollingUpdate } = spec?.updateStrategy ?? {};
  if (type === 'OnDelete') return [];
  const wanted = places.filter(({ run }) => run);
  const allowed = rollingUpdate?.maxUnavailable ?? 1;
  const most = Math.max(scaledValue(allowed, wanted.length), typeof allowed === 'number' ? 0 : 1);
  const budget = Math.max(most - wanted.filter(({ isAvailable }) => !isAvailable).length, 0);
  const old = places.filter(({ pod }) => pod && pod.metadata.labels?.[hashLabel] !== hash);
  // One that serves nobody costs nothing.
  const chosen = [...old.filter((o) => !o.isAvailable), ...old.filter((o) => o.isAvailable).slice(0, budget)];
  return chosen.flatMap(({ pod }) => pod ?? []);
}

export function daemonSetStatus(
  daemonSet: DaemonSet,
  hash: string,
  nodes: readonly Node[],
  owned: readonly Pod[],
  now: number,
): DaemonSetStatus {
  const byNode = Map.groupBy(
    owned.filter((p) => !p.metadata.deletionTimestamp),
    nodeOf,
  );
  const podsOn = (node: Node): readonly Pod[] => byNode.get(node.metadata.name) ?? [];
  const byVerdict = Map.groupBy(nodes, (node) => verdictOn(daemonSet, node).run);
  const [desired, others] = [byVerdict.get(true) ?? [], byVerdict.get(false) ?? []];
  // Of several on a node the oldest counts.
  const scheduled = desired.flatMap((node) => oldestFirst(podsOn(node)).slice(0, 1));
  const available = scheduled.filter((pod) => availableIn(pod, daemonSet.spec?.minReadySeconds ?? 0, now) === 0).length;
  const collisionCount = daemonSet.status?.collisionCount;
  return {
    currentNumberScheduled: scheduled.length,
    desiredNumberScheduled: desired.length,
    numberMisscheduled: others.filter((node) => podsOn(node).length > 0).length,
    numberReady: scheduled.filter(isReady).length,
    updatedNumberScheduled: scheduled.filter((pod) => pod.metadata.labels?.[hashLabel] === hash).length,
    numberAvailable: available,
    numberUnavailable: desired.length - available,
    observedGeneration: daemonSet.metadata.generation,
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
}
