/** What a scheduling plugin is: a filter, a score, or both. */
import type { Pod } from '../api/schema/types.ts';
import type { Cluster } from './cluster.ts';
import type { NodeInfo } from './node-info.ts';
import type { VolumePlan } from './volume-plan.ts';

/** Why a node does not do, in upstream's words, as they stand in the FailedScheduling event: `Insufficient cpu`. */
export type Reason = string;

/** Pods that are on a node, or no longer, beside what `prepare` saw: they are thought of, to see whether the pod would fit then. */
export interface Difference {
  readonly gone: readonly Pod[];
  readonly come: readonly Pod[];
}

export interface Prepared {
  /** Why no node will do whatever it is like, in upstream's words: `persistentvolumeclaim "data" not found`. */
  readonly reject?: Reason;
  /** Undefined when the node does, else every reason why not. `node` is as it is thought of already. */
  filter?(node: NodeInfo, difference: Difference): readonly Reason[] | undefined;
  /** Whether a node that the filter is against may do when pods go from it; absent, none may. */
  yields?(node: NodeInfo): boolean;
  /** The greater the better; any scale. `choose` brings the scores of all nodes to 0–100 as `scale` says. */
  score?(node: NodeInfo): number;
}

export interface Scoring {
  readonly weight: number;
  /**
   * `percent`: scores are 0–100 as they are. `spread`: the least becomes 0 and the greatest 100. `reverse`: the greatest,
   * which must be above 0, becomes 0, and 0 becomes 100.
   */
  readonly scale: 'percent' | 'spread' | 'reverse';
}

export interface Plugin {
  readonly name: string;
  /** Absent: it only filters. */
  readonly scoring?: Scoring;
  /** Undefined when the pod does not concern the plugin. */
  prepare(pod: Pod, cluster: Cluster): Prepared | undefined;
  /** What becomes of the pod's claims when it goes to the node, for which the filter was; undefined when nothing is left to do. */
  volumes?(pod: Pod, cluster: Cluster, node: NodeInfo): VolumePlan | undefined;
}
