/**
 * A ClusterRole `system:controller:NAME` per controller, bound to the ServiceAccount NAME in kube-system, as upstream has them. Ours run
 * with one identity, `system:kube-controller-manager`, to which the sum of those that we have is bound.
 */
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../../api/schema/types.ts';
import { aggregatedRole, clusterBinding, clusterRole, rule, serviceAccount, user } from './policy-builder.ts';

const READ = 'get list watch';
const events = rule('create update patch', 'core events.k8s.io', 'events');
const AGGREGATE = 'fairlead.dev/aggregate-to-controllers';
const APPS = 'apps extensions';

/** Controllers of upstream, those that run here first. */
const ours: Readonly<Record<string, readonly PolicyRule[]>> = {
  'daemon-set-controller': [
    rule(READ, APPS, 'daemonsets'),
    rule('update patch', APPS, 'daemonsets/status daemonsets/finalizers'),
    rule('list watch', 'core', 'nodes'),
    rule('list watch create delete patch', 'core', 'pods'),
    rule('create', 'core', 'pods/binding'),
    rule(`${READ} create delete update patch`, 'apps', 'controllerrevisions'),
    events,
  ],
  'deployment-controller': [
    rule(`${READ} update patch`, APPS, 'deployments'),
    rule('update patch', APPS, 'deployments/status deployments/finalizers'),
    rule(`${READ} create update patch delete`, APPS, 'replicasets'),
    rule(`${READ} update`, 'core', 'pods'),
    events,
  ],
  'disruption-controller': [
    rule(READ, APPS, 'deployments replicasets'),
    rule(READ, 'core', 'replicationcontrollers pods'),
    rule(READ, 'policy', 'poddisruptionbudgets'),
    rule(READ, 'apps', 'statefulsets'),
    rule('update patch', 'policy', 'poddisruptionbudgets/status'),
    rule('patch update', 'core', 'pods/status'),
    rule('get', '*', '*/scale'),
    events,
  ],
  'endpoint-controller': [
    rule(READ, 'core', 'services pods'),
    rule(`${READ} create update patch delete`, 'core', 'endpoints'),
    rule('create', 'core', 'endpoints/restricted'),
    events,
  ],
  'endpointslice-controller': [
    rule(READ, 'core', 'services pods nodes'),
    rule('update', 'core', 'services/finalizers'),
    rule(`${READ} create update patch delete`, 'discovery.k8s.io', 'endpointslices'),
    rule('create', 'discovery.k8s.io', 'endpointslices/restricted'),
    events,
  ],
  'endpointslicemirroring-controller': [
    rule(READ, 'core', 'services endpoints'),
    rule('update', 'core', 'services/finalizers endpoints/finalizers'),
    rule(`${READ} create update delete`, 'discovery.k8s.io', 'endpointslices'),
    rule('create', 'discovery.k8s.io', 'endpointslices/restricted'),
    events,
  ],
  'generic-garbage-collector': [rule(`${READ} patch update delete`, '*', '*'), events],
  'namespace-controller': [
    rule(`${READ} delete`, 'core', 'namespaces'),
    rule('update patch', 'core', 'namespaces/finalize namespaces/status'),
    rule(`${READ} delete deletecollection`, '*', '*'),
  ],
  'node-controller': [
    rule(`${READ} update delete patch`, 'core', 'nodes'),
    rule('patch update', 'core', 'nodes/status pods/status'),
    rule(`${READ} delete`, 'core', 'pods'),
    rule(READ, 'coordination.k8s.io', 'leases'),
    rule('get', 'networking.k8s.io', 'servicecidrs'),
    events,
  ],
  'pod-garbage-collector': [
    rule('list watch delete', 'core', 'pods'),
    rule('get list watch', 'core', 'nodes'),
    rule('patch', 'core', 'pods/status'),
  ],
  'replicaset-controller': [
    rule(`${READ} update patch`, APPS, 'replicasets'),
    rule('update patch', APPS, 'replicasets/status replicasets/finalizers'),
    rule('list watch patch create delete', 'core', 'pods'),
    events,
  ],
  'replication-controller': [
    rule(`${READ} update patch`, 'core', 'replicationcontrollers'),
    rule('update patch', 'core', 'replicationcontrollers/status replicationcontrollers/finalizers'),
    rule('list watch patch create delete', 'core', 'pods'),
    events,
  ],
  'resourcequota-controller': [rule('list watch', '*', '*'), rule('update patch', 'core', 'resourcequotas/status'), events],
  'root-ca-cert-publisher': [rule('get create update', 'core', 'configmaps'), events],
  'service-account-controller': [rule('create', 'core', 'serviceaccounts'), events],
  'statefulset-controller': [
    rule(READ, 'apps', 'statefulsets'),
    rule('update patch', 'apps', 'statefulsets/status statefulsets/finalizers'),
    rule(`${READ} create delete update patch`, 'core', 'pods'),
    rule(`${READ} create delete update patch`, 'apps', 'controllerrevisions'),
    rule('update', 'core', 'pods/finalizers'),
    rule(`${READ} create update delete`, 'core', 'persistentvolumeclaims'),
    events,
  ],
  'job-controller': [
    rule(`${READ} update patch`, 'batch', 'jobs'),
    rule('update patch', 'batch', 'jobs/status jobs/finalizers'),
    rule('list watch create delete patch', 'core', 'pods'),
    events,
  ],
  'cronjob-controller': [
    rule(`${READ} update`, 'batch', 'cronjobs'),
    rule(`${READ} create update delete patch`, 'batch', 'jobs'),
    rule('update', 'batch', 'cronjobs/status cronjobs/finalizers'),
    rule('list watch delete', 'core', 'pods'),
    events,
  ],
  'ttl-after-finished-controller': [rule(`${READ} delete`, 'batch', 'jobs'), events],
  'pvc-protection-controller': [rule(`${READ} update`, 'core', 'persistentvolumeclaims'), rule(READ, 'core', 'pods'), events],
  'pv-protection-controller': [rule(`${READ} update`, 'core', 'persistentvolumes'), events],
  'volumeattributesclass-protection-controller': [
    rule(READ, 'core', 'persistentvolumes persistentvolumeclaims'),
    rule(`${READ} update`, 'storage.k8s.io', 'volumeattributesclasses'),
    events,
  ],
  'clusterrole-aggregation-controller': [rule(`escalate ${READ} update patch`, 'rbac.authorization.k8s.io', 'clusterroles')],
};

