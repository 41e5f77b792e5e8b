/** PATCH bodies: which kind they are, and what they make of an object. */
import { applyJsonPatch } from '../../api/patch/json.ts';
import { mergePatch } from '../../api/patch/merge.ts';
import { PatchError } from '../../api/patch/patch-error.ts';
import { strategicMerge } from '../../api/patch/strategic.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { maxBodyBytes, mediaTypeOf, parsePatch } from '../http/body.ts';
import { badRequest, StatusError } from '../status/status-error.ts';
import { applyType } from './apply.ts';

/** What a patch makes of an object, which it leaves as it is; throws a StatusError. */
export type Patch = (current: KubeObject) => KubeObject;

const accepted = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json'];

/** `schema` is the name of the type in the tables, which knows the merge keys. */
export function patchOf(row: ResourceRow, schema: string, contentType: string | undefined, body: Buffer): Patch {
  const type = mediaTypeOf(contentType);
  if (!accepted.includes(type)) {
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${[...accepted, applyType].join(', ')}`,
    );
  }
  const patch = parsePatch(body);
  if (type === 'application/json-patch+json') return wrapped(row, (current) => applyBounded(current, patch, body.length));
  if (type === 'application/merge-patch+json') return wrapped(row, (current) => mergePatch(current, patch));
  return wrapped(row, (current) => strategicMerge(current, patch, schema));
}

/** More are no patch that anybody needs. */
const maxCopies = 50;
const maxMovedBytes = 64 << 20;

type Operation = { readonly op?: unknown } | null;

/**
 * Each `copy` may double an object, so a few dozen would fill the memory: the object is measured after every one. The limit is that of
 * a body, as upstream's.
 */
function applyBounded(current: KubeObject, patch: unknown, patchBytes: number): unknown {
  if (!Array.isArray(patch)) return applyJsonPatch(current, patch);
  const copies = patch.flatMap((op: Operation, i) => (op?.op === 'copy' ? [i] : []));
  // To move is to copy too, as long as the object is large: ten thousand such moves would keep everybody waiting for minutes.
  const moves = patch.filter((op: Operation) => op?.op === 'move').length;
  if (moves * (JSON.stringify(current).length + patchBytes) > maxMovedBytes)
    throw new PatchError(422, `${moves} move operations are too many for an object of this size: replace it instead`);
  if (copies.length > maxCopies)
    throw new PatchError(422, `The allowed maximum of copy operations in a JSON patch is ${maxCopies}, got ${copies.length}`);
  let out = current;
  let from = 0;
  for (const copy of copies) {
    out = applyJsonPatch(out, patch.slice(from, copy + 1));
    from = copy + 1;
    if (JSON.stringify(out).length > maxBodyBytes)
      throw new PatchError(422, `the copy operations of the patch make an object of more than ${maxBodyBytes} bytes`);
  }
  return applyJsonPatch(out, patch.slice(from));
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
    return out as KubeObject;
  };
}
