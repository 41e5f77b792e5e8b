/** The default roles for the parts of a cluster: nodes, scheduler, proxy, DNS, signers. Names and rules are upstream's, ours are at the end. */
import type { ClusterRole } from '../../api/schema/types.ts';
import { legacyUnknownSignerName } from '../../api/well-known.ts';
import { commonNodeRules } from './node-authorizer.ts';
import { clusterRole, paths, rule } from './policy-builder.ts';

const read = 'get list watch';
const events = rule('create update patch', 'core events.k8s.io', 'events');
const reviews = [rule('create', 'authentication.k8s.io', 'tokenreviews'), rule('create', 'authorization.k8s.io', 'subjectaccessreviews')];
const certificates = 'certificates.k8s.io';
const signers = {
  'legacy-unknown': legacyUnknownSignerName,
  'kubelet-serving': 'kubernetes.io/kubelet-serving',
  'kube-apiserver-client': 'kubernetes.io/kube-apiserver-client',
  'kube-apiserver-client-kubelet': 'kubernetes.io/kube-apiserver-client-kubelet',
};

/** Rules of the Node role beside those that the Node authorizer grants to every node: it is bound to nobody, and there for who wants plain RBAC. */
const nodeRules = [
  ...commonNodeRules,
  rule('create get list watch update patch', 'core', 'nodes'),
  rule('update patch', 'core', 'nodes/status pods/status'),
  rule(`${read} create delete`, 'core', 'pods'),
  rule('create', 'core', 'pods/eviction serviceaccounts/token'),
  rule('get', 'core', 'serviceaccounts persistentvolumes persistentvolumeclaims'),
  rule(read, 'core', 'secrets configmaps'),
  rule('get update patch', 'core', 'persistentvolumeclaims/status'),
  rule('get create update patch delete', 'coordination.k8s.io', 'leases'),
  rule('get', 'storage.k8s.io', 'volumeattachments'),
  rule('get create update patch delete', 'storage.k8s.io', 'csinodes'),
  rule('get', 'resource.k8s.io', 'resourceclaims'),
  rule('deletecollection', 'resource.k8s.io', 'resourceslices'),
];

export const componentRoles: readonly ClusterRole[] = [
  clusterRole('system:node', nodeRules),
  clusterRole('system:node-problem-detector', [rule('get', 'core', 'nodes'), rule('patch', 'core', 'nodes/status'), events]),
  clusterRole('system:kubelet-api-admin', [
    rule(read, 'core', 'nodes'),
    rule('proxy', 'core', 'nodes'),
    rule('*', 'core', 'nodes/proxy nodes/metrics nodes/stats nodes/log nodes/pods nodes/healthz nodes/configz'),
  ]),
  clusterRole('system:node-bootstrapper', [rule('create get list watch', certificates, 'certificatesigningrequests')]),
  clusterRole('system:auth-delegator', reviews),
  clusterRole('system:kube-aggregator', [rule(read, 'core', 'services endpoints')]),
  clusterRole('system:kube-controller-manager', [
    events,
    rule('create', 'coordination.k8s.io', 'leases'),
    rule('get update', 'coordination.k8s.io', 'leases', 'kube-controller-manager'),
    rule('create', 'core', 'secrets serviceaccounts serviceaccounts/token'),
    rule('delete', 'core', 'secrets'),
    rule('get', 'core', 'namespaces secrets serviceaccounts configmaps'),
    rule('update', 'core', 'secrets serviceaccounts'),
    ...reviews,
    rule('list watch', '*', '*'),
  ]),
  clusterRole('system:kube-scheduler', [
    events,
    rule('create', 'coordination.k8s.io', 'leases'),
    rule('get list watch update', 'coordination.k8s.io', 'leases', 'kube-scheduler'),
    rule(`${read} create update patch delete deletecollection`, 'coordination.k8s.io', 'leasecandidates'),
    rule(read, 'core', 'nodes namespaces'),
    rule(`${read} delete`, 'core', 'pods'),
    rule('create', 'core', 'pods/binding bindings'),
    rule('patch update', 'core', 'pods/status'),
    rule('update', 'core', 'pods/finalizers'),
    rule(read, 'core', 'services replicationcontrollers persistentvolumeclaims persistentvolumes'),
    rule(read, 'apps extensions', 'replicasets'),
    rule(read, 'apps', 'statefulsets'),
    rule(read, 'policy', 'poddisruptionbudgets'),
    ...reviews,
    rule(read, 'storage.k8s.io', 'csinodes csidrivers csistoragecapacities volumeattachments'),
    rule(read, 'resource.k8s.io', 'deviceclasses resourceslices'),
    rule(`${read} patch update`, 'resource.k8s.io', 'resourceclaims resourceclaims/status'),
  ]),
  clusterRole('system:volume-scheduler', [
    rule(`${read} update patch`, 'core', 'persistentvolumes persistentvolumeclaims'),
    rule(read, 'storage.k8s.io', 'storageclasses'),
  ]),
  clusterRole('system:node-proxier', [
    rule('list watch', 'core', 'services endpoints'),
    rule(read, 'core', 'nodes'),
    events,
    rule('list watch', 'discovery.k8s.io', 'endpointslices'),
    rule('list watch', 'networking.k8s.io', 'servicecidrs'),
  ]),
  clusterRole('system:kube-dns', [rule('list watch', 'core', 'endpoints services')]),
  clusterRole('system:persistent-volume-provisioner', [
    rule(`${read} create delete`, 'core', 'persistentvolumes'),
    rule(`${read} update`, 'core', 'persistentvolumeclaims'),
    rule(read, 'storage.k8s.io', 'storageclasses'),
    rule('watch', 'core', 'events'),
    events,
  ]),
  clusterRole('system:certificates.k8s.io:certificatesigningrequests:nodeclient', [
    rule('create', certificates, 'certificatesigningrequests/nodeclient'),
  ]),
  clusterRole('system:certificates.k8s.io:certificatesigningrequests:selfnodeclient', [
    rule('create', certificates, 'certificatesigningrequests/selfnodeclient'),
  ]),
  ...Object.entries(signers).map(([name, signer]) =>
    clusterRole(`system:certificates.k8s.io:${name}-approver`, [rule('approve', certificates, 'signers', signer)]),
  ),
  clusterRole('kubeadm:get-nodes', [rule('get', 'core', 'nodes')]),

  // Not the name in flannel's own manifest, which people create beside this.
  clusterRole('system:fairlead:pod-network', [
    rule(read, 'core', 'nodes'),
    rule('patch', 'core', 'nodes/status'),
    rule('list watch', 'networking.k8s.io', 'networkpolicies'),
  ]),
  clusterRole('system:fairlead:dns', [
    rule('list watch', 'core', 'services namespaces pods'),
    rule('list watch', 'discovery.k8s.io', 'endpointslices'),
    // The Node owns the slice that its server publishes, so that it goes with the Node.
    rule('get', 'core', 'nodes'),
    paths('get', '/version'),
  ]),
];
