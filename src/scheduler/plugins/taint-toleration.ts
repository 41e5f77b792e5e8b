import { tolerates } from '../../api/placement/taints.ts';
import type { Plugin } from '../plugin.ts';

/** Keeps pods off nodes whose taints they do not tolerate (upstream's TaintToleration). */
export const taintToleration: Plugin = {
  name: 'TaintToleration',
  scoring: { weight: 3, scale: 'reverse' },
  prepare(pod) {
    const tolerations = pod.spec?.tolerations ?? [];
    return {
      filter(node) {
        for (const taint of node.node?.spec?.taints ?? []) {
          if (taint.effect === 'PreferNoSchedule' || tolerates(tolerations, taint)) continue;
          return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
        }
        return undefined;
      },
      score: (node) => (node.node?.spec?.taints ?? []).filter((t) => t.effect === 'PreferNoSchedule' && !tolerates(tolerations, t)).length,
    };
  },
};
