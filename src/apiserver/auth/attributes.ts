/** What is asked of the authorizer. */
import type { UserInfo } from './user-info.ts';

/** Empty strings where there is nothing. */
export interface Attributes {
  readonly user: UserInfo;
  /** get, list, watch, create, update, patch, delete, deletecollection, a special one such as `bind`; for a path the HTTP method in lower case. */
  readonly verb: string;
  /** False for `/healthz`, `/version` and the like, which are authorized by `path`. */
  readonly isResource: boolean;
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty for what has none, and for a request across all namespaces. */
  readonly namespace: string;
  /** Empty for a collection. */
  readonly name: string;
  /** The query of a list or watch: node authorization looks at its field selector. */
  readonly query?: URLSearchParams | undefined;
}

export interface Decision {
  readonly allowed: boolean;
  /** Why it is allowed (the binding), or a remark on why not; may be empty. */
  readonly reason: string;
}

/** The attributes of a request for a resource, with what is left out empty. */
export function resourceAttributes(
  user: UserInfo,
  verb: string,
  what: Partial<Omit<Attributes, 'user' | 'verb' | 'isResource'>>,
): Attributes {
  return {
    user,
    verb,
    isResource: true,
    path: '',
    group: '',
    version: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    ...what,
  };
}

/** The message of a 403, as upstream words it. */
export function forbiddenMessage(attributes: Attributes, reason = ''): string {
  const { user, verb, group, resource, subresource, namespace, name } = attributes;
  const tail = reason ? `: ${reason}` : '';
  if (!attributes.isResource) return `forbidden: User "${user.name}" cannot ${verb} path "${attributes.path}"${tail}`;
  const type = group ? `${resource}.${group}` : resource;
  const object = name ? `${type} "${name}"` : type;
  const full = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? ` in the namespace "${namespace}"` : ' at the cluster scope';
  return `${object} is forbidden: User "${user.name}" cannot ${verb} resource "${full}" in API group "${group}"${where}${tail}`;
}
