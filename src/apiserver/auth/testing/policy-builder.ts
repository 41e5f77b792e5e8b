/** Roles and bindings in few words. */
import type { ClusterRole, ClusterRoleBinding, ObjectMeta, PolicyRule, Role, RoleBinding, Subject } from '../../../api/schema/types.ts';

const api = 'rbac.authorization.k8s.io/v1';
const rbacGroup = 'rbac.authorization.k8s.io';

/** Verbs, groups and resources are separated by blanks; the core group is written `core`. */
export function rule(verbs: string, groups: string, resources: string, ...names: string[]): PolicyRule {
  return {
    verbs: verbs.split(' '),
    apiGroups: groups.split(' ').map((group) => (group === 'core' ? '' : group)),
    resources: resources.split(' '),
    ...(names.length > 0 ? { resourceNames: names } : {}),
  };
}

/** A rule for each group, all with the same verbs: group → resources. */
export function rules(verbs: string, groups: Readonly<Record<string, string>>): PolicyRule[] {
  return Object.entries(groups).map(([group, resources]) => rule(verbs, group, resources));
}

export function paths(verbs: string, ...urls: string[]): PolicyRule {
  return { verbs: verbs.split(' '), nonResourceURLs: urls };
}

export function clusterRole(name: string, rules: readonly PolicyRule[], labels: Record<string, string> = {}): ClusterRole {
  return { apiVersion: api, kind: 'ClusterRole', metadata: metadata(name, undefined, labels), rules: [...rules] };
}

/** A ClusterRole that is made of those with the label `key: "true"`. */
export function aggregatedRole(name: string, key: string, labels: Record<string, string> = {}): ClusterRole {
  return { ...clusterRole(name, [], labels), aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [key]: 'true' } }] } };
}

export function role(namespace: string, name: string, rules: readonly PolicyRule[]): Role {
  return { apiVersion: api, kind: 'Role', metadata: metadata(name, namespace), rules: [...rules] };
}

/** Binds a ClusterRole everywhere; `name` is the role's too unless it is given. */
export function clusterBinding(roleName: string, subjects: readonly Subject[], name: string = roleName): ClusterRoleBinding {
  return {
    apiVersion: api,
    kind: 'ClusterRoleBinding',
    metadata: metadata(name),
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: roleName },
    ...(subjects.length > 0 ? { subjects: [...subjects] } : {}),
  };
}

/** Binds a Role within its namespace. */
export function binding(namespace: string, roleName: string, subjects: readonly Subject[], name: string = roleName): RoleBinding {
  return {
    apiVersion: api,
    kind: 'RoleBinding',
    metadata: metadata(name, namespace),
    roleRef: { apiGroup: rbacGroup, kind: 'Role', name: roleName },
    subjects: [...subjects],
  };
}

export function user(name: string): Subject {
  return { kind: 'User', apiGroup: rbacGroup, name };
}

export function group(name: string): Subject {
  return { kind: 'Group', apiGroup: rbacGroup, name };
}

export function serviceAccount(namespace: string, name: string): Subject {
  return { kind: 'ServiceAccount', name, namespace };
}

function metadata(name: string, namespace?: string, labels: Record<string, string> = {}): ObjectMeta {
  return {
    name,
    ...(namespace ? { namespace } : {}),
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  };
}
