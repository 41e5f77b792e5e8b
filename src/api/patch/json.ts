/** JSON patch, RFC 6902. */
import jsonpatch, { type Operation } from 'fast-json-patch';
import { cloneJson } from '../codec/json-clone.ts';
import { PatchError } from './patch-error.ts';

const ops: ReadonlySet<string> = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);
/** As upstream: a patch of more operations is refused. */
const most = 10_000;

function operationsOf(patch: unknown): Operation[] {
  if (!Array.isArray(patch))
    throw new PatchError(400, 'error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  if (patch.length > most) throw new PatchError(422, `The allowed maximum operations in a JSON patch is ${most}, got ${patch.length}`);
  for (const op of patch as unknown[]) {
    const { op: name, path } = (op ?? {}) as { op?: unknown; path?: unknown };
    if (typeof name !== 'string' || !ops.has(name)) throw new PatchError(422, `Unexpected kind: ${JSON.stringify(name ?? 'unknown')}`);
    if (typeof path !== 'string') throw new PatchError(422, `${name} operation: missing path`);
  }
  return patch as Operation[];
}

/** As upstream (AccumulatedCopySizeLimit): all copies of a patch together may have at most the size of the largest body. */
const maxCopiedBytes = 3 << 20;

/** The patched object; it shares nothing with `current`. Throws PatchError. */
export function applyJsonPatch<T extends object>(current: T, patch: unknown): T {
  const operations = operationsOf(patch);
  const copies = { bytes: 0 };
  let document: unknown = cloneJson(current);
  for (const operation of operations) {
    try {
      document = applied(document, operation, copies);
    } catch (err) {
      throw asPatchError(err, operation);
    }
  }
  return document as T;
}

/**
 * The library copies the whole document for each `move` and `copy`, and what is moved twice: ten thousand of them would block the server for
 * minutes. So both are done here, as RFC 6902 §4.4 and §4.5 define them: a `remove` and an `add`, or an `add` alone.
 */
function applied(document: unknown, operation: Operation, copies: { bytes: number }): unknown {
  const { op } = operation;
  const path = canonical(document, operation.path, op === 'add' || op === 'copy');
  if (op !== 'move' && op !== 'copy') {
    const plain = { ...operation, path };
    return isMissingMember(document, plain) ? onMissing(document, plain) : step(document, plain);
  }
  const from = canonical(document, operation.from, false);
  const value = valueAt(document, from);
  if (value === undefined) throw new PatchError(422, `${op} operation does not apply: doc is missing from path: missing value`);
  if (op === 'copy') {
    copies.bytes += JSON.stringify(value).length;
    if (copies.bytes > maxCopiedBytes) {
      const sizes = `${copies.bytes}, exceeding the limit ${maxCopiedBytes}`;
      throw new PatchError(422, `Unable to complete the copy, the accumulated size increase of copy is ${sizes}`);
    }
    return put(document, path, cloneJson(value));
  }
  if (from === path) return document;
  if (path.startsWith(`${from}/`)) throw new PatchError(422, `move operation does not apply: ${path} is within ${from || 'the document'}`);
  step(document, { op: 'remove', path: from });
  return put(document, canonical(document, operation.path, true), value);
}

/** The pointer with indexes of lists as RFC 6901 writes them. As upstream, they may count from the end: -1 is the last one, or behind it for what `grows`. */
function canonical(document: unknown, pointer: string, grows: boolean): string {
  if (typeof pointer !== 'string' || !/\/[+-]?[0-9]/.test(pointer)) return pointer;
  const parts = pointer.split('/');
  let at = document;
  for (const [i, part] of parts.entries()) {
    if (i === 0) continue;
    if (Array.isArray(at) && /^[+-]?[0-9]{1,9}$/.test(part)) {
      const index = Number(part);
      const length = at.length + (grows && i === parts.length - 1 ? 1 : 0);
      parts[i] = String(index < 0 ? index + length : index);
    }
    at = valueAt(at, `/${parts[i]}`);
  }
  return parts.join('/');
}

/** Whether the path leads to a member that an object does not have. */
function isMissingMember(document: unknown, { path }: Operation): boolean {
  const cut = path.lastIndexOf('/');
  const parent = cut < 0 ? undefined : valueAt(document, path.slice(0, cut));
  if (typeof parent !== 'object' || parent === null || Array.isArray(parent)) return false;
  return !Object.hasOwn(parent, jsonpatch.unescapePathComponent(path.slice(cut + 1)));
}

/** As upstream, and not as RFC 6902: to replace what an object lacks is to add it, and what it lacks is null to a test. */
function onMissing(document: unknown, operation: Operation): unknown {
  if (operation.op === 'replace') return step(document, { ...operation, op: 'add' });
  if (operation.op === 'test' && (operation.value ?? null) === null) return document;
  return step(document, operation);
}

/** Changes the document, or returns another one where an operation is on all of it. */
function step(document: unknown, operation: Operation): unknown {
  return jsonpatch.applyOperation(document, operation, true, true).newDocument;
}

/** Adds a value that was part of the document. The library walks through all of a new value, so it gets a 0, which is then replaced. */
function put(document: unknown, path: string, value: unknown): unknown {
  if (path === '') return value;
  step(document, { op: 'add', path, value: 0 });
  const cut = path.lastIndexOf('/');
  const parent = valueAt(document, path.slice(0, cut)) as Record<string, unknown>;
  const key = jsonpatch.unescapePathComponent(path.slice(cut + 1));
  if (Array.isArray(parent)) parent[key === '-' ? parent.length - 1 : Number(key)] = value;
  else parent[key] = value;
  return document;
}

/** The value at a JSON pointer (RFC 6901); undefined when there is none, or the text is no pointer. */
function valueAt(document: unknown, pointer: unknown): unknown {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) return undefined;
  let at = document;
  for (const part of pointer.split('/').slice(1)) {
    const key = jsonpatch.unescapePathComponent(part);
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key) || (Array.isArray(at) && !/^\d+$/.test(key))) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

function asPatchError(err: unknown, operation: Operation): PatchError {
  if (err instanceof PatchError) return err;
  const { operation: failed, name, message } = err as { operation?: Operation; name?: string; message?: string };
  if (!failed) return new PatchError(422, message?.split('\n', 1)[0] ?? 'the patch does not apply');
  switch (name) {
    case 'TEST_OPERATION_FAILED':
      return new PatchError(422, `testing value ${operation.path} failed: test failed`);
    case 'OPERATION_PATH_UNRESOLVABLE':
    case 'OPERATION_PATH_CANNOT_ADD':
      return new PatchError(422, `${operation.op} operation does not apply: doc is missing path: ${operation.path}: missing value`);
    default:
      return new PatchError(422, `${operation.op} operation does not apply: ${message?.split('\n', 1)[0] ?? ''}`);
  }
}
