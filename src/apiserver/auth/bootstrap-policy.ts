/** The roles and bindings that every cluster begins with, and how they are kept. Upstream's, and those of our own components. */
import { isDeepStrictEqual } from 'node:util';
import { nodePartGroup } from '../../api/node-parts.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../../api/schema/types.ts';
import { componentRoles } from './component-roles.ts';
import { controllerBindings, controllerRoles } from './controller-roles.ts';
import { binding, clusterBinding, group, role, rule, serviceAccount, user } from './policy-builder.ts';
import type { RbacObject } from './rbac-index.ts';
import { userRoles } from './user-roles.ts';

const scheduler = 'system:kube-scheduler';
const controllers = 'system:kube-controller-manager';
const kubeadmNodes = 'system:bootstrappers:kubeadm:default-node-token';
const dns = 'system:fairlead:dns';

/** Who administers, as kubeadm has it, and what the API server may ask of kubelets. A foreign API server must be told; ours knows. */
export const administratorBindings: readonly ClusterRoleBinding[] = [
  clusterBinding('cluster-admin', [group('kubeadm:cluster-admins')], 'kubeadm:cluster-admins'),
  clusterBinding('system:kubelet-api-admin', [user('kube-apiserver-kubelet-client')]),
];

const clusterBindings: readonly ClusterRoleBinding[] = [
  clusterBinding('cluster-admin', [group('system:masters')]),
  clusterBinding('system:monitoring', [group('system:monitoring')]),
  clusterBinding('system:discovery', [group('system:authenticated')]),
  clusterBinding('system:basic-user', [group('system:authenticated')]),
  clusterBinding('system:public-info-viewer', [group('system:authenticated'), group('system:unauthenticated')]),
  clusterBinding('system:service-account-issuer-discovery', [group('system:serviceaccounts')]),
  clusterBinding('system:node-proxier', [user('system:kube-proxy'), group(nodePartGroup('proxy'))]),
  clusterBinding('system:kube-controller-manager', [user(controllers)]),
  clusterBinding('system:kube-dns', [serviceAccount('kube-system', 'kube-dns')]),
  clusterBinding('system:kube-scheduler', [user(scheduler)]),
  clusterBinding('system:volume-scheduler', [user(scheduler)]),
  // Nobody: nodes are authorized by the Node authorizer. The binding is there as upstream's is.
  clusterBinding('system:node', []),

  // What kubeadm makes: its kubeconfigs and join tokens work as they are.
  ...administratorBindings,
  clusterBinding('system:node-bootstrapper', [group(kubeadmNodes)], 'kubeadm:kubelet-bootstrap'),
  clusterBinding('kubeadm:get-nodes', [group(kubeadmNodes)], 'kubeadm:get-nodes'),
  clusterBinding(
    'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    [group(kubeadmNodes)],
    'kubeadm:node-autoapprove-bootstrap',
  ),
  clusterBinding(
    'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    [group('system:nodes')],
    'kubeadm:node-autoapprove-certificate-rotation',
  ),

  clusterBinding('system:fairlead:pod-network', [group(nodePartGroup('net-agent'))]),
  clusterBinding(dns, [group(nodePartGroup('dns'))]),
];

