/** The verbs of a resource: GET, LIST, WATCH, POST, PUT, PATCH, DELETE, and the part subresources (status) that share them. */
import { applyConfiguration } from '../../api/apply/apply-configuration.ts';
import { setManagers } from '../../api/apply/managers.ts';
import { cloneJson } from '../../api/codec/json-clone.ts';
import type { Registry } from '../../api/registry/registry.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '../../api/resource-types.ts';
import type { DeleteOptions } from '../../api/schema/types.ts';
import { forbidden, notSupported } from '../../api/validation/field-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import type { CachedObject, LooseObject } from '../cache/cached-object.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import { checkObject, decodeObject } from '../http/body.ts';
import type { Expected } from '../http/decode-body.ts';
import { type ReadOptions, readOptions, resourceVersionOf } from '../http/read-options.ts';
import { sendBytes, sendObject, sendParts } from '../http/reply.ts';
import { isDryRun, type RequestContext } from '../http/request-context.ts';
import { badRequest, conflict, invalidOptions, isStatusError, methodNotAllowed, notFound, success } from '../status/status-error.ts';
import { isApply, readApply, settled } from './apply.ts';
import { checkDeleteOptions, deletion } from './delete.ts';
import { managerOf, optionsKind } from './field-manager.ts';
import { placeOf, placesOf } from './field-places.ts';
import { list, waitForRevision } from './list.ts';
import type { ObjectStore } from './object-store.ts';
import { patchOf } from './patch.ts';
import { copyOf, type Presentation, viewOf } from './presentation.ts';
import { presentationOf } from './presentation-of.ts';
import { serveWatch } from './watch.ts';
import type { WriteContext, Writer } from './writer.ts';

export interface ResourceDeps {
  readonly objects: ObjectStore;
  readonly writer: Writer;
  readonly admission: AdmissionChain;
  readonly feed: WatchFeed;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  /** Throws 403 when the user of an update or patch that finds nothing may not create. */
  mayCreate(ctx: RequestContext): void;
}

const applyAttempts = 5;

export function expectedOf(row: ResourceRow): Expected {
  return { apiVersion: apiVersionOf(row.type), kind: row.type.kind, schema: row.schema };
}

export function writeContextOf(ctx: RequestContext, dryRunValues?: readonly string[]): WriteContext {
  return {
    user: ctx.user,
    warnings: ctx.warnings,
    dryRun: dryRunOf(ctx, dryRunValues ?? ctx.query.getAll('dryRun')),
    manager: managerOf(ctx),
  };
}

