/** JSON patch, RFC 6902. */
import jsonpatch, { type Operation } from 'fast-json-patch';
import { PatchError } from './patch-error.ts';

const OPS: ReadonlySet<string> = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);
/** As upstream: a patch of more operations is refused. */
const MOST = 10_000;

function operationsOf(patch: unknown): Operation[] {
  if (!Array.isArray(patch))
    throw new PatchError(400, 'error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  if (patch.length > MOST) throw new PatchError(422, `The allowed maximum operations in a JSON patch is ${MOST}, got ${patch.length}`);
  for (const op of patch as unknown[]) {
    const { op: name, path } = (op ?? {}) as { op?: unknown; path?: unknown };
    if (typeof name !== 'string' || !OPS.has(name)) throw new PatchError(422, `Unexpected kind: ${JSON.stringify(name ?? 'unknown')}`);
    if (typeof path !== 'string') throw new PatchError(422, `${name} operation: missing path`);
  }
  return patch as Operation[];
}

/** The patched object; it shares nothing with `current`. Throws PatchError. */
export function applyJsonPatch<T extends object>(current: T, patch: unknown): T {
  const operations = operationsOf(patch);
  try {
    return jsonpatch.applyPatch(current, operations, true, false).newDocument;
  } catch (err) {
    throw asPatchError(err);
  }
}

function asPatchError(err: unknown): PatchError {
  const { operation, name, message } = err as { operation?: Operation; name?: string; message?: string };
  if (!operation) return new PatchError(422, message?.split('\n', 1)[0] ?? 'the patch does not apply');
  switch (name) {
    case 'TEST_OPERATION_FAILED':
      return new PatchError(422, `testing value ${operation.path} failed: test failed`);
    case 'OPERATION_PATH_UNRESOLVABLE':
    case 'OPERATION_PATH_CANNOT_ADD':
      return new PatchError(422, `${operation.op} operation does not apply: doc is missing path: ${operation.path}: missing value`);
    case 'OPERATION_FROM_UNRESOLVABLE':
      return new PatchError(422, `${operation.op} operation does not apply: doc is missing from path: missing value`);
    default:
      return new PatchError(422, `${operation.op} operation does not apply: ${message?.split('\n', 1)[0] ?? ''}`);
  }
}
