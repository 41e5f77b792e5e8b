/** What the filters of a profile say of a pod: pure. */
import { objectKey } from '../api/object-key.ts';
import type { Pod } from '../api/schema/types.ts';
import type { Cluster } from './cluster.ts';
import type { NodeInfo } from './node-info.ts';
import type { Nomination } from './nominations.ts';
import type { Difference, Plugin, Prepared, Reason, Scoring } from './plugin.ts';

export interface Refusal {
  readonly reasons: readonly Reason[];
  /** The node may do when pods go from it. */
  readonly yields: boolean;
}

export interface Scorer extends Scoring {
  readonly score: NonNullable<Prepared['score']>;
}

export function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0;
}

type Filter = Pick<Prepared, 'yields'> & Required<Pick<Prepared, 'filter'>>;

const asItIs: Difference = { gone: [], come: [] };

/** Those whom the pod must leave room, by the nodes that are kept for them. */
function keptFor(pod: Pod, { nominations }: Cluster): ReadonlyMap<string, readonly Nomination[]> {
  const own = objectKey(pod);
  return Map.groupBy(
    nominations.all().filter((other) => other.key !== own && priorityOf(other.pod) >= priorityOf(pod)),
    ({ node }) => node,
  );
}

export class Fit {
  readonly #kept: ReadonlyMap<string, readonly Nomination[]>;
  readonly #filters: Filter[] = [];
  readonly scorers: Scorer[] = [];
  /** Why no node will do. */
  readonly reject: Reason | undefined;

  constructor(pod: Pod, cluster: Cluster, plugins: readonly Plugin[]) {
    this.#kept = keptFor(pod, cluster);
    for (const plugin of plugins) {
      const { scoring } = plugin;
      const prepared = plugin.prepare(pod, cluster);
      if (!prepared) continue;
      const { reject, filter, score } = prepared;
      if (reject !== undefined) {
        this.reject = reject;
        return;
      }
      if (filter) this.#filters.push({ ...prepared, filter });
      if (score && scoring) this.scorers.push({ ...scoring, score });
    }
  }

  /**
   * What is against the node, or against what it would be with other pods on it: then `node` is a copy, and `difference` says which. The pod fits only if it
   * does so with and without those of at least its priority for which the node is kept.
   */
  refusal(node: NodeInfo, difference: Difference = asItIs): Refusal | undefined {
    const kept = this.#kept.get(node.name);
    if (kept) {
      const full = node.copy();
      for (const { key, pod } of kept) full.addPod(key, pod);
      const against = this.#against(full, { ...difference, come: kept.map(({ pod }) => pod) });
      if (against) return against;
    }
    return this.#against(node, difference);
  }

  /** The first plugin that is against the node speaks for all. */
  #against(node: NodeInfo, difference: Difference): Refusal | undefined {
    for (const { filter, yields } of this.#filters) {
      const reasons = filter(node, difference);
      if (reasons !== undefined) return { reasons, yields: yields?.(node) ?? false };
    }
    return undefined;
  }
}
