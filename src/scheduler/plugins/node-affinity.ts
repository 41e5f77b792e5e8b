/** Pods on nodes with certain labels. */
import { nodeRequirement, nodeTermFits } from '../../api/placement/node-selector.ts';
import type { NodeAffinity } from '../../api/schema/types.ts';
import type { NodeInfo } from '../node-info.ts';
import type { Plugin, Reason } from '../plugin.ts';

const mismatch = ["node(s) didn't match Pod's node affinity/selector"];
const unlikeAdded = ["node(s) didn't match scheduler-enforced node affinity"];

/** nodeSelector, and required and preferred node affinity; `added` is what every pod has besides. */
export function nodeAffinityWith(added: NodeAffinity = {}): Plugin {
  const addedTerms = added.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const addedPreferred = added.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return {
    name: 'NodeAffinity',
    scoring: { weight: 2, scale: 'spread' },
    prepare(pod) {
      const required = nodeRequirement(pod.spec);
      const preferred = [...addedPreferred, ...(pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])];
      const own = required && ((node: NodeInfo): readonly Reason[] | undefined => (required(node) ? undefined : mismatch));
      const filter = addedTerms
        ? (node: NodeInfo) => (addedTerms.some((term) => nodeTermFits(term, node)) ? own?.(node) : unlikeAdded)
        : own;
      const score = (node: NodeInfo): number => preferred.reduce((sum, p) => sum + (nodeTermFits(p.preference, node) ? p.weight : 0), 0);
      if (!filter && preferred.length === 0) return undefined;
      return { ...(filter ? { filter } : {}), ...(preferred.length > 0 ? { score } : {}) };
    },
  };
}

export const nodeAffinity: Plugin = nodeAffinityWith();
