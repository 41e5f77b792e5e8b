/** Which node for a pod: pure. */
import { objectKey } from '../api/object-key.ts';
import type { Pod } from '../api/schema/types.ts';
import type { Cluster } from './cluster.ts';
import { Fit, type Refusal, type Scorer } from './fit.ts';
import type { NodeInfo } from './node-info.ts';
import type { Reason, Scoring } from './plugin.ts';
import type { Profile } from './profile.ts';

export type Refusals = ReadonlyMap<string, Refusal>;

export type Choice =
  | { readonly kind: 'node'; readonly name: string }
  /** For each node, by its name, why it does not do. */
  | { readonly kind: 'none'; readonly refusals: Refusals }
  /** It is not the nodes: they were not looked at. */
  | { readonly kind: 'rejected'; readonly reason: Reason };

/** From this many nodes on, only a share of those that do is scored. */
const manyNodes = 100;

/** How many nodes that do are enough, by upstream's percentageOfNodesToScore. */
export function enoughNodes(nodes: number, percentage: number): number {
  if (nodes <= manyNodes) return nodes;
  const percent = percentage || Math.max(50 - Math.floor(nodes / 125), 5);
  return Math.max(Math.floor((nodes * percent) / 100), manyNodes);
}

/**
 * `startAt` turns the order in which nodes are looked at, so that a large cluster fills evenly; `pick` (0 ≤ x < 1) decides
 * between the best.
 */
export function choose(pod: Pod, cluster: Cluster, profile: Omit<Profile, 'name'>, startAt: number, pick: number): Choice {
  const fit = new Fit(pod, cluster, profile.plugins);
  // Without nodes that is what is said.
  if (fit.reject !== undefined && cluster.nodes.length > 0) return { kind: 'rejected', reason: fit.reject };
  // Those that made room for it made it there.
  const nominated = cluster.nodeNamed(cluster.nominations.nodeOf(objectKey(pod)) ?? '');
  if (nominated && !fit.refusal(nominated)) return { kind: 'node', name: nominated.name };
  const enough = enoughNodes(cluster.nodes.length, profile.percentageOfNodesToScore);
  const { feasible, refusals } = feasibleNodes(cluster.nodes, enough, fit, startAt);
  const best = feasible.length < 2 ? feasible : bestOf(feasible, fit.scorers);
  const chosen = best[Math.floor(pick * best.length)];
  return chosen ? { kind: 'node', name: chosen.name } : { kind: 'none', refusals };
}

/** Enough nodes that no filter is against, and why others do not do. */
function feasibleNodes(
  nodes: readonly NodeInfo[],
  enough: number,
  fit: Fit,
  startAt: number,
): { readonly feasible: readonly NodeInfo[]; readonly refusals: Refusals } {
  const feasible: NodeInfo[] = [];
  const refusals = new Map<string, Refusal>();
  for (let i = 0; i < nodes.length && feasible.length < enough; i++) {
    const node = nodes[(startAt + i) % nodes.length] as NodeInfo;
    const refusal = fit.refusal(node);
    if (refusal === undefined) feasible.push(node);
    else refusals.set(node.name, refusal);
  }
  return { feasible, refusals };
}

function bestOf(nodes: readonly NodeInfo[], scorers: readonly Scorer[]): readonly NodeInfo[] {
  const totals = new Float64Array(nodes.length);
  const scores = new Float64Array(nodes.length);
  for (const { weight, scale, score } of scorers) {
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < nodes.length; i++) {
      const s = score(nodes[i] as NodeInfo);
      scores[i] = s;
      if (s < least) least = s;
      if (s > most) most = s;
    }
    for (let i = 0; i < nodes.length; i++) totals[i] = (totals[i] ?? 0) + weight * scaled(scores[i] ?? 0, least, most, scale);
  }
  const top = Math.max(...totals);
  return nodes.filter((_, i) => totals[i] === top);
}

function scaled(score: number, least: number, most: number, scale: Scoring['scale']): number {
  if (scale === 'percent') return score;
  if (scale === 'reverse') return most === 0 ? 100 : Math.floor(100 - (100 * score) / most);
  return most === least ? 0 : Math.floor((100 * (score - least)) / (most - least));
}

/** The FailedScheduling message: upstream's, then each node with its own reasons. `preemption`: why no pod makes room, if that was tried. */
export function refusalMessage(choice: Exclude<Choice, { readonly kind: 'node' }>, nodes: number, preemption?: string): string {
  if (choice.kind === 'none' && choice.refusals.size === 0) return 'no nodes available to schedule pods';
  const parts = choice.kind === 'rejected' ? [choice.reason] : counted([...choice.refusals.values()].flatMap(({ reasons }) => reasons));
  const head = `${nodesMessage(nodes, parts)}${preemption === undefined ? '' : ` preemption: ${preemption}`}`;
  return choice.kind === 'none' && parts.length > 1 ? `${head} ${nodeByNode(choice.refusals)}` : head;
}

/** In upstream's words: `0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu.` */
export function nodesMessage(nodes: number, parts: readonly string[]): string {
  return `0/${nodes} nodes are available: ${parts.join(', ')}.`;
}

/** How many nodes there are of each reason. */
export function counted(reasons: Iterable<Reason>): string[] {
  const counts = new Map<Reason, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, n]) => `${n} ${reason}`).toSorted();
}

/**
 * Each with its own reasons: `cp: had untolerated taint {a: b}; w1: Insufficient cpu`. In the order of `kubectl get nodes`: each try looks at them from
 * another one on, and a text that turns would be another event, and another write of the pod's condition, each time.
 */
function nodeByNode(refusals: Refusals): string {
  const byName = [...refusals].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const shown = byName.slice(0, 10).map(([node, { reasons }]) => `${node}: ${reasons.map((r) => r.replace(/^node\(s\) /, '')).join(', ')}`);
  const left = refusals.size - shown.length;
  return `${shown.join('; ')}${left > 0 ? `; and ${left} more` : ''}`;
}
