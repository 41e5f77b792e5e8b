/** A node that has just registered takes no pods until the node controller has seen that it is ready (upstream's TaintNodesByCondition). */
import { nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { taintNodeNotReady } from '../../api/well-known.ts';
import { type AdmissionPlugin, isWriteOf } from './admission.ts';

export const taintNewNode: AdmissionPlugin = {
  mutate: (request) => {
    if (request.operation !== 'CREATE' || !isWriteOf(request, nodes)) return;
    const node = request.object as Node;
    node.spec ??= {};
    if (node.spec.taints?.some((t) => t.key === taintNodeNotReady && t.effect === 'NoSchedule')) return;
    node.spec.taints = [...(node.spec.taints ?? []), { key: taintNodeNotReady, effect: 'NoSchedule' }];
  },
};
