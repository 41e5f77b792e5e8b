/**
 * Admission: what a kubelet may write, of which authorization sees only the name. After upstream's NodeRestriction plugin; messages are
 * upstream's, to follow `… is forbidden: `.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Lease, Node, PersistentVolumeClaim, Pod } from '../../api/schema/types.ts';
import {
  labelArchBeta,
  labelArchStable,
  labelFailureDomainBetaRegion,
  labelFailureDomainBetaZone,
  labelHostname,
  labelInstanceType,
  labelInstanceTypeStable,
  labelOSBeta,
  labelOSStable,
  labelTopologyRegion,
  labelTopologyZone,
  mirrorPodAnnotationKey,
} from '../../api/well-known.ts';
import type { AuthObjects } from './auth-objects.ts';
import { type UsedKind, visitReferences } from './node-graph.ts';
import { nodeNameOf, type UserInfo } from './user-info.ts';

export interface NodeWrite {
  readonly user: UserInfo;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  /** The name in the path; of a creation the object's. */
  readonly name: string;
  /** What is to be written; the body of a subresource such as `eviction` or `token`. */
  readonly object: object | undefined;
  readonly old: object | undefined;
}

const restricted = 'node-restriction.kubernetes.io';
/** Labels below kubernetes.io and k8s.io that a kubelet may set on its own Node. */
const kubeletLabels = new Set([
  labelHostname,
  'kubernetes.io/instance-type',
  labelOSStable,
  labelArchStable,
  labelInstanceTypeStable,
  'node.kubernetes.io/windows-build',
  labelInstanceType,
  labelOSBeta,
  labelArchBeta,
  labelFailureDomainBetaZone,
  labelFailureDomainBetaRegion,
  'failure-domain.kubernetes.io/zone',
  'failure-domain.kubernetes.io/region',
  labelTopologyZone,
  labelTopologyRegion,
]);
const kubeletLabelDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io'];

/** Why a node may not write this, or undefined. Says nothing about users that are no nodes. */
export function restrictNode(write: NodeWrite, objects: AuthObjects): string | undefined {
  const node = nodeNameOf(write.user);
  if (node === undefined) return undefined;
  if (node === '') return `could not determine node from user ${JSON.stringify(write.user.name)}`;
  switch (write.group ? `${write.resource}.${write.group}` : write.resource) {
    case 'pods':
      return restrictPod(node, write, objects);
    case 'nodes':
      return restrictOwnNode(node, write);
    case 'persistentvolumeclaims':
      return restrictClaim(node, write);
    case 'serviceaccounts':
      return write.subresource === 'token' ? restrictToken(node, write, objects) : undefined;
    case 'leases.coordination.k8s.io':
      return restrictLease(node, write);
    case 'csinodes.storage.k8s.io':
      return write.name === node ? undefined : 'can only access CSINode with the same name as the requesting node';
    default:
      return undefined;
  }
}

function restrictPod(node: string, write: NodeWrite, objects: AuthObjects): string | undefined {
  switch (write.subresource) {
    case '':
      if (write.operation === 'CREATE') return refuseMirrorPod(node, write.object as Pod, objects);
      if (write.operation === 'DELETE') return refuseOtherPod(node, write, write.old as Pod);
      return `unexpected operation "UPDATE", node "${node}" can only create and delete mirror pods`;
    case 'status':
      return refuseOtherPod(node, write, write.old as Pod) ?? refusePodStatus(node, write.object as Pod, write.old as Pod);
    case 'eviction': {
      const pod = objects.pod(write.namespace, write.name);
      return pod ? refuseOtherPod(node, { ...write, operation: 'DELETE' }, pod) : undefined;
    }
    default:
      return `unexpected pod subresource "${write.subresource}", only 'status' and 'eviction' are allowed`;
  }
}

