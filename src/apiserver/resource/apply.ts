/** The request of a server-side apply: PATCH with `application/apply-patch+yaml`, whose YAML mostly is JSON. */
import { checkConfiguration, errorsText } from '../../api/apply/configuration.ts';
import { conflictText, managerText } from '../../api/apply/conflict-text.ts';
import { pathText } from '../../api/apply/field-set.ts';
import type { Managers } from '../../api/apply/managers.ts';
import type { Applied, Applier, Place } from '../../api/apply/ownership.ts';
import { isObject, type Json } from '../../api/codec/json-object.ts';
import { applyPatch } from '../../api/patch/patch-types.ts';
import { required } from '../../api/validation/field-error.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { fieldValidationOf, mediaTypeOf } from '../http/body.ts';
import type { RequestContext } from '../http/request-context.ts';
import { boolQuery } from '../http/request-info.ts';
import { badRequest, invalidOptions, StatusError } from '../status/status-error.ts';
import { givenManager } from './field-manager.ts';

export function isApply(ctx: RequestContext): boolean {
  return mediaTypeOf(ctx.req.headers['content-type']) === applyPatch;
}

interface ApplyRequest {
  /** Checked against the place's shape, with quantities in the form in which objects have them. */
  readonly config: Json;
  readonly applier: Applier;
  /** Of keys that stand twice. */
  readonly warnings: readonly string[];
}

/** `now` is in milliseconds. Throws 400 and 422. */
export async function readApply(ctx: RequestContext, place: Place, kind: string, now: number): Promise<ApplyRequest> {
  const manager = givenManager(ctx);
  if (manager === '') throw invalidOptions('PatchOptions', required('fieldManager', 'is required for apply patch'));
  const { object, warnings } = await ctx.decode({ kind: 'configuration', body: ctx.body, validation: fieldValidationOf(ctx) });
  const config = object as Json;
  const metadata = isObject(config.metadata) ? config.metadata : {};
  if (config.apiVersion !== place.apiVersion || config.kind !== kind) throw badRequest(`invalid object type: ${kindText(config)}`);
  if (metadata.managedFields !== undefined && metadata.managedFields !== null) throw badRequest('metadata.managedFields must be nil');
  const wrong = checkConfiguration(config, place.shape);
  if (wrong.length > 0) {
    const which = `${textOf(metadata.namespace)}/${textOf(metadata.name)}; ${kindText(config)}`;
    throw badRequest(`failed to create typed patch object (${which}): ${errorsText(wrong)}`);
  }
  const force = boolQuery(ctx.query, 'force');
  return { config, warnings, applier: { place, manager, force, now: timestamp(now) } };
}

/** As Go prints a GroupVersionKind: `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`. */
function kindText({ apiVersion, kind }: Json): string {
  const version = textOf(apiVersion);
  return `${version.includes('/') ? '' : '/'}${version}, Kind=${textOf(kind)}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What an apply made. Throws 409 with the conflicts as causes. */
export function settled(applied: Applied): { readonly object: Json; readonly managers: Managers } {
  if (applied.ok) return applied;
  throw new StatusError(409, 'Conflict', conflictText(applied.conflicts), {
    causes: applied.conflicts.map(({ manager, path }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${managerText(manager)}`,
      field: pathText(path),
    })),
  });
}
