/** What a scheduling plugin is: a filter, a score, or both. */
import type { Pod } from '../api/schema/types.ts';
import type { Cluster } from './cluster.ts';
import type { NodeInfo } from './node-info.ts';

/** Why a node does not do, in upstream's words, as they stand in the FailedScheduling event: `Insufficient cpu`. */
export type Reason = string;

export interface Prepared {
  /** Why no node will do whatever it is like, in upstream's words: `persistentvolumeclaim "data" not found`. */
  readonly reject?: Reason;
  /** Undefined when the node does, else every reason why not. */
  filter?(node: NodeInfo): readonly Reason[] | undefined;
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
}
