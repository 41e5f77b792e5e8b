/** How the pods of one scheduler name get their nodes. */
import type { Pod } from '../api/schema/types.ts';
import type { Plugin } from './plugin.ts';
import { plugins } from './plugins/order.ts';

export const defaultSchedulerName = 'default-scheduler';

export interface Profile {
  /** The `schedulerName` of its pods. */
  readonly name: string;
  readonly plugins: readonly Plugin[];
  /** How many of the nodes that do are enough; 0, the less the more nodes there are. */
  readonly percentageOfNodesToScore: number;
  /** How many nodes are thought through for pods that may make room; absent, none do. */
  readonly preemption?: PreemptionShare | undefined;
}

export interface PreemptionShare {
  readonly minCandidateNodesPercentage: number;
  readonly minCandidateNodesAbsolute: number;
}

export const defaultPreemption: PreemptionShare = { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 };

export const defaultProfile: Profile = { name: defaultSchedulerName, plugins, percentageOfNodesToScore: 0, preemption: defaultPreemption };

export function schedulerNameOf(pod: Pod): string {
  return pod.spec?.schedulerName || defaultSchedulerName;
}
