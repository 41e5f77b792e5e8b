import { nodeRequirement, nodeTermFits } from '../../api/placement/node-selector.ts';
import type { NodeInfo } from '../node-info.ts';
import type { Plugin } from '../plugin.ts';

const mismatch = ["node(s) didn't match Pod's node affinity/selector"];

/** nodeSelector, and required and preferred node affinity. */
export const nodeAffinity: Plugin = {
  name: 'NodeAffinity',
  scoring: { weight: 2, scale: 'spread' },
  prepare(pod) {
    const required = nodeRequirement(pod.spec);
    const preferred = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (!required && preferred.length === 0) return undefined;
    return {
      ...(required ? { filter: (node: NodeInfo) => (required(node) ? undefined : mismatch) } : {}),
      ...(preferred.length > 0
        ? { score: (node: NodeInfo) => preferred.reduce((sum, p) => sum + (nodeTermFits(p.preference, node) ? p.weight : 0), 0) }
        : {}),
    };
  },
};
