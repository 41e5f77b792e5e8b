import type { Plugin } from '../plugin.ts';

/**
 * Likes nodes on which fewer pods of the same owner run. It bears the name of upstream's plugin, for whose default constraints (by host
 * name) it stands in: so three replicas of a small Deployment end up on three nodes.
 */
export const spreadByOwner: Plugin = {
  name: 'PodTopologySpread',
  scoring: { weight: 2, scale: 'reverse' },
  prepare(pod) {
    const owner = pod.metadata.ownerReferences?.find((o) => o.controller)?.uid;
    if (owner === undefined) return undefined;
    return { score: (node) => node.owners.get(owner) ?? 0 };
  },
};
