/** From what a request asks for to the code that does it. */
import { subresourceOf } from '../api/registry/lifecycle.ts';
import type { ResourceRow } from '../api/registry/resource-row.ts';
import type { RequestContext } from './http/request-context.ts';
import type { RequestInfo } from './http/request-info.ts';
import type { ResourceHandlers } from './resource/resource-handlers.ts';
import { badRequest, methodNotAllowed, noSuchPath, verbNotSupported } from './status/status-error.ts';

export type Handler = (ctx: RequestContext, row: ResourceRow) => Promise<void> | void;

export interface Routes {
  readonly resources: ResourceHandlers;
  /** `pods/binding`, `nodes/proxy`, `selfsubjectreviews.authentication.k8s.io` → what serves it. */
  readonly special: ReadonlyMap<string, Handler>;
  /** Undefined when there is no such path. */
  path(ctx: RequestContext): Promise<boolean> | boolean;
  /** Passes the request on to who else serves its group's version; false when nobody does. */
  remote(ctx: RequestContext): Promise<boolean>;
  /** Resolves when everything that was written before the call is known. */
  fresh(): Promise<void>;
}

/** The name under which `special` has a subresource, or a review. */
export function specialKey(group: string, resource: string, subresource = ''): string {
  return `${resource}${group ? `.${group}` : ''}${subresource ? `/${subresource}` : ''}`;
}

export async function route(routes: Routes, ctx: RequestContext): Promise<void> {
  const { info } = ctx;
  const row = info.isResource ? await rowOf(routes, info) : undefined;
  if (!row) return elsewhere(routes, ctx);
  if (!isInScope(row, info)) throw noSuchPath();
  if (!takesMethod(row, info, ctx.req.method)) throw methodNotAllowed();
  // Keys are paths: a slash in a part would name something else.
  if (info.name.includes('/') || info.namespace.includes('/')) throw badRequest("a name or namespace may not contain '/'");
  const loading = routes.resources.loading(row);
  if (loading) await loading;
  if (row.deprecation) ctx.warnings.push(row.deprecation);
  if (info.subresource) return subresource(routes, ctx, row);
  const review = routes.special.get(specialKey(info.group, info.resource));
  if (review) {
    if (ctx.req.method !== 'POST') throw methodNotAllowed();
    return review(ctx, row);
  }
  if (!row.verbs.some((verb) => verb === info.verb)) throw verbNotSupported(row.type, info.verb);
  return plain(routes.resources, ctx, row);
}

/** What is no resource of this server: a path of its own, or what another one serves. */
async function elsewhere(routes: Routes, ctx: RequestContext): Promise<void> {
  if (!ctx.info.isResource && (await routes.path(ctx))) return;
  if (!(await routes.remote(ctx))) throw noSuchPath();
}

/** A CustomResourceDefinition may have come to be through another server just now. */
async function rowOf(
  { resources: { registry }, fresh }: Routes,
  { group, version, resource }: RequestInfo,
): Promise<ResourceRow | undefined> {
  const row = registry.rowOf(group, version, resource);
  if (row || !group.includes('.')) return row;
  await fresh();
  return registry.rowOf(group, version, resource);
}

/** Whether the path has a namespace where the resource has one. */
function isInScope({ type }: ResourceRow, { namespace, name }: RequestInfo): boolean {
  if (type.namespaced) return !name || namespace !== '';
  // A namespace is authorized as what lies in itself; `namespaces/mine/namespaces/yours` would be authorized by a role in mine.
  const itself = type.resource === 'namespaces' && type.group === '' && namespace === name;
  return !namespace || itself;
}

/** As upstream: only what is proxied is asked for its head, and what lies in namespaces is only read across all of them. */
function takesMethod({ type }: ResourceRow, { namespace, subresource, verb }: RequestInfo, method: string | undefined): boolean {
  if (method === 'HEAD') return subresource === 'proxy';
  return !type.namespaced || namespace !== '' || verb === 'list' || verb === 'watch';
}

function plain(resources: ResourceHandlers, ctx: RequestContext, row: ResourceRow): Promise<void> {
  switch (ctx.info.verb) {
    case 'get':
      return resources.get(ctx, row);
    case 'list':
      return resources.list(ctx, row);
    case 'watch':
      return resources.watch(ctx, row);
    case 'create':
      return resources.create(ctx, row);
    case 'update':
      return resources.update(ctx, row);
    case 'patch':
      return resources.patch(ctx, row);
    case 'delete':
      return resources.delete(ctx, row);
    case 'deletecollection':
      return resources.deleteCollection(ctx, row);
  }
  throw methodNotAllowed();
}

async function subresource(routes: Routes, ctx: RequestContext, row: ResourceRow): Promise<void> {
  const { info } = ctx;
  const found = subresourceOf(row, info.subresource);
  const special =
    routes.special.get(specialKey(info.group, info.resource, info.subresource)) ??
    (found?.kind === 'scale' ? routes.special.get('*/scale') : undefined);
  if (special) return special(ctx, row);
  if (found?.kind !== 'part') throw noSuchPath();
  if (!found.verbs.some((verb) => verb === info.verb)) throw methodNotAllowed();
  if (info.verb === 'get') return routes.resources.get(ctx, row);
  if (info.verb === 'update') return routes.resources.update(ctx, row, found);
  if (info.verb === 'patch') return routes.resources.patch(ctx, row, found);
  throw methodNotAllowed();
}
