/** PATCH bodies: which kind they are, and what they make of an object. */
import { duplicateKeys } from '../../api/codec/duplicate-keys.ts';
import { measureValue } from '../../api/codec/limits.ts';
import { unknownField } from '../../api/codec/strict.ts';
import { applyJsonPatch } from '../../api/patch/json.ts';
import { mergePatch } from '../../api/patch/merge.ts';
import { PatchError } from '../../api/patch/patch-error.ts';
import { jsonPatch, mergePatchType, patchTypesOf } from '../../api/patch/patch-types.ts';
import { strategicMerge } from '../../api/patch/strategic.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Schema } from '../../api/schema/schema.ts';
import { invalid } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import { fieldValidationOf, mediaTypeOf, parsePatch } from '../http/body.ts';
import { readFields } from '../http/decode-body.ts';
import type { RequestContext } from '../http/request-context.ts';
import { badRequest, StatusError, unsupportedMediaType } from '../status/status-error.ts';
import { holdToLimits } from './object-limits.ts';

/** What a patch makes of an object, which it leaves as it is; throws a StatusError. */
export type Patch = (current: KubeObject) => KubeObject;

interface ReadPatch {
  readonly apply: Patch;
  /** What is wrong with its own text, without being in the way. */
  oddities(): readonly string[];
}

/**
 * The patch of a request: what it makes is of the form of its type. Unknown fields go, as with a create, but for a patch they are told of as a field of
 * the name `patch`, with 422, and so are values of a wrong type. `schema` is the type that is patched: of the row, or of its scale.
 */
export function patchOf(ctx: RequestContext, row: ResourceRow, schema: Schema): Patch {
  const { apply, oddities } = readPatch(row, schema, ctx.req.headers['content-type'], ctx.body);
  const validation = fieldValidationOf(ctx);
  const told = ctx.warnings.length;
  return (current) => {
    // Those of the last try count, which is the one that is stored.
    ctx.warnings.length = told;
    const next = apply(current);
    const alien = ofAnotherKind(next, current);
    if (alien !== undefined) throw notOfItsType(ctx.body, alien);
    const { refusal, warnings } = readFields(next, schema, validation, (unknown) => [...oddities(), ...unknown]);
    if (refusal !== undefined) throw notOfItsType(ctx.body, refusal);
    ctx.warnings.push(...warnings);
    return next;
  };
}

/** What is said of it; undefined for one that says nothing of its kind, which it then takes over, as one of the current one. */
function ofAnotherKind(next: KubeObject, { kind, apiVersion }: KubeObject): string | undefined {
  next.kind ??= kind;
  next.apiVersion ??= apiVersion;
  if (next.kind === kind && next.apiVersion === apiVersion) return undefined;
  return `no kind ${JSON.stringify(next.kind)} is registered for version ${JSON.stringify(next.apiVersion)}`;
}

export function readPatch(row: ResourceRow, schema: Schema, contentType: string | undefined, body: Buffer): ReadPatch {
  const type = mediaTypeOf(contentType);
  const accepted = patchTypesOf(schema);
  if (!accepted.includes(type)) {
    throw unsupportedMediaType(accepted);
  }
  const patch = parsePatch(body);
  const oddities = (unknown: readonly string[] = []): string[] => duplicateKeys(body.toString('utf8'), unknown);
  if (type === jsonPatch)
    return {
      apply: wrapped(row, (current) => applyJsonPatch(current, patch)),
      oddities: () => oddities(unknownMembers(patch)).map((text) => `json patch ${text}`),
    };
  if (type === mergePatchType) return { apply: wrapped(row, (current) => mergePatch(current, patch)), oddities };
  // Upstream merges into an object of the type: it stays of its kind whatever the patch says.
  const merge = (current: KubeObject): KubeObject => ({
    ...strategicMerge(current, patch, schema),
    kind: current.kind,
    apiVersion: current.apiVersion,
  });
  return { apply: wrapped(row, merge), oddities };
}

const members: ReadonlySet<string> = new Set(['op', 'path', 'from', 'value']);

/** Of the operations of a JSON patch. */
function unknownMembers(patch: unknown): string[] {
  const operations = Array.isArray(patch) ? (patch as unknown[]) : [];
  return operations.flatMap((operation, i) =>
    Object.keys(operation ?? {})
      .filter((name) => !members.has(name))
      .map((name) => unknownField(`[${i}].${name}`)),
  );
}

/** More of it says nothing to who wrote it. */
const shownBytes = 1000;

/** In upstream's form, which names neither kind nor object; where upstream shows all that the patch has made, this is what was sent. */
function notOfItsType(body: Buffer, why: string): StatusError {
  const shown = body.toString('utf8', 0, shownBytes);
  return StatusError.of(statusOfErrors({ group: '', kind: '' }, '', [invalid('patch', shown, why)]));
}

function wrapped(row: ResourceRow, apply: (current: KubeObject) => unknown): Patch {
  return (current) => {
    let out: unknown;
    try {
      out = apply(current);
    } catch (err) {
      if (!(err instanceof PatchError)) throw err;
      if (err.code === 400) throw badRequest(err.message);
      throw new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${err.message}`, {
        name: current.metadata.name,
        ...(row.type.group ? { group: row.type.group } : {}),
        kind: row.type.kind,
        // kubectl prints the causes of what is invalid, not the message.
        causes: [{ reason: 'UnexpectedServerResponse', field: 'patch', message: err.message }],
      });
    }
    if (typeof out !== 'object' || out === null || Array.isArray(out)) throw badRequest('the patch leaves no object');
    const object = out as KubeObject;
    // Before anybody looks at all of it. A few bytes can copy many values.
    holdToLimits(row, current.metadata.name ?? '', () => measureValue(object));
    return object;
  };
}
