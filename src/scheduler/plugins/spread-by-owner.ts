import type { Plugin } from '../plugin.ts';

/**
 * Likes nodes on which fewer pods of the same owner run. It stands in for the default constraints of upstream's
 * PodTopologySpread (by host name), which is why three replicas of a small Deployment end up on three nodes.
 */
export const spreadByOwner: Plugin = {
  name: 'SpreadByOwner',
  scoring: { weight: 2, scale: 'reverse' },
  prepare(pod) {
    const owner = pod.metadata.ownerReferences?.find((o) => o.controller)?.uid;
    if (owner === undefined) return undefined;
    return { score: (node) => node.owners.get(owner) ?? 0 };
  },
};