/** A kubelet creates mirror pods only, bound to itself, owned by its Node, with no reference to anything it might then read. */
function refuseMirrorPod(node: string, pod: Pod, objects: AuthObjects): string | undefined {
  const { annotations, ownerReferences = [] } = pod.metadata;
  if (annotations?.[mirrorPodAnnotationKey] === undefined)
    return `pod does not have "${mirrorPodAnnotationKey}" annotation, node "${node}" can only create mirror pods`;
  if (pod.spec?.nodeName !== node) return `node "${node}" can only create pods with spec.nodeName set to itself`;
  if (ownerReferences.length > 1) return `node "${node}" can only create pods with a single owner reference set to itself`;
  const owner = ownerReferences[0];
  if (!owner) return `node "${node}" can only create pods with an owner reference set to itself`;
  if (owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
    return `node "${node}" can only create pods with an owner reference set to itself`;
  }
  if (!owner.controller) return `node "${node}" can only create pods with a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion) return `node "${node}" must not set blockOwnerDeletion on an owner reference`;
  const known = objects.node(node);
  if (!known || known.metadata.uid !== owner.uid)
    return `node ${node} UID mismatch: expected ${owner.uid} got ${known?.metadata.uid ?? ''}`;
  return refuseReferences(node, pod);
}

/** All that the authorizer would let the kubelet read for such a pod, and what others would do for it. */
function refuseReferences(node: string, pod: Pod): string | undefined {
  const named = new Set<string>();
  visitReferences(pod, (kind, name) => name !== undefined && named.add(referenceWords[kind]));
  if (pod.spec?.resourceClaims?.length) named.add('resourceclaims');
  const sources = (pod.spec?.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  for (const source of sources) for (const [field, word] of Object.entries(projectedWords)) if (field in source) named.add(word);
  const [first] = named;
  return first === undefined ? undefined : `node "${node}" can not create pods that reference ${first}`;
}

const projectedWords: Readonly<Record<string, string>> = {
  clusterTrustBundle: 'clustertrustbundles',
  serviceAccountToken: 'a service account',
  podCertificate: 'podcertificates',
};

const referenceWords: Readonly<Record<UsedKind, string>> = {
  secrets: 'secrets',
  configmaps: 'configmaps',
  persistentvolumeclaims: 'persistentvolumeclaims',
  serviceaccounts: 'a service account',
  pods: 'pods',
};

function refuseOtherPod(node: string, write: NodeWrite, pod: Pod | undefined): string | undefined {
  if (!pod || pod.spec?.nodeName === node) return undefined;
  if (write.operation === 'DELETE') return `node "${node}" can only delete pods with spec.nodeName set to itself`;
  return write.subresource === 'status'
    ? `node "${node}" can only update pod status for pods with spec.nodeName set to itself`
    : `node "${node}" can only update pods with spec.nodeName set to itself`;
}

function refusePodStatus(node: string, pod: Pod, old: Pod): string | undefined {
  if (!isDeepStrictEqual(pod.metadata.labels ?? {}, old.metadata.labels ?? {}))
    return `node "${node}" cannot update labels through pod status`;
  const same = isDeepStrictEqual(pod.status?.resourceClaimStatuses ?? [], old.status?.resourceClaimStatuses ?? []);
  return same ? undefined : `node "${node}" cannot update resource claim statuses`;
}

/** A kubelet that has made a volume larger says so, and nothing else. */
function restrictClaim(node: string, { operation, subresource, object, old }: NodeWrite): string | undefined {
  if (subresource !== 'status' || operation !== 'UPDATE') return 'may only update PVC status';
  const beside = ({ metadata, spec, status }: PersistentVolumeClaim): object => {
    const { managedFields: _managers, resourceVersion: _version, ...identity } = metadata;
    const { capacity: _c, conditions: _o, allocatedResources: _r, allocatedResourceStatuses: _s, ...rest } = status ?? {};
    return { identity, spec, rest };
  };
  return isDeepStrictEqual(beside(object as PersistentVolumeClaim), beside(old as PersistentVolumeClaim))
    ? undefined
    : `node "${node}" is not allowed to update fields other than status.capacity and status.conditions`;
}

function restrictOwnNode(node: string, write: NodeWrite): string | undefined {
  const object = write.object as Node | undefined;
  if (write.operation === 'DELETE') return `node "${node}" is not allowed to delete nodes`;
  const name = write.name || object?.metadata.name;
  if (name !== node) return `node "${node}" is not allowed to modify node "${name}"`;
  if (!object) return undefined;
  return write.operation === 'CREATE' ? refuseNewNode(node, object) : refuseNodeUpdate(node, object, write.old as Node);
}

function refuseNewNode(node: string, { metadata, spec }: Node): string | undefined {
  if (spec?.configSource) return `node "${node}" is not allowed to create pods with a non-nil configSource`;
  const labels = modifiedLabels(metadata.labels ?? {}, {});
  return labels.length > 0 ? `node "${node}" is not allowed to set the following labels: ${labels.join(', ')}` : undefined;
}

function refuseNodeUpdate(node: string, object: Node, old: Node): string | undefined {
  if (object.spec?.configSource && !isDeepStrictEqual(object.spec.configSource, old.spec?.configSource)) {
    return `node "${node}" is not allowed to update configSource to a new non-nil configSource`;
  }
  if (!isDeepStrictEqual(object.spec?.taints ?? [], old.spec?.taints ?? [])) return `node "${node}" is not allowed to modify taints`;
  if (!isDeepStrictEqual(object.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? [])) {
    return `node "${node}" is not allowed to modify ownerReferences`;
  }
  const labels = modifiedLabels(object.metadata.labels ?? {}, old.metadata.labels ?? {});
  return labels.length > 0 ? `is not allowed to modify labels: ${labels.join(', ')}` : undefined;
}

/** Labels that differ and that are not a kubelet's to set, sorted. */
function modifiedLabels(labels: Readonly<Record<string, string>>, old: Readonly<Record<string, string>>): string[] {
  const keys = new Set([...Object.keys(labels), ...Object.keys(old)]);
  return [...keys].filter((key) => labels[key] !== old[key] && !isKubeletLabel(key)).sort();
}

function isKubeletLabel(key: string): boolean {
  if (kubeletLabels.has(key)) return true;
  const slash = key.indexOf('/');
  if (slash < 0) return true;
  const domain = key.slice(0, slash);
  const within = (parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
  if (within(restricted)) return false;
  if (kubeletLabelDomains.some(within)) return true;
  return !within('kubernetes.io') && !within('k8s.io');
}

interface TokenRequestBody {
  readonly spec?: {
    readonly audiences?: readonly string[];
    readonly boundObjectRef?: { readonly kind?: string; readonly apiVersion?: string; readonly name?: string; readonly uid?: string };
  };
}

/** A kubelet gets tokens for pods that run on it, bound to them, for the audiences that they ask for (KEP-4412), and for no longer than they live. */
function restrictToken(node: string, write: NodeWrite, objects: AuthObjects): string | undefined {
  const { boundObjectRef: reference, audiences = [] } = (write.object as TokenRequestBody | undefined)?.spec ?? {};
  if (reference?.apiVersion !== 'v1' || reference.kind !== 'Pod' || !reference.name) return 'node requested token not bound to a pod';
  if (!reference.uid) return 'node requested token with a pod binding without a uid';
  const pod = objects.pod(write.namespace, reference.name);
  if (!pod) return `pod "${reference.name}" not found`;
  if (pod.metadata.uid !== reference.uid)
    return `the UID in the bound object reference (${reference.uid}) does not match the UID in record (${pod.metadata.uid})`;
  if (pod.spec?.nodeName !== node) return 'node requested token bound to a pod scheduled on a different node';
  if (audiences.length > 1) return 'node may only request 0 or 1 audiences';
  const audience = audiences[0] ?? '';
  const asked = (pod.spec.volumes ?? []).flatMap((volume) => volume.projected?.sources ?? []);
  // No audience is the API server's own, which every pod's volume asks for by leaving it out.
  if (asked.some((source) => source.serviceAccountToken && (source.serviceAccountToken.audience ?? '') === audience)) return undefined;
  return `audience ${JSON.stringify(audience)} not found in pod spec volume, ${write.user.name} is not authorized to request tokens for this audience`;
}

function restrictLease(node: string, write: NodeWrite): string | undefined {
  if (write.namespace !== 'kube-node-lease') return 'can only access leases in the "kube-node-lease" system namespace';
  const name = write.name || (write.object as Lease | undefined)?.metadata.name;
  return name === node ? undefined : 'can only access node lease with the same name as the requesting node';
}
