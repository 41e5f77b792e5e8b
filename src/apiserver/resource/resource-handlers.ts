/** The verbs of a resource: GET, LIST, WATCH, POST, PUT, PATCH, DELETE, and the part subresources (status) that share them. */

import { clusterHeader } from '../../api/cluster-identity.ts';
import { cloneJson } from '../../api/codec/json-clone.ts';
import type { Registry } from '../../api/registry/registry.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { DeleteOptions } from '../../api/schema/types.ts';
import { forbidden } from '../../api/validation/field-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import { decodeObject, expectedOf } from '../http/body.ts';
import { type ReadOptions, readOptions, resourceVersionOf } from '../http/read-options.ts';
import { sendBytes, sendObject, sendParts } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import { invalidOptions, isStatusError, methodNotAllowed, notFound, success } from '../status/status-error.ts';
import { isApply } from './apply.ts';
import { deleteOptionsOf } from './delete-options.ts';
import type { Deleter } from './deleter.ts';
import { list, waitForRevision } from './list.ts';
import type { ObjectStore } from './object-store.ts';
import { patchOf } from './patch.ts';
import { copyOf, type Presentation, viewOf } from './presentation.ts';
import { presentationOf } from './presentation-of.ts';
import { remoteView } from './remote-view.ts';
import { serverSideApply } from './server-side-apply.ts';
import { serveWatch } from './watch.ts';
import { writeContextOf } from './write-context.ts';
import { checkName, placeIn, type Writer } from './writer.ts';

export interface ResourceDeps {
  readonly objects: ObjectStore;
  readonly writer: Writer;
  readonly deleter: Deleter;
  readonly feed: WatchFeed;
  readonly clock: Clock;
  /** Aborts when the server closes. */
  readonly stop: AbortSignal;
  /** The identity of the cluster. */
  readonly cluster: () => string | undefined;
  /** Throws 403 when the user of an update or patch that finds nothing may not create. */
  mayCreate(ctx: RequestContext): void;
}

export class ResourceHandlers {
  readonly registry: Registry;
  readonly #d: ResourceDeps;

  constructor(deps: ResourceDeps) {
    this.registry = deps.objects.registry;
    this.#d = deps;
  }

  /** While the objects of a resource that was added just now are not here yet: resolves when they are. */
  loading({ storedAs }: ResourceRow): Promise<void> | undefined {
    return storedAs === undefined ? undefined : this.#d.feed.find(storedAs)?.loaded;
  }

