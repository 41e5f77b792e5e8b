/** What new nodes and joined ones may do, beyond what every API server of ours grants by itself. Names are kubeadm's where it has the same. Pure. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../../api/schema/types.ts';
import { clusterInfoName, clusterInfoNamespace } from '../discovery/cluster-info.ts';
import { settingsNames, settingsNamespace } from '../settings/settings.ts';
import { defaultTokenGroup } from '../token/token.ts';

const group = 'rbac.authorization.k8s.io';
const apiVersion = `${group}/v1`;

const nodes: Subject = { apiGroup: group, kind: 'Group', name: 'system:nodes' };
const newcomers: Subject = { apiGroup: group, kind: 'Group', name: defaultTokenGroup };
const anybody: Subject = { apiGroup: group, kind: 'User', name: 'system:anonymous' };

function read(resourceNames: readonly string[], verbs: readonly string[] = ['get']): PolicyRule {
  return { apiGroups: [''], resources: ['configmaps'], resourceNames: [...resourceNames], verbs: [...verbs] };
}

/** A Role and its binding. */
function inNamespace(namespace: string, name: string, rule: PolicyRule, subjects: readonly Subject[]): (Role | RoleBinding)[] {
  const metadata = { name, namespace };
  return [
    { apiVersion, kind: 'Role', metadata, rules: [rule] },
    { apiVersion, kind: 'RoleBinding', metadata, roleRef: { apiGroup: group, kind: 'Role', name }, subjects: [...subjects] },
  ];
}

function inCluster(name: string, rule: PolicyRule, subjects: readonly Subject[]): (ClusterRole | ClusterRoleBinding)[] {
  const metadata = { name };
  return [
    { apiVersion, kind: 'ClusterRole', metadata, rules: [rule] },
    { apiVersion, kind: 'ClusterRoleBinding', metadata, roleRef: { apiGroup: group, kind: 'ClusterRole', name }, subjects: [...subjects] },
  ];
}

/**
 * What joining takes. What proxy, pod network and DNS of a node need comes on top, bound to `system:nodes`: they use the kubelet's credential,
 * the only one that a machine gets by joining.
 */
export function joinRoles(): KubeObject[] {
  const { cluster, kubelet, proxy, network } = settingsNames;
  return [
    // It says whom to trust to those who trust nobody yet, and is signed for who knows a token.
    ...inNamespace(clusterInfoNamespace, 'kubeadm:bootstrap-signer-clusterinfo', read([clusterInfoName]), [anybody]),
    ...inNamespace(settingsNamespace, 'kubeadm:nodes-kubeadm-config', read([cluster]), [newcomers, nodes]),
    ...inNamespace(settingsNamespace, 'kubeadm:kubelet-config', read([kubelet]), [newcomers, nodes]),
    ...inNamespace(settingsNamespace, 'kube-proxy', read([proxy]), [newcomers]),
    // These two by name alone: a node may not see other ConfigMaps than those of its pods.
    ...inNamespace(settingsNamespace, 'fairlead:node-settings', read([proxy, network], ['get', 'list', 'watch']), [nodes]),
    // To refuse a name or an address that another machine has, before the node is there.
    ...inCluster('fairlead:list-nodes', { apiGroups: [''], resources: ['nodes'], verbs: ['list'] }, [newcomers]),
  ];
}
