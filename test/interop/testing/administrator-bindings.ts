/** Who administers, as kubeadm has it, and what the API server may ask of kubelets. Our own API server knows; another one must be told. */
import { bootstrapPolicy } from '../../../src/apiserver/auth/bootstrap-policy.ts';
import type { RbacObject } from '../../../src/apiserver/auth/rbac-index.ts';

const names = ['kubeadm:cluster-admins', 'system:kubelet-api-admin'];

export const administratorBindings: readonly RbacObject[] = bootstrapPolicy().filter(
  ({ kind, metadata }) => kind === 'ClusterRoleBinding' && names.includes(metadata.name),
);
