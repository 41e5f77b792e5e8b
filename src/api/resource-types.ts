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

/** A namespaced resource of a group version. */
function type<T extends KubeObject>(groupVersion: string, kind: string, namespaced: boolean = true): ResourceType<T> {
  const slash = groupVersion.indexOf('/');
  const group = slash < 0 ? '' : groupVersion.slice(0, slash);
  return { group, version: groupVersion.slice(slash + 1), resource: pluralOf(kind), kind, namespaced };
}

/** A resource that is in no namespace. */
function clusterType<T extends KubeObject>(groupVersion: string, kind: string): ResourceType<T> {
  return type(groupVersion, kind, false);
}

/** `IngressClass` → `ingressclasses`, as apimachinery's UnsafeGuessKindToResource. */
function pluralOf(kind: string): string {
  const singular = kind.toLowerCase();
  if (singular === 'endpoints') return singular;
  if (singular.endsWith('s')) return `${singular}es`;
  return singular.endsWith('y') ? `${singular.slice(0, -1)}ies` : `${singular}s`;
}

export const bindings: ResourceType<k.Binding> = type('v1', 'Binding');
export const configMaps: ResourceType<k.ConfigMap> = type('v1', 'ConfigMap');
export const endpoints: ResourceType<k.Endpoints> = type('v1', 'Endpoints');
export const events: ResourceType<k.Event> = type('v1', 'Event');
export const namespaces: ResourceType<k.Namespace> = clusterType('v1', 'Namespace');
export const nodes: ResourceType<k.Node> = clusterType('v1', 'Node');
export const pods: ResourceType<k.Pod> = type('v1', 'Pod');
export const podTemplates: ResourceType<k.PodTemplate> = type('v1', 'PodTemplate');
export const replicationControllers: ResourceType<k.ReplicationController> = type('v1', 'ReplicationController');
export const secrets: ResourceType<k.Secret> = type('v1', 'Secret');
export const serviceAccounts: ResourceType<k.ServiceAccount> = type('v1', 'ServiceAccount');
export const services: ResourceType<k.Service> = type('v1', 'Service');

export const controllerRevisions: ResourceType<k.ControllerRevision> = type('apps/v1', 'ControllerRevision');
export const daemonSets: ResourceType<k.DaemonSet> = type('apps/v1', 'DaemonSet');
export const deployments: ResourceType<k.Deployment> = type('apps/v1', 'Deployment');
export const replicaSets: ResourceType<k.ReplicaSet> = type('apps/v1', 'ReplicaSet');

export const endpointSlices: ResourceType<k.EndpointSlice> = type('discovery.k8s.io/v1', 'EndpointSlice');
export const leases: ResourceType<k.Lease> = type('coordination.k8s.io/v1', 'Lease');
export const eventsV1: ResourceType<k.EventsV1Event> = type('events.k8s.io/v1', 'Event');

export const clusterRoles: ResourceType<k.ClusterRole> = clusterType('rbac.authorization.k8s.io/v1', 'ClusterRole');
export const clusterRoleBindings: ResourceType<k.ClusterRoleBinding> = clusterType('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding');
export const roles: ResourceType<k.Role> = type('rbac.authorization.k8s.io/v1', 'Role');
export const roleBindings: ResourceType<k.RoleBinding> = type('rbac.authorization.k8s.io/v1', 'RoleBinding');

export const ingresses: ResourceType<k.Ingress> = type('networking.k8s.io/v1', 'Ingress');
export const ingressClasses: ResourceType<k.IngressClass> = clusterType('networking.k8s.io/v1', 'IngressClass');
export const networkPolicies: ResourceType<k.NetworkPolicy> = type('networking.k8s.io/v1', 'NetworkPolicy');

export const tokenReviews: ResourceType<k.TokenReview> = clusterType('authentication.k8s.io/v1', 'TokenReview');
export const subjectAccessReviews: ResourceType<k.SubjectAccessReview> = clusterType('authorization.k8s.io/v1', 'SubjectAccessReview');

