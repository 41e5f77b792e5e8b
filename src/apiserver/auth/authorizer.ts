import type { SubjectRulesReviewStatus } from '../../api/schema/types.ts';
import type { Attributes, Decision } from './attributes.ts';
import { NodeAuthorizer } from './node-authorizer.ts';
import type { NodeGraph } from './node-graph.ts';
import type { RbacIndex } from './rbac-index.ts';
import { mastersGroup, type UserInfo } from './user-info.ts';

/** May they: `system:masters` everything, a node what the Node authorizer grants, anybody what RBAC grants. */
export class Authorizer {
  readonly rbac: RbacIndex;
  readonly #nodes: NodeAuthorizer;

  constructor(rbac: RbacIndex, nodes: NodeGraph) {
    this.rbac = rbac;
    this.#nodes = new NodeAuthorizer(nodes);
  }

  /** Synchronous and fast: a handful of map look-ups per group of the user. */
  authorize(attributes: Attributes): Decision {
    const { user, verb, namespace } = attributes;
    if (user.groups.includes(mastersGroup)) return { allowed: true, reason: '' };
    const node = this.#nodes.authorize(attributes);
    if (node?.allowed) return node;
    const resource = attributes.subresource ? `${attributes.resource}/${attributes.subresource}` : attributes.resource;
    const question = attributes.isResource
      ? { verb, group: attributes.group, resource, name: attributes.name }
      : { verb, path: attributes.path };
    const reason = this.rbac.find(user, namespace, question);
    return reason === undefined ? { allowed: false, reason: node?.reason ?? '' } : { allowed: true, reason };
  }

  /** What a SelfSubjectRulesReview lists: what roles give, also to who needs none. Incomplete for nodes: what pods use is no rule. */
  rulesOf(user: UserInfo, namespace: string): SubjectRulesReviewStatus {
    const status: SubjectRulesReviewStatus = { resourceRules: [], nonResourceRules: [], incomplete: user.groups.includes('system:nodes') };
    if (status.incomplete) status.evaluationError = 'node authorizer does not support user rule resolution';
    for (const rule of this.rbac.rulesOf(user, namespace)) {
      const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } = rule as typeof rule & { resourceNames?: string[] };
      if (resources?.length)
        status.resourceRules.push({ verbs, apiGroups, resources, ...(resourceNames?.length ? { resourceNames } : {}) });
      if (nonResourceURLs?.length) status.nonResourceRules.push({ verbs, nonResourceURLs });
    }
    return status;
  }
}
