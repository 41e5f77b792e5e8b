/**
 * What holds the parts of a node to their own node on an API server that is somebody else's: there RBAC knows kinds only. The rules are those
 * of our own admission (`apiserver/auth/node-part-restriction.ts`), in the words of a ValidatingAdmissionPolicy (Kubernetes 1.30 and later).
 */
import { type NodePart, nodePartGroup } from '../api/node-parts.ts';
import type { KubeObject } from '../api/resource-types.ts';

const api = 'admissionregistration.k8s.io/v1';

interface Limit {
  readonly apiGroup: string;
  readonly resources: readonly string[];
  /** CEL over `node`, the node that the user's name says, and the object that is written. */
  readonly rules: readonly { readonly expression: string; readonly message: string }[];
}

const written = "(request.operation == 'DELETE' ? oldObject : object)";

/** A proxy and a speaker write nothing but events, as RBAC says. */
const limits: Readonly<Partial<Record<NodePart, Limit>>> = {
  'net-agent': {
    apiGroup: '',
    resources: ['nodes', 'nodes/status'],
    rules: [
      { expression: `${written}.metadata.name == variables.node`, message: 'a net-agent may only write its own Node' },
      {
        expression: "request.operation == 'UPDATE' && object.?status.addresses.orValue([]) == oldObject.?status.addresses.orValue([])",
        message: 'a net-agent may not change the addresses of its Node',
      },
    ],
  },
  dns: {
    apiGroup: 'discovery.k8s.io',
    resources: ['endpointslices'],
    rules: [
      {
        expression: `${written}.metadata.name == 'kube-dns-' + variables.node`,
        message: 'the DNS of a node may only write its own EndpointSlice',
      },
      {
        expression: `${written}.endpoints.all(e, e.?nodeName.orValue('') == variables.node)`,
        message: 'the DNS of a node may only write endpoints on its own node',
      },
    ],
  },
};

/** For the parts under users of their own; who runs as a kubelet is held by NodeRestriction. */
export function manifestLimits(parts: readonly NodePart[]): KubeObject[] {
  return parts.flatMap((part) => {
    const limit = limits[part];
    return limit ? policyOf(part, limit) : [];
  });
}

function policyOf(part: NodePart, { apiGroup, resources, rules }: Limit): KubeObject[] {
  const name = `fairlead-${part}`;
  const group = nodePartGroup(part);
  const policy = {
    apiVersion: api,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [{ apiGroups: [apiGroup], apiVersions: ['*'], operations: ['CREATE', 'UPDATE', 'DELETE'], resources }],
      },
      matchConditions: [{ name: 'by-this-part', expression: `'${group}' in request.userInfo.groups` }],
      variables: [{ name: 'node', expression: `request.userInfo.username.replace('${group}:', '')` }],
      validations: rules,
    },
  };
  const spec = { policyName: name, validationActions: ['Deny'] };
  return [policy, { apiVersion: api, kind: 'ValidatingAdmissionPolicyBinding', metadata: { name }, spec } as KubeObject];
}
