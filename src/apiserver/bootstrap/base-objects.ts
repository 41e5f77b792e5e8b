/** What every cluster has from its first second on: the system's namespaces and priority classes. */
import type { KubeObject } from '../../api/resource-types.ts';

function namespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

function priorityClass(name: string, value: number, description: string): KubeObject {
  const object = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, description };
  return object;
}

/** In the order of their creation. */
export const baseObjects: readonly KubeObject[] = [
  namespace('kube-system'),
  namespace('kube-public'),
  namespace('kube-node-lease'),
  namespace('default'),
  priorityClass('system-node-critical', 2_000_001_000, 'Used for system critical pods that must not be moved from their current node.'),
  priorityClass(
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ),
];
