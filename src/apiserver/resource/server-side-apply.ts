/** Server-side apply: a PATCH that says what its manager wants of an object, which is made when it is not there (KEP-555). */
import { applyConfiguration } from '../../api/apply/apply-configuration.ts';
import { setManagers } from '../../api/apply/managers.ts';
import { cloneJson } from '../../api/codec/json-clone.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource-types.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { checkObject } from '../http/body.ts';
import type { RequestContext } from '../http/request-context.ts';
import { conflict, isStatusError } from '../status/status-error.ts';
import { readApply, settled } from './apply.ts';
import { placeOf, placesOf } from './field-places.ts';
import { withOtherVersions } from './other-versions.ts';
import type { ResourceDeps } from './resource-handlers.ts';
import { writeContextOf } from './write-context.ts';
import { checkName } from './writer.ts';

const attempts = 5;

export async function serverSideApply(
  { writer, objects, clock, mayCreate }: ResourceDeps,
  ctx: RequestContext,
  row: ResourceRow,
  part: PartSubresource | undefined,
): Promise<{ readonly code: 200 | 201; readonly object: CachedObject }> {
  const { namespace, name } = ctx.info;
  const context = { ...writeContextOf(ctx), manager: undefined };
  const { config, applier, warnings } = await readApply(ctx, placeOf(row, part), row.type.kind, clock.now());
  const told = ctx.warnings.length;
  const revise = async (current: KubeObject): Promise<KubeObject> => {
    const applied = row.remote
      ? await withOtherVersions(objects.registry, row, part, (place) =>
          applyConfiguration(current, config, { ...applier, place }, placesOf(row)),
        )
      : applyConfiguration(current, config, applier, placesOf(row));
    const { object, managers } = settled(applied);
    const next = cloneJson(object) as unknown as KubeObject;
    ctx.warnings.length = told;
    checkObject(ctx, next, row.schema);
    ctx.warnings.push(...warnings);
    setManagers(next, managers);
    return next;
  };
  for (let attempt = 1; ; attempt++) {
    try {
      return { code: 200, object: (await writer.update({ row, namespace, name, part }, revise, context)).object };
    } catch (err) {
      if (part || !isStatusError(err, 'NotFound') || (await objects.get(row, namespace, name))) throw err;
    }
    mayCreate(ctx);
    const object = await revise({ apiVersion: apiVersionOf(row.type), kind: row.type.kind, metadata: {} as KubeObject['metadata'] });
    checkNew(row, object, name);
    try {
      return { code: 201, object: await writer.create(row, namespace, object, context) };
    } catch (err) {
      // Somebody else was faster: then it is an object like any other.
      if (attempt === attempts || !isStatusError(err, 'AlreadyExists')) throw err;
    }
  }
}

/** What an apply to nothing may not say. */
function checkNew(row: ResourceRow, { metadata }: KubeObject, name: string): void {
  checkName(metadata.name, name);
  if (metadata.uid) {
    const why = `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`;
    throw conflict(row.type, name, why);
  }
  // Nothing is there whose version it could be.
  delete metadata.resourceVersion;
}
