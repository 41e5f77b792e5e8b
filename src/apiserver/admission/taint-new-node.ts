/** A node that has just registered takes no pods until the node controller has seen that it is ready (upstream's TaintNodesByCondition). */
import type { Node } from '../../api/schema/types.ts';
import type { AdmissionPlugin } from './admission.ts';

const key = 'node.kubernetes.io/not-ready';

export const taintNewNode: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  mutate: ({ row, operation, subresource, object }) => {
    if (operation !== 'CREATE' || row.type.resource !== 'nodes' || row.type.group !== '' || subresource !== '') return;
    const node = object as Node;
    node.spec ??= {};
    if (node.spec.taints?.some((t) => t.key === key && t.effect === 'NoSchedule')) return;
    node.spec.taints = [...(node.spec.taints ?? []), { key, effect: 'NoSchedule' }];
  },
};
