/** A node that has just registered takes no pods until the node controller has seen that it is ready (upstream's TaintNodesByCondition). */
import type { Node } from '../../api/schema/types.ts';
import { taintNodeNotReady } from '../../api/well-known.ts';
import type { AdmissionPlugin } from './admission.ts';

export const taintNewNode: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  mutate: ({ row, operation, subresource, object }) => {
    if (operation !== 'CREATE' || row.type.resource !== 'nodes' || row.type.group !== '' || subresource !== '') return;
    const node = object as Node;
    node.spec ??= {};
    if (node.spec.taints?.some((t) => t.key === taintNodeNotReady && t.effect === 'NoSchedule')) return;
    node.spec.taints = [...(node.spec.taints ?? []), { key: taintNodeNotReady, effect: 'NoSchedule' }];
  },
};
