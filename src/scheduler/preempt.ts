/**
 * Which pods must go so that one of higher priority fits: upstream's DefaultPreemption. Pure.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
 */
import { objectKey } from '../api/object-key.ts';
import type { Pod, PodDisruptionBudget } from '../api/schema/types.ts';
import { labelSelectorOf } from '../api/selector/label.ts';
import { counted, nodesMessage, type Refusals } from './choose.ts';
import type { Cluster } from './cluster.ts';
import { Fit, priorityOf } from './fit.ts';
import type { NodeInfo, PodShare } from './node-info.ts';
import type { Reason } from './plugin.ts';
import { defaultPreemption, type PreemptionShare, type Profile } from './profile.ts';

export interface Asked {
  readonly pod: Pod;
  readonly cluster: Cluster;
  readonly profile: Pick<Profile, 'plugins' | 'preemption'>;
  /** Why no node did; empty where the nodes were not looked at. */
  readonly refusals: Refusals;
  readonly budgets: readonly PodDisruptionBudget[];
  /** Which of the nodes is looked at first: 0 ≤ x < 1. */
  readonly pick: number;
  /** When a pod that has not started counts as started, in milliseconds since the epoch. */
  readonly now: number;
}

export interface Candidate {
  readonly node: string;
  /** The most important first. */
  readonly victims: readonly Pod[];
  /** How many of them a budget protects. */
  readonly violations: number;
}

export type Preemption =
  | ({ readonly kind: 'victims' } & Candidate)
  /** It has made room already, or may not: what is kept for it stays so. */
  | { readonly kind: 'ineligible'; readonly why: Reason }
  | { readonly kind: 'helpless'; readonly why: Reason };

const noVictims = 'No preemption victims found for incoming pod';
const noHelp = 'Preemption is not helpful for scheduling';
/** What tells of a pod that was preempted, on the pod. */
export const disruptionTarget = 'DisruptionTarget';
export const preemptionReason = 'PreemptionByScheduler';

export function preempt(asked: Asked): Preemption {
  const { cluster } = asked;
  const why = ineligible(asked);
  if (why !== undefined) return { kind: 'ineligible', why };
  const { candidates, against } = candidatesOf(asked);
  const best = bestOf(candidates, asked.now);
  if (best) return { kind: 'victims', ...best };
  const others = Array<Reason>(cluster.nodes.length - against.length).fill(noHelp);
  return { kind: 'helpless', why: nodesMessage(cluster.nodes.length, counted([...against.flat(), ...others])) };
}

