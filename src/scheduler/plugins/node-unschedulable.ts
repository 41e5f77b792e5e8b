import { tolerates } from '../../api/placement/taints.ts';
import { taintNodeUnschedulable } from '../../api/well-known.ts';
import type { Plugin } from '../plugin.ts';

const cordoned = ['node(s) were unschedulable'];
const taint = { key: taintNodeUnschedulable, effect: 'NoSchedule' };

/** A cordoned node takes only pods that tolerate its taint, such as a DaemonSet's. */
export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  prepare(pod) {
    if (tolerates(pod.spec?.tolerations ?? [], taint)) return undefined;
    return { filter: (node) => (node.node?.spec?.unschedulable ? cordoned : undefined) };
  },
};
