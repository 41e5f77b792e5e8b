/** JSON merge patch, RFC 7396. */
import { cloneJson } from '../codec/json-clone.ts';
import { isObject, type Json } from '../codec/json-object.ts';
import { PatchError } from './patch-error.ts';

function merged(target: unknown, patch: Json): Json {
  const out: Json = isObject(target) ? target : {};
  for (const key of Object.keys(patch)) {
    if (key === '__proto__') continue;
    const value = patch[key];
    if (value === null) delete out[key];
    else out[key] = isObject(value) ? merged(out[key], value) : cloneJson(value);
  }
  return out;
}

/** The patched object; it shares nothing with `current` or `patch`. Throws PatchError when the patch is no object. */
export function mergePatch<T extends object>(current: T, patch: unknown): T {
  if (!isObject(patch))
    throw new PatchError(
      400,
      'error decoding patch: json: cannot unmarshal a value that is no object into Go value of type map[string]interface {}',
    );
  return merged(cloneJson(current), patch) as T;
}
