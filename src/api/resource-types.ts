/**
 * The handles by which code names a resource: `client.list(pods)` knows its path and the type of its objects.
 * What the API server does with a resource is in `registry/`; this is only its name.
 */
import type * as k from './schema/types.ts';

/** Every stored object has these. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: k.ObjectMeta;
}

export interface ResourceType<T extends KubeObject = KubeObject> {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  /** The plural in the path, such as `endpointslices`. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries the type of the objects. */
  readonly object?: T;
}

function type<T extends KubeObject>(groupVersion: string, kind: string, resource: string, namespaced = true): ResourceType<T> {
  const slash = groupVersion.indexOf('/');
  return { group: slash < 0 ? '' : groupVersion.slice(0, slash), version: groupVersion.slice(slash + 1), resource, kind, namespaced };
}

export const bindings: ResourceType<k.Binding> = type('v1', 'Binding', 'bindings');
export const configMaps: ResourceType<k.ConfigMap> = type('v1', 'ConfigMap', 'configmaps');
export const endpoints: ResourceType<k.Endpoints> = type('v1', 'Endpoints', 'endpoints');
export const events: ResourceType<k.Event> = type('v1', 'Event', 'events');
export const namespaces: ResourceType<k.Namespace> = type('v1', 'Namespace', 'namespaces', false);
export const nodes: ResourceType<k.Node> = type('v1', 'Node', 'nodes', false);
export const pods: ResourceType<k.Pod> = type('v1', 'Pod', 'pods');
export const podTemplates: ResourceType<k.PodTemplate> = type('v1', 'PodTemplate', 'podtemplates');
export const replicationControllers: ResourceType<k.ReplicationController> = type('v1', 'ReplicationController', 'replicationcontrollers');
export const secrets: ResourceType<k.Secret> = type('v1', 'Secret', 'secrets');
export const serviceAccounts: ResourceType<k.ServiceAccount> = type('v1', 'ServiceAccount', 'serviceaccounts');
export const services: ResourceType<k.Service> = type('v1', 'Service', 'services');

export const controllerRevisions: ResourceType<k.ControllerRevision> = type('apps/v1', 'ControllerRevision', 'controllerrevisions');
export const daemonSets: ResourceType<k.DaemonSet> = type('apps/v1', 'DaemonSet', 'daemonsets');
export const deployments: ResourceType<k.Deployment> = type('apps/v1', 'Deployment', 'deployments');
export const replicaSets: ResourceType<k.ReplicaSet> = type('apps/v1', 'ReplicaSet', 'replicasets');

export const endpointSlices: ResourceType<k.EndpointSlice> = type('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices');
export const leases: ResourceType<k.Lease> = type('coordination.k8s.io/v1', 'Lease', 'leases');
export const eventsV1: ResourceType<k.EventsV1Event> = type('events.k8s.io/v1', 'Event', 'events');

export const clusterRoles: ResourceType<k.ClusterRole> = type('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', false);
export const clusterRoleBindings: ResourceType<k.ClusterRoleBinding> = type(
  'rbac.authorization.k8s.io/v1',
  'ClusterRoleBinding',
  'clusterrolebindings',
  false,
);
export const roles: ResourceType<k.Role> = type('rbac.authorization.k8s.io/v1', 'Role', 'roles');
export const roleBindings: ResourceType<k.RoleBinding> = type('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings');

export const ingresses: ResourceType<k.Ingress> = type('networking.k8s.io/v1', 'Ingress', 'ingresses');
export const ingressClasses: ResourceType<k.IngressClass> = type('networking.k8s.io/v1', 'IngressClass', 'ingressclasses', false);
export const networkPolicies: ResourceType<k.NetworkPolicy> = type('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies');

export const tokenReviews: ResourceType<k.TokenReview> = type('authentication.k8s.io/v1', 'TokenReview', 'tokenreviews', false);
export const subjectAccessReviews: ResourceType<k.SubjectAccessReview> = type(
  'authorization.k8s.io/v1',
  'SubjectAccessReview',
  'subjectaccessreviews',
  false,
);

