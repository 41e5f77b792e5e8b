import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../api/schema/types.ts';
import { joinRoles } from './roles.ts';

const objects = joinRoles() as readonly (Role | ClusterRole | RoleBinding | ClusterRoleBinding)[];

/** `verbs resources (names) in namespace`, as bound to each subject. */
function granted(): string[] {
  return objects.flatMap((binding) => {
    if (!('roleRef' in binding)) return [];
    const { namespace = 'cluster' } = binding.metadata;
    const role = objects.find(({ kind, metadata }) => kind === binding.roleRef.kind && metadata.name === binding.roleRef.name);
    const rules = role && 'rules' in role ? (role.rules ?? []) : [];
    const what = rules.map(
      ({ verbs, apiGroups, resources = [], resourceNames = [] }) => `${verbs} ${apiGroups}/${resources} (${resourceNames})`,
    );
    return (binding.subjects ?? []).map(({ kind, name }) => `${kind} ${name}: ${what} in ${namespace} by ${binding.metadata.name}`);
  });
}

const newcomers = 'Group system:bootstrappers:kubeadm:default-node-token';

test('joinRoles() let newcomers and nodes read what they need to, by name, and anybody whom to trust', () => {
  assert.deepEqual(granted(), [
    'User system:anonymous: get /configmaps (cluster-info) in kube-public by kubeadm:bootstrap-signer-clusterinfo',
    `${newcomers}: get /configmaps (kubeadm-config) in kube-system by kubeadm:nodes-kubeadm-config`,
    'Group system:nodes: get /configmaps (kubeadm-config) in kube-system by kubeadm:nodes-kubeadm-config',
    `${newcomers}: get /configmaps (kubelet-config) in kube-system by kubeadm:kubelet-config`,
    'Group system:nodes: get /configmaps (kubelet-config) in kube-system by kubeadm:kubelet-config',
    `${newcomers}: get /configmaps (kube-proxy) in kube-system by kube-proxy`,
    'Group system:nodes: get,list,watch /configmaps (kube-proxy,kube-flannel-cfg) in kube-system by fairlead:node-settings',
    `${newcomers}: list /nodes () in cluster by fairlead:list-nodes`,
  ]);
});

test('joinRoles() make each role before its binding', () => {
  for (const [at, object] of objects.entries())
    if ('roleRef' in object)
      assert.ok(objects.slice(0, at).some(({ kind, metadata }) => kind === object.roleRef.kind && metadata.name === object.roleRef.name));
});
