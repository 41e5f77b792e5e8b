/** rbac.authorization.k8s.io/v1. */
import { bindingColumns } from '../../columns/policy-columns.ts';
import { defaultBinding } from '../../defaults/core.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../../resource-types.ts';
import { nameIsPathSegment } from '../../validation/names.ts';
import { bindingErrors, bindingUpdateErrors, clusterRoleErrors, roleErrors } from '../../validation/rbac.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

const shared = { validateName: nameIsPathSegment, createsOnUpdate: true } as const;

export const rbacRows: readonly ResourceRow[] = [
  defineRow({
    ...shared,
    type: clusterRoleBindings,
    columns: bindingColumns,
    applyDefaults: defaultBinding,
    validate: bindingErrors,
    validateUpdate: bindingUpdateErrors,
  }),
  defineRow({ ...shared, type: clusterRoles, validate: clusterRoleErrors }),
  defineRow({
    ...shared,
    type: roleBindings,
    columns: bindingColumns,
    applyDefaults: defaultBinding,
    validate: bindingErrors,
    validateUpdate: bindingUpdateErrors,
  }),
  defineRow({ ...shared, type: roles, validate: roleErrors }),
];