function dryRunOf(ctx: RequestContext, values: readonly string[]): boolean {
  const wrong = values.find((v) => v !== 'All' && v !== '');
  if (wrong !== undefined) throw invalidOptions(optionsKind(ctx), notSupported('dryRun', wrong, ['All']));
  return isDryRun(values);
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
    this.sendObject(ctx, row, 200, found);
  }

  async list(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const options = this.#readOptions(ctx, row, false);
    const { objects, feed } = this.#d;
    const found = await list(feed, objects.cache(row), objects.prefix(row, ctx.info.namespace), options);
    const presentation = this.#presentation(ctx, row);
    const meta = {
      resourceVersion: String(found.revision),
      ...(found.continueToken === undefined ? {} : { continue: found.continueToken }),
      ...(found.remaining === undefined ? {} : { remainingItemCount: found.remaining }),
    };
    await sendList(ctx, presentation, meta, found.objects);
  }

  async watch(ctx: RequestContext, row: ResourceRow): Promise<void> {
    await serveWatch(this.#d, ctx, row, ctx.info.namespace, this.#readOptions(ctx, row, true));
  }

  async create(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const { namespace, name } = ctx.info;
    if (name) throw methodNotAllowed();
    if (row.type.namespaced && !namespace) throw badRequest('an empty namespace may not be set during creation');
    const object = await decodeObject(ctx, expectedOf(row));
    const created = await this.#d.writer.create(row, namespace, object, writeContextOf(ctx));
    this.sendObject(ctx, row, 201, created);
  }

  async update(ctx: RequestContext, row: ResourceRow, part?: PartSubresource): Promise<void> {
    const { namespace, name } = ctx.info;
    const object = await decodeObject(ctx, expectedOf(row));
    const context = writeContextOf(ctx);
    const target = { row, namespace, name, part };
    try {
      const changed = await this.#d.writer.update(target, () => cloneJson(object), context);
      this.sendObject(ctx, row, 200, changed.object);
    } catch (err) {
      if (part || !row.createsOnUpdate || !isStatusError(err, 'NotFound') || (await this.#d.objects.get(row, namespace, name))) throw err;
      this.#d.mayCreate(ctx);
      delete object.metadata.resourceVersion;
      object.metadata.name ??= name;
      this.sendObject(ctx, row, 201, await this.#d.writer.create(row, namespace, object, context));
    }
  }

  async patch(ctx: RequestContext, row: ResourceRow, part?: PartSubresource): Promise<void> {
    if (isApply(ctx)) return this.#apply(ctx, row, part);
    if (ctx.query.has('force')) throw invalidOptions('PatchOptions', forbidden('force', 'may not be specified for non-apply patch'));
    const { namespace, name } = ctx.info;
    const patch = patchOf(row, row.schema, ctx.req.headers['content-type'], ctx.body);
    const target = { row, namespace, name, part, patched: true };
    const told = ctx.warnings.length;
    const revise = (current: KubeObject): KubeObject => {
      ctx.warnings.length = told;
      const next = patch(current);
      checkObject(ctx, next, row.schema);
      return next;
    };
    const changed = await this.#d.writer.update(target, revise, writeContextOf(ctx));
    this.sendObject(ctx, row, 200, changed.object);
  }

  async #apply(ctx: RequestContext, row: ResourceRow, part: PartSubresource | undefined): Promise<void> {
    const { namespace, name } = ctx.info;
    const context = { ...writeContextOf(ctx), manager: undefined };
    const { config, applier, warnings } = await readApply(ctx, placeOf(row, part), row.type.kind, this.#d.clock.now());
    const told = ctx.warnings.length;
    const revise = (current: KubeObject): KubeObject => {
      const { object, managers } = settled(applyConfiguration(current, config, applier, placesOf(row)));
      const next = cloneJson(object) as unknown as KubeObject;
      ctx.warnings.length = told;
      checkObject(ctx, next, row.schema);
      ctx.warnings.push(...warnings);
      setManagers(next, managers);
      return next;
    };
    for (let attempt = 1; ; attempt++) {
      try {
        const changed = await this.#d.writer.update({ row, namespace, name, part }, revise, context);
        return this.sendObject(ctx, row, 200, changed.object);
      } catch (err) {
        if (part || !isStatusError(err, 'NotFound') || (await this.#d.objects.get(row, namespace, name))) throw err;
      }
      this.#d.mayCreate(ctx);
      const object = revise({ apiVersion: apiVersionOf(row.type), kind: row.type.kind, metadata: {} as KubeObject['metadata'] });
      checkNew(row, object, name);
      try {
        return this.sendObject(ctx, row, 201, await this.#d.writer.create(row, namespace, object, context));
      } catch (err) {
        // Somebody else was faster: then it is an object like any other.
        if (attempt === applyAttempts || !isStatusError(err, 'AlreadyExists')) throw err;
      }
    }
  }

  async delete(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const { namespace, name } = ctx.info;
    const options = await deleteOptionsOf(ctx);
    const changed = await this.deleteObject(row, namespace, name, options, writeContextOf(ctx, options.dryRun));
    if (!changed.deleted || row.gracePeriod) return this.sendObject(ctx, row, 200, changed.object);
    const { uid } = changed.object.object.metadata;
    const { group, resource } = row.type;
    sendObject(ctx, 200, success({ name, ...(group ? { group } : {}), kind: resource, ...(uid ? { uid } : {}) }));
  }

  async deleteObject(
    row: ResourceRow,
    namespace: string,
    name: string,
    options: DeleteOptions,
    context: WriteContext,
  ): Promise<{ object: CachedObject; deleted: boolean }> {
    return this.#d.objects.change(
      row,
      namespace,
      name,
      async (current) => {
        const request = {
          operation: 'DELETE',
          row,
          subresource: '',
          namespace,
          name,
          object: undefined,
          old: current,
          ...context,
        } as const;
        await this.#d.admission.mutate(request);
        await this.#d.admission.validate(request);
        return deletion(row, current as LooseObject, options, this.#d.clock);
      },
      context.dryRun,
    );
  }

  async deleteCollection(ctx: RequestContext, row: ResourceRow): Promise<void> {
    const options = await deleteOptionsOf(ctx);
    const context = writeContextOf(ctx, options.dryRun);
    const { objects, feed } = this.#d;
    const read = this.#readOptions(ctx, row, false);
    const found = await list(feed, objects.cache(row), objects.prefix(row, ctx.info.namespace), read);
    const left = [...found.objects];
    const lane = async (): Promise<void> => {
      for (let object = left.shift(); object; object = left.shift()) {
        const { name, namespace = '' } = object.object.metadata;
        await this.deleteObject(row, namespace, name, options, context).catch((err: unknown) => {
          // Somebody else was faster: that is what was wanted.
          if (!isStatusError(err, 'NotFound')) throw err;
        });
      }
    };
    // Side by side, so that the store commits them in groups.
    await Promise.all(Array.from({ length: 16 }, lane));
    const presentation = this.#presentation(ctx, row);
    await sendList(ctx, presentation, { resourceVersion: String(feed.revision) }, found.objects);
  }

  sendObject(ctx: RequestContext, row: ResourceRow, code: number, object: CachedObject): void {
    const presentation = this.#presentation(ctx, row);
    sendBytes(ctx, code, presentation.encoding, presentation.one(object));
  }

  /** The current object, as a copy. Throws 404. */
  async read(row: ResourceRow, namespace: string, name: string): Promise<KubeObject> {
    const found = await this.#d.objects.get(row, namespace, name);
    if (!found) throw notFound(row.type, name);
    return copyOf(row, found);
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

/** What an apply to nothing may not say. */
function checkNew(row: ResourceRow, { metadata }: KubeObject, name: string): void {
  if (!metadata.name) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
  if (metadata.uid) {
    const why = `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`;
    throw conflict(row.type, name, why);
  }
  // Nothing is there whose version it could be.
  delete metadata.resourceVersion;
}

async function sendList(ctx: RequestContext, presentation: Presentation, meta: object, objects: readonly CachedObject[]): Promise<void> {
  await presentation.prepare?.(objects);
  await sendParts(ctx, presentation.encoding, presentation.list(meta, objects));
}

/** Options of the body, or else of the query. */
async function deleteOptionsOf(ctx: RequestContext): Promise<DeleteOptions> {
  const { query } = ctx;
  let options: DeleteOptions = {};
  if (ctx.body.length > 0) {
    const expected = { apiVersion: 'v1', kind: 'DeleteOptions', schema: 'DeleteOptions', anyVersion: true };
    options = (await decodeObject(ctx, expected, 'Ignore')) as KubeObject & DeleteOptions;
  } else {
    const grace = query.get('gracePeriodSeconds');
    const policy = query.get('propagationPolicy');
    const orphan = query.get('orphanDependents');
    if (grace !== null) options.gracePeriodSeconds = Number(grace);
    if (policy !== null) options.propagationPolicy = policy;
    if (orphan !== null) options.orphanDependents = orphan === 'true';
    if (query.has('dryRun')) options.dryRun = query.getAll('dryRun');
  }
  checkDeleteOptions(options);
  return options;
}
