/**
 * A ClusterRole `system:controller:NAME` per controller, bound to the ServiceAccount NAME in kube-system, as upstream has them. Ours run
 * with one identity, `system:kube-controller-manager`, to which the sum of those that we have is bound.
 */
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../../api/schema/types.ts';
import { legacyUnknownSignerName } from '../../api/well-known.ts';
import { aggregatedRole, clusterBinding, clusterRole, rule, serviceAccount, user } from './policy-builder.ts';

const read = 'get list watch';
const events = rule('create update patch', 'core events.k8s.io', 'events');
const aggregate = 'fairlead.dev/aggregate-to-controllers';
const apps = 'apps extensions';

/** Controllers of upstream, those that run here first. */
const ours: Readonly<Record<string, readonly PolicyRule[]>> = {
  'daemon-set-controller': [
    rule(read, apps, 'daemonsets'),
    rule('update patch', apps, 'daemonsets/status daemonsets/finalizers'),
    rule('list watch', 'core', 'nodes'),
    rule('list watch create delete patch', 'core', 'pods'),
    rule('create', 'core', 'pods/binding'),
    rule(`${read} create delete update patch`, 'apps', 'controllerrevisions'),
    events,
  ],
  'deployment-controller': [
    rule(`${read} update patch`, apps, 'deployments'),
    rule('update patch', apps, 'deployments/status deployments/finalizers'),
    rule(`${read} create update patch delete`, apps, 'replicasets'),
    rule(`${read} update`, 'core', 'pods'),
    events,
  ],
  'disruption-controller': [
    rule(read, apps, 'deployments replicasets'),
    rule(read, 'core', 'replicationcontrollers pods'),
    rule(read, 'policy', 'poddisruptionbudgets'),
    rule(read, 'apps', 'statefulsets'),
    rule('update patch', 'policy', 'poddisruptionbudgets/status'),
    rule('patch update', 'core', 'pods/status'),
    rule('get', '*', '*/scale'),
    events,
  ],
  'endpoint-controller': [
    rule(read, 'core', 'services pods'),
    rule(`${read} create update patch delete`, 'core', 'endpoints'),
    rule('create', 'core', 'endpoints/restricted'),
    events,
  ],
  'endpointslice-controller': [
    rule(read, 'core', 'services pods nodes'),
    rule('update', 'core', 'services/finalizers'),
    rule(`${read} create update patch delete`, 'discovery.k8s.io', 'endpointslices'),
    rule('create', 'discovery.k8s.io', 'endpointslices/restricted'),
    events,
  ],
  'endpointslicemirroring-controller': [
    rule(read, 'core', 'services endpoints'),
    rule('update', 'core', 'services/finalizers endpoints/finalizers'),
    rule(`${read} create update delete`, 'discovery.k8s.io', 'endpointslices'),
    rule('create', 'discovery.k8s.io', 'endpointslices/restricted'),
    events,
  ],
  'generic-garbage-collector': [rule(`${read} patch update delete`, '*', '*'), events],
  'namespace-controller': [
    rule(`${read} delete`, 'core', 'namespaces'),
    rule('update patch', 'core', 'namespaces/finalize namespaces/status'),
    rule(`${read} delete deletecollection`, '*', '*'),
  ],
  'node-controller': [
    rule(`${read} update delete patch`, 'core', 'nodes'),
    rule('patch update', 'core', 'nodes/status pods/status'),
    rule(`${read} delete`, 'core', 'pods'),
    rule(read, 'coordination.k8s.io', 'leases'),
    rule('get', 'networking.k8s.io', 'servicecidrs'),
    events,
  ],
  'pod-garbage-collector': [
    rule('list watch delete', 'core', 'pods'),
    rule('get list watch', 'core', 'nodes'),
    rule('patch', 'core', 'pods/status'),
  ],
  'replicaset-controller': [
    rule(`${read} update patch`, apps, 'replicasets'),
    rule('update patch', apps, 'replicasets/status replicasets/finalizers'),
    rule('list watch patch create delete', 'core', 'pods'),
    events,
  ],
  'replication-controller': [
    rule(`${read} update patch`, 'core', 'replicationcontrollers'),
    rule('update patch', 'core', 'replicationcontrollers/status replicationcontrollers/finalizers'),
    rule('list watch patch create delete', 'core', 'pods'),
    events,
  ],
  'resourcequota-controller': [rule('list watch', '*', '*'), rule('update patch', 'core', 'resourcequotas/status'), events],
  'root-ca-cert-publisher': [rule('get create update', 'core', 'configmaps'), events],
  'service-account-controller': [rule('create', 'core', 'serviceaccounts'), events],
  'statefulset-controller': [
    rule(read, 'apps', 'statefulsets'),
    rule('update patch', 'apps', 'statefulsets/status statefulsets/finalizers'),
    rule(`${read} create delete update patch`, 'core', 'pods'),
    rule(`${read} create delete update patch`, 'apps', 'controllerrevisions'),
    rule('update', 'core', 'pods/finalizers'),
    rule(`${read} create update delete`, 'core', 'persistentvolumeclaims'),
    events,
  ],
  'job-controller': [
    rule(`${read} update patch`, 'batch', 'jobs'),
    rule('update patch', 'batch', 'jobs/status jobs/finalizers'),
    rule('list watch create delete patch', 'core', 'pods'),
    events,
  ],
  'cronjob-controller': [
    rule(`${read} update`, 'batch', 'cronjobs'),
    rule(`${read} create update delete patch`, 'batch', 'jobs'),
    rule('update', 'batch', 'cronjobs/status cronjobs/finalizers'),
    rule('list watch delete', 'core', 'pods'),
    events,
  ],
  'ttl-after-finished-controller': [rule(`${read} delete`, 'batch', 'jobs'), events],
  'pvc-protection-controller': [rule(`${read} update`, 'core', 'persistentvolumeclaims'), rule(read, 'core', 'pods'), events],
  'pv-protection-controller': [rule(`${read} update`, 'core', 'persistentvolumes'), events],
  'volumeattributesclass-protection-controller': [
    rule(read, 'core', 'persistentvolumes persistentvolumeclaims'),
    rule(`${read} update`, 'storage.k8s.io', 'volumeattributesclasses'),
    events,
  ],
  'clusterrole-aggregation-controller': [rule(`escalate ${read} update patch`, 'rbac.authorization.k8s.io', 'clusterroles')],
};

