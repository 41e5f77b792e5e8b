/**
 * What a cluster whose API server is somebody else's must be told before our parts may work there: roles, bindings, and the Service
 * that the DNS servers stand behind. A kubelet needs none: the Node authorizer of the API server knows what a node may do, and to bind
 * upstream's role `system:node` to nodes would give each of them every Secret.
 */
import { type NodePart, nodePartGroup, nodeParts } from '../api/node-parts.ts';
import type { KubeObject } from '../api/resource-types.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from '../api/schema/types.ts';
import { speakerSecret } from '../api/well-known.ts';
import { clusterDnsService } from './cluster-dns.ts';

const rbacGroup = 'rbac.authorization.k8s.io';
const api = `${rbacGroup}/v1`;

const networkRules: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
  // Its lease: annotations and the condition NetworkUnavailable.
  { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
];
const nameRules: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['services', 'namespaces'], verbs: ['list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  // The Node owns the slice that its server publishes.
  { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
];
/** In kube-system only. */
const publisherRules: readonly PolicyRule[] = [
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['create', 'update', 'delete'] },
];
/** What a node announces depends on these, and each tells in an Event what it announces. */
const speakerRules: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['services', 'nodes'], verbs: ['list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
];
/** In kube-system only: the key by which speakers know each other. */
const keyRules: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], resourceNames: [speakerSecret], verbs: ['get', 'list', 'watch'] },
];

export interface ManifestOptions {
  readonly parts: readonly NodePart[];
  /** Who gets the rights, one or the other; without either each part's own group. */
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  /** Address of the Service kube-dns; empty for none. */
  readonly clusterDns: string;
}

/** What the parts of a node need that use the credential of its kubelet: all that "fairlead join" brings. */
export function nodeRoles(): KubeObject[] {
  // The Service in front of the nodes' DNS is the server's own affair.
  return manifest({ parts: ['proxy', 'net-agent', 'dns', 'speaker'], group: 'system:nodes', clusterDns: '' });
}

/** A role and its binding, both cluster-wide or both in a namespace. */
function grant(name: string, rules: readonly PolicyRule[], subject: Subject, namespace?: string): KubeObject[] {
  const kind = namespace === undefined ? 'ClusterRole' : 'Role';
  const role: Role | ClusterRole = { apiVersion: api, kind, metadata: { name, namespace }, rules: [...rules] };
  return [role, bind({ kind, name }, name, subject, namespace)];
}

/** One binding for each subject, so that who is named later takes nothing from who was named before. */
function bind(
  role: { readonly kind: string; readonly name: string },
  name: string,
  subject: Subject,
  namespace?: string,
): ClusterRoleBinding | RoleBinding {
  return {
    apiVersion: api,
    kind: `${role.kind}Binding`,
    metadata: { name: nodeParts.some((part) => nodePartGroup(part) === subject.name) ? name : `${name}:${subject.name}`, namespace },
    roleRef: { apiGroup: rbacGroup, ...role },
    subjects: [subject],
  };
}

/** The objects, in the order in which they can be made. They may be applied again and again, and beside those of our own server. */
export function manifest({ parts, user, group, clusterDns }: ManifestOptions): KubeObject[] {
  const subjectOf = (part: NodePart): Subject =>
    user ? { apiGroup: rbacGroup, kind: 'User', name: user } : { apiGroup: rbacGroup, kind: 'Group', name: group ?? nodePartGroup(part) };
  const made: Readonly<Record<NodePart, (subject: Subject) => KubeObject[]>> = {
    // Every cluster has this role.
    proxy: (subject) => [bind({ kind: 'ClusterRole', name: 'system:node-proxier' }, 'fairlead:proxy', subject)],
    'net-agent': (subject) => grant('fairlead:net-agent', networkRules, subject),
    dns: (subject) => [
      ...grant('fairlead:dns', nameRules, subject),
      ...grant('fairlead:dns', publisherRules, subject, 'kube-system'),
      ...(clusterDns ? [clusterDnsService(clusterDns)] : []),
    ],
    speaker: (subject) => [
      ...grant('fairlead:speaker', speakerRules, subject),
      ...grant('fairlead:speaker', keyRules, subject, 'kube-system'),
    ],
  };
  return parts.flatMap((part) => made[part](subjectOf(part)));
}

/** What to do when RBAC refuses something to a part that runs as `user`. */
export function grantCommand(part: NodePart, user: string): string {
  const own = user.startsWith(`${nodePartGroup(part)}:`);
  const who = own ? '' : user.startsWith('system:node:') ? ' --group system:nodes' : ` --user ${user}`;
  return `to allow it: fairlead manifest ${part}${who} | kubectl apply -f -`;
}
