/** Defaults of the small resources of the core group and of discovery, rbac, networking, storage and scheduling. */
import type {
  ClusterRoleBinding,
  EndpointSlice,
  Endpoints,
  IngressClass,
  LimitRange,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  PriorityClass,
  RoleBinding,
  Secret,
  StorageClass,
} from '../schema/types.ts';
import { defaultSource } from './volume.ts';

const rbacGroup = 'rbac.authorization.k8s.io';

export function defaultNamespace({ metadata }: Namespace): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
}

export function defaultNode(node: Node): void {
  // The field of one address family is older than the list of both.
  const { spec } = node;
  if (spec?.podCIDR && spec.podCIDRs?.[0] !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR];
  else if (spec?.podCIDRs?.[0]) spec.podCIDR = spec.podCIDRs[0];
  if (node.status?.capacity && !node.status.allocatable) node.status.allocatable = { ...node.status.capacity };
}

/** `stringData` is for writers only: its values go to `data`, over what is there. */
export function defaultSecret(secret: Secret): void {
  for (const [key, value] of Object.entries(secret.stringData ?? {})) {
    secret.data ??= {};
    secret.data[key] = Buffer.from(value, 'utf8').toString('base64');
  }
  delete secret.stringData;
  secret.type ||= 'Opaque';
}

export function defaultEndpoints(endpoints: Endpoints): void {
  for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
}

export function defaultEndpointSlice(slice: EndpointSlice): void {
  for (const port of slice.ports ?? []) {
    port.name ??= '';
    port.protocol ??= 'TCP';
  }
}

export function defaultClaim({ spec, status }: PersistentVolumeClaim): void {
  if (status) status.phase ||= 'Pending';
  if (spec) spec.volumeMode ??= 'Filesystem';
}

export function defaultPersistentVolume({ spec, status }: PersistentVolume): void {
  if (status) status.phase ||= 'Pending';
  if (!spec) return;
  defaultSource(spec);
  spec.persistentVolumeReclaimPolicy ||= 'Retain';
  spec.volumeMode ??= 'Filesystem';
}

/** For containers the default limit is the maximum, and the default request the default limit, or else the minimum. */
export function defaultLimitRange({ spec }: LimitRange): void {
  for (const item of spec?.limits ?? []) {
    if (item.type !== 'Container') continue;
    item.default = { ...item.max, ...item.default };
    item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
    if (Object.keys(item.default).length === 0) delete item.default;
    if (Object.keys(item.defaultRequest).length === 0) delete item.defaultRequest;
  }
}

export function defaultBinding(binding: RoleBinding | ClusterRoleBinding): void {
  if (binding.roleRef) binding.roleRef.apiGroup ||= rbacGroup;
  for (const subject of binding.subjects ?? []) {
    // A ServiceAccount is of the core group; users and groups are of that of RBAC.
    if (subject.kind !== 'ServiceAccount') subject.apiGroup ||= rbacGroup;
  }
}

export function defaultNetworkPolicy({ spec }: NetworkPolicy): void {
  if (!spec) return;
  const rules = [...(spec.ingress ?? []), ...(spec.egress ?? [])];
  for (const rule of rules) for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
  if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
}

export function defaultIngressClass({ spec }: IngressClass): void {
  if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
}

export function defaultPriorityClass(priorityClass: PriorityClass): void {
  priorityClass.preemptionPolicy ??= 'PreemptLowerPriority';
}

export function defaultStorageClass(storageClass: StorageClass): void {
  storageClass.reclaimPolicy ??= 'Delete';
  storageClass.volumeBindingMode ??= 'Immediate';
}