/** Roles for controllers that others bring: their ServiceAccounts find them as on any cluster. */
const others: Readonly<Record<string, readonly PolicyRule[]>> = {
  'attachdetach-controller': [
    rule('list watch', 'core', 'persistentvolumes persistentvolumeclaims pods'),
    rule(READ, 'core', 'nodes'),
    rule('patch update', 'core', 'nodes/status'),
    rule('get create delete list watch', 'storage.k8s.io', 'volumeattachments'),
    rule(READ, 'storage.k8s.io', 'csidrivers csinodes'),
    events,
  ],
  'certificate-controller': [
    rule(`${READ} delete`, 'certificates.k8s.io', 'certificatesigningrequests'),
    rule('update', 'certificates.k8s.io', 'certificatesigningrequests/status certificatesigningrequests/approval'),
    rule('approve', 'certificates.k8s.io', 'signers', 'kubernetes.io/kube-apiserver-client-kubelet'),
    rule(
      'sign',
      'certificates.k8s.io',
      'signers',
      'kubernetes.io/kube-apiserver-client',
      'kubernetes.io/kube-apiserver-client-kubelet',
      'kubernetes.io/kubelet-serving',
      'kubernetes.io/legacy-unknown',
    ),
    rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    events,
  ],
  'expand-controller': [
    rule(`${READ} update patch`, 'core', 'persistentvolumes'),
    rule('update patch', 'core', 'persistentvolumeclaims/status'),
    rule(READ, 'core', 'persistentvolumeclaims'),
    rule('get', 'core', 'services'),
    events,
  ],
  'ephemeral-volume-controller': [
    rule(READ, 'core', 'pods'),
    rule('update', 'core', 'pods/finalizers'),
    rule(`${READ} create`, 'core', 'persistentvolumeclaims'),
    events,
  ],
  'horizontal-pod-autoscaler': [
    rule(READ, 'autoscaling', 'horizontalpodautoscalers'),
    rule('update', 'autoscaling', 'horizontalpodautoscalers/status'),
    rule('get update', '*', '*/scale'),
    rule('list watch', 'core', 'pods'),
    rule('list watch', 'metrics.k8s.io', 'pods'),
    rule(READ, 'custom.metrics.k8s.io external.metrics.k8s.io', '*'),
    events,
  ],
  'legacy-service-account-token-cleaner': [
    rule('get', 'core', 'configmaps', 'kube-apiserver-legacy-service-account-token-tracking'),
    rule('patch delete', 'core', 'secrets'),
  ],
  'persistent-volume-binder': [
    rule(`${READ} update create delete`, 'core', 'persistentvolumes'),
    rule('update', 'core', 'persistentvolumes/status persistentvolumeclaims/status'),
    rule(`${READ} update`, 'core', 'persistentvolumeclaims'),
    rule(`${READ} create delete`, 'core', 'pods'),
    rule(READ, 'storage.k8s.io', 'storageclasses'),
    rule('list watch', 'core', 'nodes'),
    rule('get', 'core', 'services'),
    rule('watch', 'core', 'events'),
    events,
  ],
  'resource-claim-controller': [
    rule(READ, 'core', 'pods'),
    rule('update', 'core', 'pods/finalizers'),
    rule('patch update', 'core', 'pods/status'),
    rule(`${READ} create update patch delete`, 'resource.k8s.io', 'resourceclaims'),
    rule('update patch', 'resource.k8s.io', 'resourceclaims/status'),
    rule(READ, 'resource.k8s.io', 'resourceclaimtemplates'),
    events,
  ],
  'route-controller': [rule('list watch', 'core', 'nodes'), rule('patch', 'core', 'nodes/status'), events],
  'selinux-warning-controller': [
    rule(READ, 'core', 'persistentvolumes persistentvolumeclaims pods'),
    rule(READ, 'storage.k8s.io', 'csidrivers'),
    events,
  ],
  'service-cidrs-controller': [
    rule(`${READ} patch update`, 'networking.k8s.io', 'servicecidrs'),
    rule('patch update', 'networking.k8s.io', 'servicecidrs/finalizers servicecidrs/status'),
    rule(READ, 'networking.k8s.io', 'ipaddresses'),
    events,
  ],
  'service-controller': [
    rule(READ, 'core', 'services'),
    rule('patch update', 'core', 'services/status'),
    rule('list watch', 'core', 'nodes'),
    events,
  ],
  'ttl-controller': [rule('update patch list watch', 'core', 'nodes'), events],
  'validatingadmissionpolicy-status-controller': [
    rule(READ, 'admissionregistration.k8s.io', 'validatingadmissionpolicies'),
    rule('get patch update', 'admissionregistration.k8s.io', 'validatingadmissionpolicies/status'),
    events,
  ],
};

export const controllerRoles: readonly ClusterRole[] = [
  ...Object.entries(ours).map(([name, rules]) => clusterRole(`system:controller:${name}`, rules, { [AGGREGATE]: 'true' })),
  ...Object.entries(others).map(([name, rules]) => clusterRole(`system:controller:${name}`, rules)),
  aggregatedRole('system:fairlead:controllers', AGGREGATE),
];

export const controllerBindings: readonly ClusterRoleBinding[] = [
  ...Object.keys({ ...ours, ...others }).map((name) => clusterBinding(`system:controller:${name}`, [serviceAccount('kube-system', name)])),
  clusterBinding('system:fairlead:controllers', [user('system:kube-controller-manager')]),
];
