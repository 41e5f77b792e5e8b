/** Which node for a pod: pure. */
import type { Pod } from '../api/schema/types.ts';
import type { Cluster } from './cluster.ts';
import type { NodeInfo } from './node-info.ts';
import type { Prepared, Reason, Scoring } from './plugin.ts';
import type { Profile } from './profile.ts';

export type Reasons = ReadonlyMap<string, readonly Reason[]>;

export type Choice =
  | { readonly kind: 'node'; readonly name: string }
  /** For each node, by its name, why it does not do. */
  | { readonly kind: 'none'; readonly reasons: Reasons }
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

type Filter = NonNullable<Prepared['filter']>;

interface Scorer extends Scoring {
  readonly score: NonNullable<Prepared['score']>;
}

/**
 * `startAt` turns the order in which nodes are looked at, so that a large cluster fills evenly; `pick` (0 ≤ x < 1) decides
 * between the best.
 */
export function choose(pod: Pod, cluster: Cluster, profile: Omit<Profile, 'name'>, startAt: number, pick: number): Choice {
  const filters: Filter[] = [];
  const scorers: Scorer[] = [];
  for (const plugin of profile.plugins) {
    const prepared = plugin.prepare(pod, cluster);
    // Without nodes that is what is said.
    if (prepared?.reject !== undefined && cluster.nodes.length > 0) return { kind: 'rejected', reason: prepared.reject };
    if (prepared?.filter) filters.push(prepared.filter);
    if (prepared?.score && plugin.scoring) scorers.push({ ...plugin.scoring, score: prepared.score });
  }
  const { feasible, reasons } = feasibleNodes(
    cluster.nodes,
    enoughNodes(cluster.nodes.length, profile.percentageOfNodesToScore),
    filters,
    startAt,
  );
  const best = feasible.length < 2 ? feasible : bestOf(feasible, scorers);
  const chosen = best[Math.floor(pick * best.length)];
  return chosen ? { kind: 'node', name: chosen.name } : { kind: 'none', reasons };
}

/** Enough nodes that no filter is against, and why others do not do. */
function feasibleNodes(
  nodes: readonly NodeInfo[],
  enough: number,
  filters: readonly Filter[],
  startAt: number,
): { readonly feasible: readonly NodeInfo[]; readonly reasons: Reasons } {
  const feasible: NodeInfo[] = [];
  const reasons = new Map<string, readonly Reason[]>();
  for (let i = 0; i < nodes.length && feasible.length < enough; i++) {
    const node = nodes[(startAt + i) % nodes.length] as NodeInfo;
    const against = firstReasons(filters, node);
    if (against === undefined) feasible.push(node);
    else reasons.set(node.name, against);
  }
  return { feasible, reasons };
}

/** The first plugin that is against the node speaks for all. */
function firstReasons(filters: readonly Filter[], node: NodeInfo): readonly Reason[] | undefined {
  for (const filter of filters) {
    const reasons = filter(node);
    if (reasons !== undefined) return reasons;
  }
  return undefined;
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

/** The FailedScheduling message. */
export function refusalMessage(choice: Exclude<Choice, { readonly kind: 'node' }>, nodes: number): string {
  return choice.kind === 'rejected' ? `0/${nodes} nodes are available: ${choice.reason}.` : unschedulableMessage(choice.reasons);
}

/**
 * First counts by reason in upstream's words, then each node with its own.
 * `0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu. cp: …; w1: …`
 */
function unschedulableMessage(reasons: Reasons): string {
  const counts = new Map<Reason, number>();
  for (const reason of [...reasons.values()].flat()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  if (reasons.size === 0) return 'no nodes available to schedule pods';
  const parts = [...counts].map(([reason, n]) => `${n} ${reason}`).toSorted();
  const head = `0/${reasons.size} nodes are available: ${parts.join(', ')}.`;
  if (counts.size < 2) return head;
  const each = [...reasons].map(([node, reason]) => `${node}: ${reason.map((r) => r.replace(/^node\(s\) /, '')).join(', ')}`);
  const shown = each.slice(0, 10);
  return `${head} ${shown.join('; ')}${each.length > shown.length ? `; and ${each.length - shown.length} more` : ''}`;
}
