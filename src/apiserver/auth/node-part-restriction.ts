/**
 * Admission: what the proxy, net-agent and DNS of a node may write, of which RBAC sees only the kind: what is their own node's, as
 * NodeRestriction has it for kubelets. Without it whoever holds one node could lead the pods' packets and names of all others to itself.
 */
import { isDeepStrictEqual } from 'node:util';
import { type NodePart, nodePartOf } from '../../api/node-parts.ts';
import type { EndpointSlice, Node } from '../../api/schema/types.ts';
import { labelManagedBy, labelServiceName } from '../../api/well-known.ts';
import type { NodeWrite } from './node-restriction.ts';
import { nodeNameOf } from './user-info.ts';

/** Where flannel and its like keep their lease; `public-ip-overwrite` is for people to set. */
const lease = 'flannel.alpha.coreos.com/';
const overwrite = `${lease}public-ip-overwrite`;
const serviceLabel = 'kube-dns';

const slices = 'endpointslices.discovery.k8s.io';

/** Why a part of a node may not write this, or undefined. Says nothing about users that are none, nor about what RBAC alone decides. */
export function restrictNodePart(write: NodeWrite): string | undefined {
  const resource = write.group ? `${write.resource}.${write.group}` : write.resource;
  const who = nodePartOf(write.user);
  if (who) return restrictPart(who, resource, write);
  // On a node that has joined by a token every part is the kubelet's user, the DNS server too; the rest of it NodeRestriction sees to.
  const node = nodeNameOf(write.user);
  return node !== undefined && resource === slices ? restrictSlice(node, write) : undefined;
}

function restrictPart(
  { part, node }: { readonly part: NodePart; readonly node: string },
  resource: string,
  write: NodeWrite,
): string | undefined {
  switch (resource) {
    case 'nodes':
      return part === 'net-agent' ? restrictLease(node, write) : `the ${part} of a node may not write Nodes`;
    case slices:
      return part === 'dns' ? restrictSlice(node, write) : `the ${part} of a node may not write EndpointSlices`;
    default:
      return undefined;
  }
}

function restrictLease(node: string, { subresource, name, object, old }: NodeWrite): string | undefined {
  if (name !== node) return `the net-agent of node "${node}" is not allowed to modify node "${name}"`;
  if (subresource !== 'status') return 'a net-agent may only update the status of its Node';
  return isDeepStrictEqual(beside(object as Node), beside(old as Node))
    ? undefined
    : `a net-agent may only change annotations ${lease}* but ${overwrite}, and the condition NetworkUnavailable`;
}

/** A Node without what tells a lease, and without what every write changes. */
function beside({ metadata, spec, status }: Node): object {
  const { annotations, managedFields: _managers, resourceVersion: _version, ...identity } = metadata;
  return {
    identity,
    annotations: Object.entries(annotations ?? {})
      .filter(([key]) => !key.startsWith(lease) || key === overwrite)
      .sort(),
    spec: spec ?? {},
    status: { ...status, conditions: (status?.conditions ?? []).filter((c) => c.type !== 'NetworkUnavailable') },
  };
}

function restrictSlice(node: string, { operation, name, object, old }: NodeWrite): string | undefined {
  if (name !== `${serviceLabel}-${node}`) return `the DNS of node "${node}" may only write the EndpointSlice "${serviceLabel}-${node}"`;
  const written = (operation === 'DELETE' ? [old] : [old, object]) as (EndpointSlice | undefined)[];
  for (const { metadata, endpoints = [] } of written.filter((slice) => slice !== undefined)) {
    const { [labelServiceName]: service, [labelManagedBy]: manager } = metadata.labels ?? {};
    if (service !== serviceLabel || manager !== 'dns.fairlead.dev')
      return `the DNS of a node may only write EndpointSlices of Service "${serviceLabel}" that it manages`;
    if ((endpoints ?? []).some(({ nodeName }) => nodeName !== node))
      return `the DNS of node "${node}" may only write endpoints on that node`;
  }
  return undefined;
}
