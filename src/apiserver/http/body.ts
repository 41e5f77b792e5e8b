/** The body of a request as an object. What it warns of is added to the request's warnings. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource-types.ts';
import type { Schema } from '../../api/schema/schema.ts';
import { notSupported } from '../../api/validation/field-error.ts';
import { messageOf } from '../../errors/known-error.ts';
import { optionsKind } from '../resource/field-manager.ts';
import { badRequest, invalidOptions } from '../status/status-error.ts';
import { checkObject as check, type Expected, type FieldValidation, limitOr, parseJson } from './decode-body.ts';
import type { RequestContext } from './request-context.ts';

export const maxBodyBytes: number = 3 << 20;

export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

/** Throws 422. */
export function fieldValidationOf(ctx: RequestContext): FieldValidation {
  const text = ctx.query.get('fieldValidation') ?? '';
  if (text === '') return 'Warn';
  if (text === 'Ignore' || text === 'Warn' || text === 'Strict') return text;
  throw invalidOptions(optionsKind(ctx), notSupported('fieldValidation', text, ['', 'Ignore', 'Strict', 'Warn']));
}

/** What the body of a write to the resource is. */
export function expectedOf({ type, schema }: ResourceRow): Expected {
  return { apiVersion: apiVersionOf(type), kind: type.kind, schema };
}

/** The object of a request's body, as its type has it. */
export async function decodeObject(
  ctx: RequestContext,
  expected: Expected,
  validation: FieldValidation = fieldValidationOf(ctx),
): Promise<KubeObject> {
  const mediaType = mediaTypeOf(ctx.req.headers['content-type']);
  const { object, warnings } = await ctx.decode({ kind: 'object', body: ctx.body, mediaType, expected, validation });
  ctx.warnings.push(...warnings);
  return object as KubeObject;
}

/** Brings what a patch has made into the form of its type. */
export function checkObject(ctx: RequestContext, object: KubeObject, schema: Schema): void {
  ctx.warnings.push(...check(object, schema, fieldValidationOf(ctx)));
}

/**
 * The body of a patch. It is parsed here however large it is: what comes back from a worker would have to be parsed again, and within
 * the limits that takes the same few milliseconds.
 */
export function parsePatch(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch (err) {
    throw limitOr(err, () => badRequest(`error decoding patch: ${messageOf(err)}`));
  }
}
