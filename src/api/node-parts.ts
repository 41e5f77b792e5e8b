/**
 * Who the parts of a node are that run beside its kubelet. Each has a user of its own on every node, as a kubelet is `system:node:NODE` in
 * the group `system:nodes`: `system:fairlead:PART:NODE` in the group `system:fairlead:PART`. Rights are given to the group, limits follow the name.
 */
export const nodeParts = ['proxy', 'net-agent', 'dns', 'speaker'] as const;
export type NodePart = (typeof nodeParts)[number];

export function isNodePart(name: string): name is NodePart {
  return nodeParts.some((part) => part === name);
}

export function nodePartGroup(part: NodePart): string {
  return `system:fairlead:${part}`;
}

export function nodePartUser(part: NodePart, node: string): string {
  return `${nodePartGroup(part)}:${node}`;
}

/** Which part of which node the user is; `node` is empty for one whose name says none, which then may write nothing of any node. */
export function nodePartOf(user: {
  readonly name: string;
  readonly groups: readonly string[];
}): { readonly part: NodePart; readonly node: string } | undefined {
  for (const part of nodeParts) {
    const prefix = `${nodePartGroup(part)}:`;
    if (user.name.startsWith(prefix)) return { part, node: user.name.slice(prefix.length) };
    if (user.name === nodePartGroup(part) || user.groups.includes(nodePartGroup(part))) return { part, node: '' };
  }
  return undefined;
}