export const limitRanges: ResourceType<k.LimitRange> = type('v1', 'LimitRange');
export const resourceQuotas: ResourceType<k.ResourceQuota> = type('v1', 'ResourceQuota');
export const persistentVolumes: ResourceType<k.PersistentVolume> = clusterType('v1', 'PersistentVolume');
export const persistentVolumeClaims: ResourceType<k.PersistentVolumeClaim> = type('v1', 'PersistentVolumeClaim');
export const statefulSets: ResourceType<k.StatefulSet> = type('apps/v1', 'StatefulSet');
export const jobs: ResourceType<k.Job> = type('batch/v1', 'Job');
export const cronJobs: ResourceType<k.CronJob> = type('batch/v1', 'CronJob');
export const horizontalPodAutoscalers: ResourceType<k.HorizontalPodAutoscaler> = type('autoscaling/v2', 'HorizontalPodAutoscaler');
export const horizontalPodAutoscalersV1: ResourceType<k.AutoscalingV1HorizontalPodAutoscaler> = type(
  'autoscaling/v1',
  'HorizontalPodAutoscaler',
);
export const certificateSigningRequests: ResourceType<k.CertificateSigningRequest> = clusterType(
  'certificates.k8s.io/v1',
  'CertificateSigningRequest',
);
export const podDisruptionBudgets: ResourceType<k.PodDisruptionBudget> = type('policy/v1', 'PodDisruptionBudget');
export const priorityClasses: ResourceType<k.PriorityClass> = clusterType('scheduling.k8s.io/v1', 'PriorityClass');
export const runtimeClasses: ResourceType<k.RuntimeClass> = clusterType('node.k8s.io/v1', 'RuntimeClass');
export const storageClasses: ResourceType<k.StorageClass> = clusterType('storage.k8s.io/v1', 'StorageClass');
export const csiDrivers: ResourceType<k.CSIDriver> = clusterType('storage.k8s.io/v1', 'CSIDriver');
export const csiNodes: ResourceType<k.CSINode> = clusterType('storage.k8s.io/v1', 'CSINode');
export const csiStorageCapacities: ResourceType<k.CSIStorageCapacity> = type('storage.k8s.io/v1', 'CSIStorageCapacity');
export const volumeAttachments: ResourceType<k.VolumeAttachment> = clusterType('storage.k8s.io/v1', 'VolumeAttachment');
export const volumeAttributesClasses: ResourceType<k.VolumeAttributesClass> = clusterType('storage.k8s.io/v1', 'VolumeAttributesClass');
export const deviceClasses: ResourceType<k.DeviceClass> = clusterType('resource.k8s.io/v1', 'DeviceClass');
export const resourceClaims: ResourceType<k.ResourceV1ResourceClaim> = type('resource.k8s.io/v1', 'ResourceClaim');
export const resourceClaimTemplates: ResourceType<k.ResourceClaimTemplate> = type('resource.k8s.io/v1', 'ResourceClaimTemplate');
export const resourceSlices: ResourceType<k.ResourceSlice> = clusterType('resource.k8s.io/v1', 'ResourceSlice');
export const validatingAdmissionPolicies: ResourceType<k.ValidatingAdmissionPolicy> = clusterType(
  'admissionregistration.k8s.io/v1',
  'ValidatingAdmissionPolicy',
);
export const validatingAdmissionPolicyBindings: ResourceType<k.ValidatingAdmissionPolicyBinding> = clusterType(
  'admissionregistration.k8s.io/v1',
  'ValidatingAdmissionPolicyBinding',
);
export const mutatingWebhookConfigurations: ResourceType<k.MutatingWebhookConfiguration> = clusterType(
  'admissionregistration.k8s.io/v1',
  'MutatingWebhookConfiguration',
);
export const validatingWebhookConfigurations: ResourceType<k.ValidatingWebhookConfiguration> = clusterType(
  'admissionregistration.k8s.io/v1',
  'ValidatingWebhookConfiguration',
);
export const serviceCidrs: ResourceType<k.ServiceCIDR> = clusterType('networking.k8s.io/v1', 'ServiceCIDR');
export const ipAddresses: ResourceType<k.IPAddress> = clusterType('networking.k8s.io/v1', 'IPAddress');
export const selfSubjectReviews: ResourceType<k.SelfSubjectReview> = clusterType('authentication.k8s.io/v1', 'SelfSubjectReview');
export const localSubjectAccessReviews: ResourceType<k.LocalSubjectAccessReview> = type(
  'authorization.k8s.io/v1',
  'LocalSubjectAccessReview',
);
export const selfSubjectAccessReviews: ResourceType<k.SelfSubjectAccessReview> = clusterType(
  'authorization.k8s.io/v1',
  'SelfSubjectAccessReview',
);
export const selfSubjectRulesReviews: ResourceType<k.SelfSubjectRulesReview> = clusterType(
  'authorization.k8s.io/v1',
  'SelfSubjectRulesReview',
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
