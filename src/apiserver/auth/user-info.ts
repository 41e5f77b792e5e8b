/** Who asks, as authentication.k8s.io/v1 UserInfo has it. */
export interface UserInfo {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

export const authenticatedGroup = 'system:authenticated';
export const unauthenticatedGroup = 'system:unauthenticated';
export const mastersGroup = 'system:masters';
export const nodesGroup = 'system:nodes';
export const serviceAccountsGroup = 'system:serviceaccounts';
export const bootstrappersGroup = 'system:bootstrappers';

export const anonymous: UserInfo = { name: 'system:anonymous', groups: [unauthenticatedGroup] };

/** The node a kubelet speaks for: user `system:node:NAME` in group `system:nodes`. */
export function nodeNameOf(user: UserInfo): string | undefined {
  const prefix = 'system:node:';
  return user.name.startsWith(prefix) && user.groups.includes(nodesGroup) ? user.name.slice(prefix.length) : undefined;
}

/** `system:serviceaccount:NAMESPACE:NAME`. */
export function serviceAccountUser(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}
