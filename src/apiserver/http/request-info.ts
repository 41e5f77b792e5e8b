/**
 * What a path and a method ask for, in the words of authorization: verb, resource, subresource, namespace, name. The rules are
 * upstream's RequestInfo; RBAC rules written for upstream depend on them.
 */

export interface RequestInfo {
  /** False for `/healthz`, `/version`, `/openapi/…`: authorized by path. */
  readonly isResource: boolean;
  readonly path: string;
  readonly verb: string;
  /** `api` or `apis` for what lives under them. */
  readonly prefix: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** What follows the subresource, as in `/proxy/some/path`; without the leading slash. */
  readonly rest: string;
}

const namespaceSubresources = new Set(['status', 'finalize']);

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const noResource = {
  isResource: false,
  prefix: '',
  group: '',
  version: '',
  namespace: '',
  resource: '',
  subresource: '',
  name: '',
  rest: '',
};

/** Throws URIError when the path holds a broken escape. */
export function requestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const raw = path.split('/').filter((p) => p !== '');
  const prefix = raw[0] ?? '';
  if (prefix !== 'api' && prefix !== 'apis') return { ...noResource, path, verb: method.toLowerCase() };
  const parts = decoded(raw);
  const head = prefix === 'api' ? 2 : 3;
  const group = prefix === 'api' ? '' : (parts[1] ?? '');
  const version = parts[head - 1] ?? '';
  if (parts.length <= head) return { ...noResource, path, verb: method.toLowerCase(), prefix, group, version };

  const asked = verbs[method] ?? '';
  // The deprecated /watch/ prefix: an old way to write ?watch=true. Nothing but a read is one.
  const old = parts[head] === 'watch' && asked === 'get';
  const first = old ? head + 1 : head;
  const namespace = parts[first] === 'namespaces' ? (parts[first + 1] ?? '') : '';
  const at = isBelowNamespace(parts.slice(first)) ? first + 2 : first;
  const [resource = '', name = '', subresource = ''] = parts.slice(at);
  const rest = raw.slice(at + 3).join('/');
  const verb = verbOf(asked, { name, subresource, watches: old || isWatch(query) });
  return { isResource: true, path, verb, prefix, group, version, namespace, resource, subresource, name, rest };
}

function decoded(parts: readonly string[]): readonly string[] {
  return parts.some((part) => part.includes('%')) ? parts.map(decodeURIComponent) : parts;
}

/** Whether the path goes on below a namespace; `namespaces/NAME/status` is of the namespace itself. */
function isBelowNamespace([word, , third]: readonly string[]): boolean {
  return word === 'namespaces' && third !== undefined && !namespaceSubresources.has(third);
}

function verbOf(asked: string, of: { readonly name: string; readonly subresource: string; readonly watches: boolean }): string {
  if (asked === 'delete') return of.name ? asked : 'deletecollection';
  if (asked !== 'get') return asked;
  if (!of.name) return of.watches ? 'watch' : 'list';
  return of.watches && !of.subresource ? 'watch' : 'get';
}

/** As apimachinery reads a boolean of a query: `false` and `0` are false, any other text is true (`?watch` alone, too). */
export function boolQuery(query: URLSearchParams, key: string): boolean {
  const value = query.get(key);
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
}

function isWatch(query: URLSearchParams): boolean {
  return boolQuery(query, 'watch');
}
