/** What a kubelet may: its own Node, Lease and pods, and what those pods use. After upstream's node authorizer, selectors included (KEP-4601). */
import type { PolicyRule } from '../../api/schema/types.ts';
import { parseFieldSelector } from '../../api/selector/field.ts';
import type { Attributes, Decision } from './attributes.ts';
import type { NodeGraph, UsedKind } from './node-graph.ts';
import { RuleTable } from './rule-table.ts';
import { nodeNameOf } from './user-info.ts';

const read = new Set(['get', 'list', 'watch']);
const writeOwn = new Set(['get', 'create', 'update', 'patch', 'delete']);

/** What every node may whatever it runs; the role `system:node` says the same. */
export const commonNodeRules: readonly PolicyRule[] = [
  { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
  { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews', 'localsubjectaccessreviews'] },
  { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['services'] },
  { verbs: ['create', 'update', 'patch'], apiGroups: ['', 'events.k8s.io'], resources: ['events'] },
  { verbs: ['create', 'get', 'list', 'watch'], apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests'] },
  { verbs: ['get', 'list', 'watch'], apiGroups: ['storage.k8s.io'], resources: ['csidrivers'] },
  { verbs: ['get', 'list', 'watch'], apiGroups: ['node.k8s.io'], resources: ['runtimeclasses'] },
  { verbs: ['get'], apiGroups: [''], resources: ['endpoints'] },
];

export class NodeAuthorizer {
  readonly #graph: NodeGraph;
  readonly #common = new RuleTable();

  constructor(graph: NodeGraph) {
    this.#graph = graph;
    this.#common.add(commonNodeRules, 'Node: allowed to every node');
  }

  /** Undefined when it has no opinion, which is what RBAC is asked for then. */
  authorize(attributes: Attributes): Decision | undefined {
    const node = nodeNameOf(attributes.user);
    if (node === undefined || !attributes.isResource) return undefined;
    const refusal = this.#refuse(node, attributes);
    if (refusal === undefined) return { allowed: true, reason: `Node: allowed to node "${node}"` };
    return refusal === '' ? undefined : { allowed: false, reason: refusal };
  }

  /** Undefined: allowed; '': no opinion; anything else: why not. */
  #refuse(node: string, a: Attributes): string | undefined {
    switch (a.group ? `${a.resource}.${a.group}` : a.resource) {
      case 'secrets':
      case 'configmaps':
        return this.#readUsed(node, a);
      case 'persistentvolumeclaims':
        return this.#usedClaim(node, a);
      case 'persistentvolumes':
        return this.#usedVolume(node, a);
      case 'serviceaccounts':
        return this.#usedAccount(node, a);
      case 'leases.coordination.k8s.io':
        return ownLease(node, a);
      case 'csinodes.storage.k8s.io':
        return ownCsiNode(node, a);
      case 'nodes':
        return ownNode(node, a);
      case 'pods':
        return this.#ownPods(node, a);
    }
    const resource = a.subresource ? `${a.resource}/${a.subresource}` : a.resource;
    return this.#common.find({ verb: a.verb, group: a.group, resource, name: a.name }) === undefined ? '' : undefined;
  }

  #usedClaim(node: string, a: Attributes): string | undefined {
    if (a.subresource === 'status' && ['get', 'update', 'patch'].includes(a.verb)) return this.#used(node, a);
    return a.verb === 'get' ? this.#readUsed(node, a) : '';
  }

  #usedVolume(node: string, { verb, subresource, name }: Attributes): string | undefined {
    if (verb !== 'get' || subresource) return 'can only get individual resources of this type';
    return this.#graph.usesVolume(node, name) ? undefined : `no relationship found between node '${node}' and this object`;
  }

  #usedAccount(node: string, a: Attributes): string | undefined {
    const verb = { '': 'get', token: 'create' }[a.subresource];
    return a.verb === verb ? this.#used(node, a) : '';
  }

  #readUsed(node: string, a: Attributes): string | undefined {
    if (!read.has(a.verb) || a.subresource) return `can only read resources of this type`;
    return this.#used(node, a);
  }

  #used(node: string, a: Attributes): string | undefined {
    const name = nameOf(a);
    if (!name || !a.namespace) return 'can only read namespaced object of this type';
    if (this.#graph.uses(node, a.resource as UsedKind, a.namespace, name)) return undefined;
    return `no relationship found between node '${node}' and this object`;
  }

  #ownPods(node: string, a: Attributes): string | undefined {
    if (a.subresource === 'status') return a.verb === 'update' || a.verb === 'patch' ? undefined : '';
    if (a.subresource === 'eviction') return a.verb === 'create' ? undefined : '';
    if (a.subresource !== '') return '';
    // Creating and deleting is for mirror pods and for pods of the node; NodeRestriction looks at the object.
    if (a.verb === 'create' || a.verb === 'delete') return undefined;
    if (a.verb === 'get') return this.#used(node, a);
    return a.verb === 'list' || a.verb === 'watch' ? this.#listedPods(node, a) : '';
  }

  #listedPods(node: string, a: Attributes): string | undefined {
    if (fieldOf(a, 'spec.nodeName') === node) return undefined;
    if (nameOf(a) && this.#used(node, a) === undefined) return undefined;
    return 'can only list/watch pods with spec.nodeName field selector';
  }
}

function ownCsiNode(node: string, a: Attributes): string | undefined {
  return a.subresource === '' && writeOwn.has(a.verb) && (a.name === node || a.verb === 'create') ? undefined : '';
}

function ownNode(node: string, a: Attributes): string | undefined {
  if (a.subresource === 'status') return a.verb === 'update' || a.verb === 'patch' ? undefined : '';
  if (a.subresource) return '';
  // Names of what is written are checked by NodeRestriction, which sees the object too.
  if (a.verb === 'create' || a.verb === 'update' || a.verb === 'patch') return undefined;
  if (!read.has(a.verb)) return '';
  return nameOf(a) === node ? undefined : `node '${node}' cannot read '${nameOf(a)}', only its own Node object`;
}

function ownLease(node: string, a: Attributes): string | undefined {
  if (a.subresource || !writeOwn.has(a.verb)) return 'can only get, create, update, patch, or delete a node lease';
  if (a.namespace !== 'kube-node-lease') return `can only access leases in the "kube-node-lease" system namespace`;
  if (a.verb !== 'create' && a.name !== node) return 'can only access node lease with the same name as the requesting node';
  return undefined;
}

/** The name in the path, or the one that a list or watch is limited to. */
function nameOf(a: Attributes): string {
  return a.name || (fieldOf(a, 'metadata.name') ?? '');
}

/** Read as the list reads it: to another reading, an escaped comma would begin a term that limits nothing. */
function fieldOf(a: Attributes, path: string): string | undefined {
  try {
    return parseFieldSelector(a.query?.get('fieldSelector') ?? '').find((term) => term.path === path && term.op === '=')?.value;
  } catch {
    return undefined;
  }
}