  async get(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const { namespace, name } = ctx.info;
    const asked = ctx.query.get('resourceVersion') ?? '';
    await waitForRevision(this.#d.feed, asked === '' ? undefined : resourceVersionOf(asked));
    const found = this.#d.objects.cache(row).get(this.#d.objects.key(row, namespace, name));
    if (!found) throw notFound(row.type, name);
    await this.sendObject(ctx, row, 200, found);
  }

  async list(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const options = this.#readOptions(ctx, row, false);
    this.#nameCluster(ctx);
    const { objects, feed } = this.#d;
    const found = await list(feed, row, objects.cache(row), objects.prefix(row, ctx.info.namespace), options);
    const presentation = this.#presentation(ctx, row);
    const meta = {
      resourceVersion: String(found.revision),
      ...(found.continueToken === undefined ? {} : { continue: found.continueToken }),
      ...(found.remaining === undefined ? {} : { remainingItemCount: found.remaining }),
    };
    await sendList(ctx, presentation, meta, found.objects);
  }

  async watch(ctx: RequestContext, row: ResourceRow): Promise<void> {
    this.#nameCluster(ctx);
    await serveWatch(this.#d, ctx, row, ctx.info.namespace, this.#readOptions(ctx, row, true));
  }

  async create(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const { namespace, name } = ctx.info;
    if (name) throw methodNotAllowed();
    const object = await decodeObject(ctx, expectedOf(row));
    const created = await this.#d.writer.create(row, namespace, object, writeContextOf(ctx));
    await this.sendObject(ctx, row, 201, created);
  }

  async update(ctx: RequestContext, row: ResourceRow, part?: PartSubresource): Promise<void> {
    const { namespace, name } = ctx.info;
    if (!name) throw methodNotAllowed();
    const object = await decodeObject(ctx, expectedOf(row));
    checkName(object.metadata.name, name);
    placeIn(row, namespace, object);
    const context = writeContextOf(ctx);
    const target = { row, namespace, name, part };
    let [code, answer]: [number, CachedObject | undefined] = [200, undefined];
    try {
      const changed = await this.#d.writer.update(target, () => cloneJson(object), context);
      answer = changed.object;
    } catch (err) {
      if (part || !row.createsOnUpdate || !isStatusError(err, 'NotFound') || (await this.#d.objects.get(row, namespace, name))) throw err;
      this.#d.mayCreate(ctx);
      delete object.metadata.resourceVersion;
      code = 201;
      answer = await this.#d.writer.create(row, namespace, object, context);
    }
    await this.sendObject(ctx, row, code, answer);
  }

  async patch(ctx: RequestContext, row: ResourceRow, part?: PartSubresource): Promise<void> {
    if (!ctx.info.name) throw methodNotAllowed();
    if (isApply(ctx)) {
      const { code, object } = await serverSideApply(this.#d, ctx, row, part);
      return this.sendObject(ctx, row, code, object);
    }
    if (ctx.query.has('force')) throw invalidOptions('PatchOptions', forbidden('force', 'may not be specified for non-apply patch'));
    const { namespace, name } = ctx.info;
    const target = { row, namespace, name, part, patched: true };
    const changed = await this.#d.writer.update(target, patchOf(ctx, row, row.schema), writeContextOf(ctx));
    await this.sendObject(ctx, row, 200, changed.object);
  }

  async delete(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const { namespace, name } = ctx.info;
    const options = await this.#deleteOptions(ctx, row);
    const changed = await this.#d.deleter.delete(row, namespace, name, options, writeContextOf(ctx, options.dryRun));
    if (!changed.deleted || row.returnsDeleted) return this.sendObject(ctx, row, 200, changed.object);
    const { uid } = changed.object.object.metadata;
    const { group, resource } = row.type;
    sendObject(ctx, 200, success({ name, ...(group ? { group } : {}), kind: resource, ...(uid ? { uid } : {}) }));
  }

  async #deleteOptions(ctx: RequestContext, row: ResourceRow): Promise<DeleteOptions> {
    const options = await deleteOptionsOf(ctx);
    const isSilent = options.propagationPolicy === undefined && options.orphanDependents === undefined;
    if (row.deletionWarning && isSilent) ctx.warnings.push(row.deletionWarning);
    return options;
  }

  async deleteCollection(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const options = await this.#deleteOptions(ctx, row);
    const context = writeContextOf(ctx, options.dryRun);
    const { objects, feed } = this.#d;
    const read = this.#readOptions(ctx, row, false);
    const found = await list(feed, row, objects.cache(row), objects.prefix(row, ctx.info.namespace), read);
    await this.#d.deleter.deleteAll(row, found.objects, options, context);
    const presentation = this.#presentation(ctx, row);
    await sendList(ctx, presentation, { resourceVersion: String(feed.revision) }, found.objects);
  }

  /** `object` is as it is stored. At once, for a row without a `remote`. */
  async sendObject(ctx: RequestContext, row: ResourceRow, code: number, object: CachedObject): Promise<void> {
    const presentation = this.#presentation(ctx, row);
    const shown = row.remote ? await remoteView(row, object) : object;
    sendBytes(ctx, code, presentation.encoding, presentation.one(shown));
  }

  /** The current object, as a copy. Throws 404. */
  async read(row: ResourceRow, namespace: string, name: string): Promise<KubeObject> {
    const found = await this.#d.objects.get(row, namespace, name);
    if (!found) throw notFound(row.type, name);
    return copyOf(row, row.remote ? await remoteView(row, found) : found);
  }

  /** Shared copies of all objects of a namespace: not to be changed. */
  async all<T extends KubeObject>(type: ResourceType<T>, namespace: string): Promise<T[]> {
    await this.#d.feed.fresh();
    const { objects } = this.#d;
    const row = this.registry.rowFor(type);
    return objects
      .cache(row)
      .range(objects.prefix(row, namespace))
      .map((o) => viewOf(row, o) as T);
  }

  #nameCluster({ res }: RequestContext): void {
    const cluster = this.#d.cluster();
    if (cluster !== undefined) res.setHeader(clusterHeader, cluster);
  }

  #presentation(ctx: RequestContext, row: ResourceRow): Presentation {
    return presentationOf(ctx, row, this.#d.clock);
  }

  /** A list or watch of one name (`GET /pods/web?watch=true`) is one with a field selector. */
  #readOptions(ctx: RequestContext, row: ResourceRow, watch: boolean): ReadOptions {
    const { name } = ctx.info;
    if (!name) return readOptions(row, ctx.query, watch);
    const query = new URLSearchParams(ctx.query);
    const given = query.get('fieldSelector');
    query.set('fieldSelector', `${given ? `${given},` : ''}metadata.name=${name}`);
    return readOptions(row, query, watch);
  }
}

async function sendList(ctx: RequestContext, presentation: Presentation, meta: object, objects: readonly CachedObject[]): Promise<void> {
  await presentation.prepare?.(objects);
  await sendParts(ctx, presentation.encoding, presentation.list(meta, objects));
}
