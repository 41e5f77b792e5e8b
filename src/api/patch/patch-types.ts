/** The media types of patches, and which of them a kind takes. */
import type { Schema } from '../schema/schema.ts';

export const applyPatch = 'application/apply-patch+yaml';
export const jsonPatch = 'application/json-patch+json';
export const mergePatchType = 'application/merge-patch+json';
const strategicPatch = 'application/strategic-merge-patch+json';

/** In upstream's order. A kind that comes with its own schema has no merge keys, and takes no strategic merge patch. */
export function patchTypesOf(schema: Schema): readonly string[] {
  return typeof schema === 'string' ? [jsonPatch, mergePatchType, strategicPatch, applyPatch] : [jsonPatch, mergePatchType, applyPatch];
}
