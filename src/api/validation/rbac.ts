/** rbac.authorization.k8s.io/v1: roles and bindings. */
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../schema/types.ts';
import { eachOf, type FieldError, invalid, invalids, notSupported, required } from './field-error.ts';
import { selectorErrors } from './formats.ts';
import { isDns1123Subdomain, nameIsPathSegment } from './names.ts';
import { immutable } from './object-meta.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

export function roleErrors({ rules }: Role): FieldError[] {
  return eachOf(rules, 'rules', (rule, at) => ruleErrors(rule, at, true));
}

export function clusterRoleErrors({ rules, aggregationRule }: ClusterRole): FieldError[] {
  const errors = eachOf(rules, 'rules', (rule, at) => ruleErrors(rule, at, false));
  if (!aggregationRule) return errors;
  const path = 'aggregationRule.clusterRoleSelectors';
  if (!aggregationRule.clusterRoleSelectors?.length)
    return [...errors, required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  return [...errors, ...eachOf(aggregationRule.clusterRoleSelectors, path, selectorErrors)];
}

export function bindingErrors({ kind, roleRef, subjects }: RoleBinding | ClusterRoleBinding): FieldError[] {
  const errors: FieldError[] = [];
  const everywhere = kind === 'ClusterRoleBinding';
  const kinds = everywhere ? ['ClusterRole'] : ['Role', 'ClusterRole'];
  if (roleRef?.apiGroup !== rbacGroup) errors.push(notSupported('roleRef.apiGroup', roleRef?.apiGroup, [rbacGroup]));
  if (!kinds.includes(roleRef?.kind ?? '')) errors.push(notSupported('roleRef.kind', roleRef?.kind, kinds));
  if (!roleRef?.name) errors.push(required('roleRef.name'));
  else errors.push(...invalids('roleRef.name', roleRef.name, nameIsPathSegment(roleRef.name, false)));
  return [...errors, ...eachOf(subjects, 'subjects', (subject, at) => subjectErrors(subject, at, everywhere))];
}

/** A binding keeps its role: otherwise whoever may edit the subjects of a binding could grant any role. */
export function bindingUpdateErrors(next: RoleBinding | ClusterRoleBinding, old: RoleBinding | ClusterRoleBinding): FieldError[] {
  const changed = immutable(next.roleRef, old.roleRef, 'roleRef').length > 0;
  return [...bindingErrors(next), ...(changed ? [invalid('roleRef', next.roleRef, 'cannot change roleRef')] : [])];
}

function ruleErrors(
  { verbs, nonResourceURLs, apiGroups, resources, resourceNames }: PolicyRule,
  path: string,
  namespaced: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!verbs?.length) errors.push(required(`${path}.verbs`, 'verbs must contain at least one value'));
  if (nonResourceURLs?.length) {
    if (namespaced) errors.push(invalid(`${path}.nonResourceURLs`, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
    if (apiGroups?.length || resources?.length || resourceNames?.length) {
      errors.push(
        invalid(`${path}.nonResourceURLs`, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'),
      );
    }
    return errors;
  }
  if (!apiGroups?.length) errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  if (!resources?.length) errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  return errors;
}

/** Only a ClusterRoleBinding (`everywhere`) must give a ServiceAccount's namespace; that of a RoleBinding is its own by default. */
function subjectErrors({ kind, name, namespace, apiGroup = '' }: Subject, path: string, everywhere: boolean): FieldError[] {
  const errors: FieldError[] = name ? [] : [required(`${path}.name`)];
  if (kind === 'ServiceAccount') {
    if (name) errors.push(...invalids(`${path}.name`, name, isDns1123Subdomain(name)));
    if (apiGroup) errors.push(notSupported(`${path}.apiGroup`, apiGroup, ['']));
    if (everywhere && !namespace) errors.push(required(`${path}.namespace`));
  } else if (kind === 'User' || kind === 'Group') {
    if (apiGroup !== rbacGroup) errors.push(notSupported(`${path}.apiGroup`, apiGroup, [rbacGroup]));
  } else {
    errors.push(notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group']));
  }
  return errors;
}
