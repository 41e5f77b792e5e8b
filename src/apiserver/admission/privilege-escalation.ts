/** Who writes a role or a binding cannot give what they do not have. The rules are `auth/`'s. */
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../api/schema/types.ts';
import type { Authorizer } from '../auth/authorizer.ts';
import { checkBindingEscalation, checkRoleEscalation } from '../auth/escalation.ts';
import { StatusError } from '../status/status-error.ts';
import { type AdmissionPlugin, refused } from './admission.ts';

export function privilegeEscalation(authorizer: Authorizer): AdmissionPlugin {
  return {
    validate: (request) => {
      const { operation, row, user, object, old } = request;
      if (row.type.group !== 'rbac.authorization.k8s.io' || operation === 'DELETE' || !object) return;
      const isRole = row.type.kind === 'Role' || row.type.kind === 'ClusterRole';
      const refusal = isRole
        ? checkRoleEscalation(user, object as Role | ClusterRole, old as Role | ClusterRole | undefined, authorizer)
        : checkBindingEscalation(
            user,
            object as RoleBinding | ClusterRoleBinding,
            old as RoleBinding | ClusterRoleBinding | undefined,
            authorizer,
          );
      if (!refusal) return;
      if (refusal.code === 403) throw refused(request, refusal.message);
      throw new StatusError(404, 'NotFound', refusal.message);
    },
  };
}
