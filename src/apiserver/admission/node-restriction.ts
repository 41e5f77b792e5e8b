/** A kubelet writes its own node, its own pods and their tokens, and nothing else; the other parts of a node less than that. The rules are `auth/`'s. */
import type { AuthObjects } from '../auth/auth-objects.ts';
import { restrictNodePart } from '../auth/node-part-restriction.ts';
import { type NodeWrite, restrictNode } from '../auth/node-restriction.ts';
import { forbidden } from '../status/status-error.ts';
import type { AdmissionPlugin } from './admission.ts';

export function nodeRestriction(objects: AuthObjects): AdmissionPlugin {
  return {
    name: 'NodeRestriction',
    validate: ({ operation, row, user, subresource, namespace, name, object, old }) => {
      if (operation === 'CONNECT') return;
      const { group, resource } = row.type;
      const write: NodeWrite = { user, operation, group, resource, subresource, namespace, name, object, old };
      const why = restrictNode(write, objects) ?? restrictNodePart(write);
      if (why !== undefined) throw forbidden(row.type, name || undefined, why);
    },
  };
}
