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
}

export const defaultProfile: Profile = { name: defaultSchedulerName, plugins, percentageOfNodesToScore: 0 };

export function schedulerNameOf(pod: Pod): string {
  return pod.spec?.schedulerName || defaultSchedulerName;
}