export const limitRanges: ResourceType<k.LimitRange> = type('v1', 'LimitRange', 'limitranges');
export const resourceQuotas: ResourceType<k.ResourceQuota> = type('v1', 'ResourceQuota', 'resourcequotas');
export const persistentVolumes: ResourceType<k.PersistentVolume> = type('v1', 'PersistentVolume', 'persistentvolumes', false);
export const persistentVolumeClaims: ResourceType<k.PersistentVolumeClaim> = type('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims');
export const statefulSets: ResourceType<k.StatefulSet> = type('apps/v1', 'StatefulSet', 'statefulsets');
export const jobs: ResourceType<k.Job> = type('batch/v1', 'Job', 'jobs');
export const cronJobs: ResourceType<k.CronJob> = type('batch/v1', 'CronJob', 'cronjobs');
export const horizontalPodAutoscalers: ResourceType<k.HorizontalPodAutoscaler> = type(
  'autoscaling/v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);
export const horizontalPodAutoscalersV1: ResourceType<k.AutoscalingV1HorizontalPodAutoscaler> = type(
  'autoscaling/v1',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);
export const certificateSigningRequests: ResourceType<k.CertificateSigningRequest> = type(
  'certificates.k8s.io/v1',
  'CertificateSigningRequest',
  'certificatesigningrequests',
  false,
);
export const podDisruptionBudgets: ResourceType<k.PodDisruptionBudget> = type('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets');
export const priorityClasses: ResourceType<k.PriorityClass> = type('scheduling.k8s.io/v1', 'PriorityClass', 'priorityclasses', false);
export const runtimeClasses: ResourceType<k.RuntimeClass> = type('node.k8s.io/v1', 'RuntimeClass', 'runtimeclasses', false);
export const storageClasses: ResourceType<k.StorageClass> = type('storage.k8s.io/v1', 'StorageClass', 'storageclasses', false);
export const csiDrivers: ResourceType<k.CSIDriver> = type('storage.k8s.io/v1', 'CSIDriver', 'csidrivers', false);
export const csiNodes: ResourceType<k.CSINode> = type('storage.k8s.io/v1', 'CSINode', 'csinodes', false);
export const csiStorageCapacities: ResourceType<k.CSIStorageCapacity> = type(
  'storage.k8s.io/v1',
  'CSIStorageCapacity',
  'csistoragecapacities',
);
export const volumeAttachments: ResourceType<k.VolumeAttachment> = type(
  'storage.k8s.io/v1',
  'VolumeAttachment',
  'volumeattachments',
  false,
);
export const volumeAttributesClasses: ResourceType<k.VolumeAttributesClass> = type(
  'storage.k8s.io/v1',
  'VolumeAttributesClass',
  'volumeattributesclasses',
  false,
);
export const deviceClasses: ResourceType<k.DeviceClass> = type('resource.k8s.io/v1', 'DeviceClass', 'deviceclasses', false);
export const resourceClaims: ResourceType<k.ResourceV1ResourceClaim> = type('resource.k8s.io/v1', 'ResourceClaim', 'resourceclaims');
export const resourceClaimTemplates: ResourceType<k.ResourceClaimTemplate> = type(
  'resource.k8s.io/v1',
  'ResourceClaimTemplate',
  'resourceclaimtemplates',
);
export const resourceSlices: ResourceType<k.ResourceSlice> = type('resource.k8s.io/v1', 'ResourceSlice', 'resourceslices', false);
export const validatingAdmissionPolicies: ResourceType<k.ValidatingAdmissionPolicy> = type(
  'admissionregistration.k8s.io/v1',
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
  false,
);
export const serviceCidrs: ResourceType<k.ServiceCIDR> = type('networking.k8s.io/v1', 'ServiceCIDR', 'servicecidrs', false);
export const ipAddresses: ResourceType<k.IPAddress> = type('networking.k8s.io/v1', 'IPAddress', 'ipaddresses', false);
export const selfSubjectReviews: ResourceType<k.SelfSubjectReview> = type(
  'authentication.k8s.io/v1',
  'SelfSubjectReview',
  'selfsubjectreviews',
  false,
);
export const localSubjectAccessReviews: ResourceType<k.LocalSubjectAccessReview> = type(
  'authorization.k8s.io/v1',
  'LocalSubjectAccessReview',
  'localsubjectaccessreviews',
);
export const selfSubjectAccessReviews: ResourceType<k.SelfSubjectAccessReview> = type(
  'authorization.k8s.io/v1',
  'SelfSubjectAccessReview',
  'selfsubjectaccessreviews',
  false,
);
export const selfSubjectRulesReviews: ResourceType<k.SelfSubjectRulesReview> = type(
  'authorization.k8s.io/v1',
  'SelfSubjectRulesReview',
  'selfsubjectrulesreviews',
  false,
);

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(t: ResourceType): string {
  return t.group ? `${t.group}/${t.version}` : t.version;
}

/** The path of the collection, or of one object when `name` is given: `/apis/apps/v1/namespaces/default/deployments/web`. */
export function pathOf(t: ResourceType, namespace?: string, name?: string, subresource?: string): string {
  let path = t.group ? `/apis/${t.group}/${t.version}` : `/api/${t.version}`;
  if (t.namespaced && namespace) path += `/namespaces/${encodeURIComponent(namespace)}`;
  path += `/${t.resource}`;
  if (name !== undefined) path += `/${encodeURIComponent(name)}`;
  return subresource ? `${path}/${subresource}` : path;
}