/** Roles for controllers that others bring: their ServiceAccounts find them as on any cluster. */
const others: Readonly<Record<string, readonly PolicyRule[]>> = {
  'attachdetach-controller': [
    rule('list watch', 'core', 'persistentvolumes persistentvolumeclaims pods'),
    rule(read, 'core', 'nodes'),
    rule('patch update', 'core', 'nodes/status'),
    rule('get create delete list watch', 'storage.k8s.io', 'volumeattachments'),
    rule(read, 'storage.k8s.io', 'csidrivers csinodes'),
    events,
  ],
  'certificate-controller': [
    rule(`${read} delete`, 'certificates.k8s.io', 'certificatesigningrequests'),
    rule('update', 'certificates.k8s.io', 'certificatesigningrequests/status certificatesigningrequests/approval'),
    rule('approve', 'certificates.k8s.io', 'signers', 'kubernetes.io/kube-apiserver-client-kubelet'),
    rule(
      'sign',
      'certificates.k8s.io',
      'signers',
      'kubernetes.io/kube-apiserver-client',
      'kubernetes.io/kube-apiserver-client-kubelet',
      'kubernetes.io/kubelet-serving',
      legacyUnknownSignerName,
    ),
    rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    events,
  ],
  'expand-controller': [
    rule(`${read} update patch`, 'core', 'persistentvolumes'),
    rule('update patch', 'core', 'persistentvolumeclaims/status'),
    rule(read, 'core', 'persistentvolumeclaims'),
    rule('get', 'core', 'services'),
    events,
  ],
  'ephemeral-volume-controller': [
    rule(read, 'core', 'pods'),
    rule('update', 'core', 'pods/finalizers'),
    rule(`${read} create`, 'core', 'persistentvolumeclaims'),
    events,
  ],
  'horizontal-pod-autoscaler': [
    rule(read, 'autoscaling', 'horizontalpodautoscalers'),
    rule('update', 'autoscaling', 'horizontalpodautoscalers/status'),
    rule('get update', '*', '*/scale'),
    rule('list watch', 'core', 'pods'),
    rule('list watch', 'metrics.k8s.io', 'pods'),
    rule(read, 'custom.metrics.k8s.io external.metrics.k8s.io', '*'),
    events,
  ],
  'legacy-service-account-token-cleaner': [
    rule('get', 'core', 'configmaps', 'kube-apiserver-legacy-service-account-token-tracking'),
    rule('patch delete', 'core', 'secrets'),
  ],
  'persistent-volume-binder': [
    rule(`${read} update create delete`, 'core', 'persistentvolumes'),
    rule('update', 'core', 'persistentvolumes/status persistentvolumeclaims/status'),
    rule(`${read} update`, 'core', 'persistentvolumeclaims'),
    rule(`${read} create delete`, 'core', 'pods'),
    rule(read, 'storage.k8s.io', 'storageclasses'),
    rule('list watch', 'core', 'nodes'),
    rule('get', 'core', 'services'),
    rule('watch', 'core', 'events'),
    events,
  ],
  'resource-claim-controller': [
    rule(read, 'core', 'pods'),
    rule('update', 'core', 'pods/finalizers'),
    rule('patch update', 'core', 'pods/status'),
    rule(`${read} create update patch delete`, 'resource.k8s.io', 'resourceclaims'),
    rule('update patch', 'resource.k8s.io', 'resourceclaims/status'),
    rule(read, 'resource.k8s.io', 'resourceclaimtemplates'),
    events,
  ],
  'route-controller': [rule('list watch', 'core', 'nodes'), rule('patch', 'core', 'nodes/status'), events],
  'selinux-warning-controller': [
    rule(read, 'core', 'persistentvolumes persistentvolumeclaims pods'),
    rule(read, 'storage.k8s.io', 'csidrivers'),
    events,
  ],
  'service-cidrs-controller': [
    rule(`${read} patch update`, 'networking.k8s.io', 'servicecidrs'),
    rule('patch update', 'networking.k8s.io', 'servicecidrs/finalizers servicecidrs/status'),
    rule(read, 'networking.k8s.io', 'ipaddresses'),
    events,
  ],
  'service-controller': [
    rule(read, 'core', 'services'),
    rule('patch update', 'core', 'services/status'),
    rule('list watch', 'core', 'nodes'),
    events,
  ],
  'ttl-controller': [rule('update patch list watch', 'core', 'nodes'), events],
  'validatingadmissionpolicy-status-controller': [
    rule(read, 'admissionregistration.k8s.io', 'validatingadmissionpolicies'),
    rule('get patch update', 'admissionregistration.k8s.io', 'validatingadmissionpolicies/status'),
    events,
  ],
};

export const controllerRoles: readonly ClusterRole[] = [
  ...Object.entries(ours).map(([name, rules]) => clusterRole(`system:controller:${name}`, rules, { [aggregate]: 'true' })),
  ...Object.entries(others).map(([name, rules]) => clusterRole(`system:controller:${name}`, rules)),
  aggregatedRole('system:fairlead:controllers', aggregate),
];

export const controllerBindings: readonly ClusterRoleBinding[] = [
  ...Object.keys({ ...ours, ...others }).map((name) => clusterBinding(`system:controller:${name}`, [serviceAccount('kube-system', name)])),
  clusterBinding('system:fairlead:controllers', [user('system:kube-controller-manager')]),
];