/** Why the pod may preempt nobody now. */
function ineligible({ pod, cluster, refusals }: Asked): Reason | undefined {
  if (pod.spec?.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const name = cluster.nominations.nodeOf(objectKey(pod));
  const node = name === undefined ? undefined : cluster.nodeNamed(name);
  if (!node || refusals.get(node.name)?.yields === false) return undefined;
  const leaves = [...node.pods.values()].some((other) => priorityOf(other) < priorityOf(pod) && leavesForAnother(other));
  return leaves ? 'not eligible due to a terminating pod on the nominated node.' : undefined;
}

function leavesForAnother({ metadata, status }: Pod): boolean {
  const target = status?.conditions?.find(({ type }) => type === disruptionTarget);
  return metadata.deletionTimestamp !== undefined && target?.status === 'True' && target.reason === preemptionReason;
}

interface Candidates {
  readonly candidates: readonly Candidate[];
  /** For each node where others may not make room, why. */
  readonly against: readonly (readonly Reason[])[];
}

/** Enough nodes where others may make room; those that violate no budget come first. */
function candidatesOf(asked: Asked): Candidates {
  const { pod, cluster, profile, refusals, pick } = asked;
  const nodes = cluster.nodes.filter(({ name }) => refusals.get(name)?.yields);
  const enough = enoughCandidates(nodes.length, profile.preemption);
  // Most pods that fit nowhere find nobody of lower priority.
  let made: Fit | undefined;
  const fit = (): Fit => {
    made ??= new Fit(pod, cluster, profile.plugins);
    return made;
  };
  const startAt = Math.floor(pick * nodes.length);
  const clean: Candidate[] = [];
  const violating: Candidate[] = [];
  const against: (readonly Reason[])[] = [];
  for (let i = 0; i < nodes.length && !(clean.length > 0 && clean.length + violating.length >= enough); i++) {
    const found = victimsOn(nodes[(startAt + i) % nodes.length] as NodeInfo, fit, asked);
    if ('victims' in found) (found.violations === 0 ? clean : violating).push(found);
    else against.push(found);
  }
  return { candidates: [...clean, ...violating], against };
}

function enoughCandidates(
  nodes: number,
  { minCandidateNodesPercentage, minCandidateNodesAbsolute }: PreemptionShare = defaultPreemption,
): number {
  return Math.min(Math.max(Math.floor((nodes * minCandidateNodesPercentage) / 100), minCandidateNodesAbsolute), nodes);
}

/** The fewest pods of the node that must go: all that may are thought away, then the most important ones back as long as the pod fits. */
function victimsOn(node: NodeInfo, fitOf: () => Fit, { pod, budgets, now }: Asked): Candidate | readonly Reason[] {
  const lower = [...node.pods.values()].filter((other) => priorityOf(other) < priorityOf(pod));
  if (lower.length === 0) return [noVictims];
  const fit = fitOf();
  const thought = node.copy();
  const gone = new Map<Pod, PodShare | undefined>();
  const takeAway = (one: Pod): void => void gone.set(one, thought.removePod(objectKey(one)));
  const refusal = (): ReturnType<Fit['refusal']> => fit.refusal(thought, { gone: [...gone.keys()], come: [] });
  lower.forEach(takeAway);
  const against = refusal();
  if (against) return against.reasons;
  const byImportance = lower.toSorted((a, b) => compareImportance(a, b, now));
  const guarded = new Set(byImportance.filter(protectedBy(budgets)));
  for (const one of [...guarded, ...byImportance.filter((other) => !guarded.has(other))]) {
    thought.putBack(objectKey(one), gone.get(one) as PodShare);
    gone.delete(one);
    if (refusal()) takeAway(one);
  }
  const victims = byImportance.filter((one) => gone.has(one));
  if (victims.length === 0) return [noVictims];
  return { node: node.name, victims, violations: victims.filter((one) => guarded.has(one)).length };
}

function startOf({ status }: Pod, now: number): number {
  return status?.startTime === undefined ? now : Date.parse(status.startTime);
}

/** The more important first: by priority, then the older one. */
function compareImportance(a: Pod, b: Pod, now: number): number {
  return priorityOf(b) - priorityOf(a) || startOf(a, now) - startOf(b, now);
}

/** Whether a budget would be violated if the pod went after those that were asked about before. */
function protectedBy(budgets: readonly PodDisruptionBudget[]): (pod: Pod) => boolean {
  const all = budgets.map((budget) => ({
    budget,
    selector: isEmpty(budget) ? undefined : labelSelectorOf(budget.spec?.selector ?? {}),
    left: budget.status?.disruptionsAllowed ?? 0,
  }));
  return ({ metadata: { name, namespace, labels = {} } }) => {
    let isViolated = false;
    for (const one of all) {
      const { metadata, status } = one.budget;
      if (metadata.namespace !== namespace || !one.selector?.matches(labels) || Object.keys(labels).length === 0) continue;
      // Its going was counted already.
      if (Object.hasOwn(status?.disruptedPods ?? {}, name)) continue;
      one.left--;
      if (one.left < 0) isViolated = true;
    }
    return isViolated;
  };
}

/** For the scheduler such a budget is about no pod. */
function isEmpty({ spec }: PodDisruptionBudget): boolean {
  const { matchLabels = {}, matchExpressions = [] } = spec?.selector ?? {};
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;
}

/** What counts is how few budgets are violated, how unimportant the victims are, how few they are, and how young. The first of the best. */
export function bestOf(candidates: readonly Candidate[], now: number): Candidate | undefined {
  const priorities = ({ victims }: Candidate): number[] => victims.map(priorityOf);
  const rules: readonly ((candidate: Candidate) => number)[] = [
    ({ violations }) => violations,
    (candidate) => Math.max(...priorities(candidate)),
    // Above zero each, so that of pods with negative priorities more do not count less.
    (candidate) => priorities(candidate).reduce((sum, priority) => sum + priority + 2 ** 31, 0),
    ({ victims }) => victims.length,
    (candidate) => -earliestStart(candidate, now),
  ];
  let best = candidates;
  for (const rule of rules) {
    const costs = best.map(rule);
    const least = Math.min(...costs);
    best = best.filter((_, i) => costs[i] === least);
  }
  return best[0];
}

/** Of the most important victims. */
function earliestStart({ victims }: Candidate, now: number): number {
  const highest = Math.max(...victims.map(priorityOf));
  return Math.min(...victims.filter((pod) => priorityOf(pod) === highest).map((pod) => startOf(pod, now)));
}
