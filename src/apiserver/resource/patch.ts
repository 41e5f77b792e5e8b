/** PATCH bodies: which kind they are, and what they make of an object. */
import { measureValue } from '../../api/codec/limits.ts';
import { applyJsonPatch } from '../../api/patch/json.ts';
import { mergePatch } from '../../api/patch/merge.ts';
import { PatchError } from '../../api/patch/patch-error.ts';
import { jsonPatch, mergePatchType, patchTypesOf } from '../../api/patch/patch-types.ts';
import { strategicMerge } from '../../api/patch/strategic.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Schema } from '../../api/schema/schema.ts';
import { mediaTypeOf, parsePatch } from '../http/body.ts';
import { badRequest, StatusError, unsupportedMediaType } from '../status/status-error.ts';
import { holdToLimits } from './object-limits.ts';

/** What a patch makes of an object, which it leaves as it is; throws a StatusError. */
export type Patch = (current: KubeObject) => KubeObject;

/** `schema` is the type that is patched: of the row, or of its scale. */
export function patchOf(row: ResourceRow, schema: Schema, contentType: string | undefined, body: Buffer): Patch {
  const type = mediaTypeOf(contentType);
  const accepted = patchTypesOf(schema);
  if (!accepted.includes(type)) {
    throw unsupportedMediaType(accepted);
  }
  const patch = parsePatch(body);
  if (type === jsonPatch) return wrapped(row, (current) => applyJsonPatch(current, patch));
  if (type === mergePatchType) return wrapped(row, (current) => mergePatch(current, patch));
  return wrapped(row, (current) => strategicMerge(current, patch, schema));
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
