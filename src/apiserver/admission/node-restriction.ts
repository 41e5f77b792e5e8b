/** A kubelet writes its own node, its own pods and their tokens, and nothing else; the other parts of a node less than that. The rules are `auth/`'s. */
import type { AuthObjects } from '../auth/auth-objects.ts';
import { restrictNodePart } from '../auth/node-part-restriction.ts';
import { type NodeWrite, restrictNode } from '../auth/node-restriction.ts';
import { type AdmissionPlugin, refused } from './admission.ts';

export function nodeRestriction(objects: AuthObjects): AdmissionPlugin {
  return {
    validate: (request) => {
      const { operation, row } = request;
      if (operation === 'CONNECT') return;
      const { group, resource } = row.type;
      const write: NodeWrite = { ...request, operation, group, resource };
      const why = restrictNode(write, objects) ?? restrictNodePart(write);
      if (why !== undefined) throw refused(request, why);
    },
  };
}