const namespaced: readonly (Role | RoleBinding)[] = [
  role('kube-system', 'extension-apiserver-authentication-reader', [
    rule('get list watch', 'core', 'configmaps', 'extension-apiserver-authentication'),
  ]),
  binding(
    'kube-system',
    'extension-apiserver-authentication-reader',
    [user(controllers), user(scheduler)],
    'system::extension-apiserver-authentication-reader',
  ),
  ...['kube-controller-manager', 'kube-scheduler'].flatMap((name) => [
    role('kube-system', `system::leader-locking-${name}`, [
      rule('get list watch create update', 'coordination.k8s.io', 'leases'),
      rule('get list watch create update', 'coordination.k8s.io', 'leasecandidates'),
    ]),
    binding('kube-system', `system::leader-locking-${name}`, [user(`system:${name}`), serviceAccount('kube-system', name)]),
  ]),
  role('kube-system', 'system:controller:bootstrap-signer', [rule('get list watch', 'core', 'secrets')]),
  binding('kube-system', 'system:controller:bootstrap-signer', [serviceAccount('kube-system', 'bootstrap-signer')]),
  role('kube-system', 'system:controller:token-cleaner', [
    rule('get list watch delete', 'core', 'secrets'),
    rule('create patch update', 'core events.k8s.io', 'events'),
  ]),
  binding('kube-system', 'system:controller:token-cleaner', [serviceAccount('kube-system', 'token-cleaner')]),
  role('kube-system', 'system:controller:cloud-provider', [rule('create get list watch update', 'core', 'configmaps')]),
  binding('kube-system', 'system:controller:cloud-provider', [serviceAccount('kube-system', 'cloud-provider')]),
  role('kube-public', 'system:controller:bootstrap-signer', [
    rule('get list watch', 'core', 'configmaps'),
    rule('update', 'core', 'configmaps', 'cluster-info'),
    rule('create patch update', 'core events.k8s.io', 'events'),
  ]),
  binding('kube-public', 'system:controller:bootstrap-signer', [serviceAccount('kube-system', 'bootstrap-signer')]),

  // DNS servers announce themselves behind the Service kube-dns.
  role('kube-system', dns, [rule('get list watch create update patch delete', 'discovery.k8s.io', 'endpointslices')]),
  binding('kube-system', dns, [group(nodePartGroup('dns'))]),
];

/** Every default role and binding, roles first. The namespaces kube-system and kube-public must be there before. */
export function bootstrapPolicy(): readonly RbacObject[] {
  return [...userRoles, ...componentRoles, ...controllerRoles, ...clusterBindings, ...controllerBindings, ...namespaced];
}

/**
 * What to write so that `existing` has at least what `wanted` has: `create` when there is nothing, `update` when rules or subjects are
 * missing, undefined when nothing is to do. As upstream, nothing that somebody added is taken away, and the annotation
 * `rbac.authorization.kubernetes.io/autoupdate: "false"` keeps an object as it is.
 */
export function reconcile(
  existing: RbacObject | undefined,
  wanted: RbacObject,
): { readonly action: 'create' | 'update'; readonly object: RbacObject } | undefined {
  if (!existing) return { action: 'create', object: wanted };
  if (existing.metadata.annotations?.['rbac.authorization.kubernetes.io/autoupdate'] === 'false') return undefined;
  const metadata = {
    ...existing.metadata,
    labels: { ...wanted.metadata.labels, ...existing.metadata.labels },
    annotations: { ...wanted.metadata.annotations, ...existing.metadata.annotations },
  };
  const object =
    'roleRef' in wanted
      ? withSubjects(existing as RoleBinding | ClusterRoleBinding, wanted)
      : withRules(existing as Role | ClusterRole, wanted);
  const merged = { ...object, metadata };
  return isDeepStrictEqual(merged, existing) ? undefined : { action: 'update', object: merged };
}

function withSubjects<T extends RoleBinding | ClusterRoleBinding>(existing: T, wanted: RoleBinding | ClusterRoleBinding): T {
  const same = (a: Subject, b: Subject): boolean => a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');
  const missing = (wanted.subjects ?? []).filter((one) => !(existing.subjects ?? []).some((other) => same(one, other)));
  return missing.length > 0 ? { ...existing, subjects: [...(existing.subjects ?? []), ...missing] } : existing;
}

function withRules<T extends Role | ClusterRole>(existing: T, wanted: Role | ClusterRole): T {
  const selectors = 'aggregationRule' in wanted ? wanted.aggregationRule?.clusterRoleSelectors : undefined;
  if (selectors) {
    const known = (existing as ClusterRole).aggregationRule?.clusterRoleSelectors;
    const missing = missingFrom(known, selectors);
    return missing.length > 0 ? { ...existing, aggregationRule: { clusterRoleSelectors: [...(known ?? []), ...missing] } } : existing;
  }
  const missing = missingFrom<PolicyRule>(existing.rules, wanted.rules);
  return missing.length > 0 ? { ...existing, rules: [...(existing.rules ?? []), ...missing] } : existing;
}

function missingFrom<T>(existing: readonly T[] | undefined, wanted: readonly T[] | undefined): T[] {
  return (wanted ?? []).filter((one) => !(existing ?? []).some((other) => isDeepStrictEqual(one, other)));
}
