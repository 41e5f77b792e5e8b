/**
 * Strategic merge patch: a merge patch that knows by the tables which lists are merged by which key. The directives are `$patch`,
 * `$retainKeys`, `$setElementOrder/LIST` and `$deleteFromPrimitiveList/LIST`. Same rules and same order of results as upstream
 * (k8s.io/apimachinery pkg/util/strategicpatch), to which kubectl's patches are made to fit.
 */
import { cloneJson } from '../codec/json-clone.ts';
import { isObject, type Json } from '../codec/json-object.ts';
import { type ApiType, type Field, type Schema, typeOf } from '../schema/schema.ts';
import { ElementIndex, mergeOrder, sameElement } from './list-order.ts';
import { PatchError } from './patch-error.ts';

const patchDirective = '$patch';
const retainDirective = '$retainKeys';
const orderDirective = '$setElementOrder/';
const deleteDirective = '$deleteFromPrimitiveList/';

/** How the content of one field is merged. Without a type (unknown fields, raw JSON), maps merge and lists are replaced. */
interface Content {
  readonly type: ApiType | undefined;
  /** The field of the content, for a map the field whose entries are of `type`. */
  readonly field: Field | undefined;
}

/** The patched object; it shares nothing with `current` or `patch`. Throws PatchError. */
export function strategicMerge<T extends object>(current: T, patch: unknown, schema: Schema): T {
  if (!isObject(patch)) throw new PatchError(400, 'error decoding patch: the patch is no JSON object');
  return mergeMap(cloneJson(current) as Json, patch, typeOf(schema)) as T;
}

function isDirective(key: string): boolean {
  return (
    key.charCodeAt(0) === 0x24 &&
    (key === patchDirective || key === retainDirective || key.startsWith(orderDirective) || key.startsWith(deleteDirective))
  );
}

/** Merges into `target`, which it may change. */
function mergeMap(target: Json, patch: Json, type: ApiType | undefined, entries?: Field): Json {
  const directive = patch[patchDirective];
  if (directive === 'replace') return withoutDirectives(patch) as Json;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') throw badType(directive);
  if (patch[retainDirective] !== undefined) retainKeys(target, patch);
  const ordered = patchOrderedLists(target, patch, type);
  for (const key of Object.keys(patch)) {
    if (key === patchDirective || key === retainDirective || key === '__proto__' || key.startsWith(orderDirective)) continue;
    if (key.startsWith(deleteDirective)) deletePrimitives(target, key.slice(deleteDirective.length), patch[key]);
    else if (!ordered?.has(key)) mergeKey(target, key, patch[key], contentOf(key, type, entries));
  }
  return target;
}

/** The entries of a map all have the type of the map's field. */
function contentOf(key: string, type: ApiType | undefined, entries: Field | undefined): Content {
  if (entries) return { type: entries.type, field: undefined };
  const field = type?.field(key);
  return { type: field?.type, field };
}

function mergeKey(target: Json, key: string, value: unknown, { type, field }: Content): void {
  if (value === null) {
    delete target[key];
    return;
  }
  const current = target[key];
  if (isObject(value)) {
    const merges = isObject(current) && strategyOf(field) !== 'replace';
    if (merges) target[key] = mergeMap(current, value, type, field?.shape === 'map' ? field : undefined);
    // As upstream: without a map to act on, a `$patch` and all that stands beside it are dropped.
    else if (value[patchDirective] !== undefined) delete target[key];
    else target[key] = withoutDirectives(value);
  } else if (Array.isArray(value) && Array.isArray(current) && field && strategyOf(field) === 'merge') {
    target[key] = mergeList(current, value, field);
  } else target[key] = withoutDirectives(value);
}

/** The first word of the field's strategy: `merge,retainKeys` is `merge`. */
function strategyOf(field: Field | undefined): string {
  const text = field?.marks.strategy ?? '';
  const comma = text.indexOf(',');
  return comma < 0 ? text : text.slice(0, comma);
}

function badType(directive: unknown): PatchError {
  return new PatchError(400, `unknown patch type found: ${typeof directive === 'string' ? directive : JSON.stringify(directive)}`);
}

/** `$retainKeys` names all keys that may stay: the target loses every other key. */
function retainKeys(target: Json, patch: Json): void {
  const keep = patch[retainDirective];
  if (!Array.isArray(keep)) throw new PatchError(400, 'invalid patch format of retainKeys: not a list');
  const kept = new Set<unknown>(keep);
  // kubectl leaves keys that it removes (with null) out of the list.
  const stray = Object.keys(patch).find((k) => patch[k] !== null && !isDirective(k) && !kept.has(k));
  if (stray !== undefined)
    throw new PatchError(400, `invalid patch format of retainKeys: ${JSON.stringify(stray)} is not in the list of keys`);
  for (const key of Object.keys(target)) if (!kept.has(key)) delete target[key];
}

/** Handles the lists for which the patch gives an order; returns their names, which are then done. */
function patchOrderedLists(target: Json, patch: Json, type: ApiType | undefined): Set<string> | undefined {
  let done: Set<string> | undefined;
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith(orderDirective)) continue;
    const key = directive.slice(orderDirective.length);
    const order = patch[directive];
    if (!Array.isArray(order)) throw new PatchError(400, `invalid patch format of setElementOrder list ${JSON.stringify(key)}`);
    done ??= new Set();
    done.add(key);
    if (patch[key] === null) delete target[key];
    else patchOrderedList(target, key, patch[key], order, type?.field(key));
  }
  return done;
}

function patchOrderedList(target: Json, key: string, changes: unknown, order: readonly unknown[], field: Field | undefined): void {
  const current = Array.isArray(target[key]) ? (target[key] as unknown[]) : undefined;
  if (current === undefined && changes === undefined) return;
  const list = Array.isArray(changes) ? changes : [];
  checkOrder(key, list, order, field?.marks.mergeKey);
  const merged = current && changes === undefined ? current : mergedList(current, list, field);
  target[key] = mergeOrder(merged, order, current ?? [], field?.marks.mergeKey);
}

function mergedList(current: unknown[] | undefined, list: readonly unknown[], field: Field | undefined): unknown[] {
  return current && field && strategyOf(field) === 'merge' ? mergeList(current, list, field) : (withoutDirectives(list) as unknown[]);
}

/** The entries of the patch must stand in the order that the patch asks for. */
function checkOrder(key: string, list: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): void {
  if (order.length === 0) return;
  let at = 0;
  for (const item of list) {
    if (isObject(item) && item[patchDirective] !== undefined) continue;
    while (at < order.length && !sameElement(order[at], item, mergeKey)) at++;
    if (at >= order.length) {
      throw new PatchError(
        422,
        `The order in patch list:\n${JSON.stringify(list)}\n doesn't match ${orderDirective}${key} list:\n${JSON.stringify(order)}\n`,
      );
    }
  }
}

function deletePrimitives(target: Json, key: string, values: unknown): void {
  if (!Array.isArray(values)) throw new PatchError(400, `invalid patch format of ${deleteDirective}${key}: not a list`);
  const current = target[key];
  const deleted = new Set(values);
  if (Array.isArray(current)) target[key] = current.filter((v) => !deleted.has(v));
}

interface ListPatch {
  readonly deleted: ElementIndex;
  /** The list of the patch replaces the old one. */
  readonly replaces: boolean;
  /** The items without directive. */
  readonly plain: readonly Json[];
}

function sortedOut(patch: readonly unknown[], { owner, name }: Field, key: string): ListPatch {
  const deleted = new ElementIndex([], key);
  let replaces = false;
  const plain: Json[] = [];
  for (const item of patch) {
    if (!isObject(item)) throw new PatchError(400, `expected an object in list ${owner}.${name}, found ${JSON.stringify(item)}`);
    const directive = item[patchDirective];
    if (directive === undefined) plain.push(item);
    else if (directive === 'delete') deleted.add(requireKey(item, key), 0);
    else if (directive === 'replace') replaces = true;
    else throw badType(directive);
  }
  return { deleted, replaces, plain };
}

function mergeList(current: unknown[], patch: readonly unknown[], field: Field): unknown[] {
  if (field.kind !== 'message') return mergeOrder([...new Set([...current, ...patch])], patch, current, undefined);
  const key = field.marks.mergeKey;
  if (key === undefined) throw new PatchError(400, `cannot merge lists without merge key for ${field.owner}.${field.name}`);
  const { deleted, replaces, plain } = sortedOut(patch, field, key);
  if (replaces) return withoutDirectives(plain) as unknown[];
  const merged = current.filter((v) => deleted.indexOf(v) < 0);
  const places = new ElementIndex(merged, key);
  for (const item of plain) {
    const at = places.indexOf(requireKey(item, key));
    if (at >= 0) merged[at] = mergeMap(merged[at] as Json, item, field.type);
    else places.add(item, merged.push(withoutDirectives(item)) - 1);
  }
  return mergeOrder(merged, plain, current, key);
}

function requireKey(item: Json, key: string): Json {
  if (item[key] === undefined || item[key] === null) {
    throw new PatchError(400, `map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  }
  return item;
}

/** A copy of new content, without nulls, directives, and entries that have a `$patch`. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((v) => !(isObject(v) && v[patchDirective] !== undefined)).map(withoutDirectives);
  }
  if (!isObject(value)) return value;
  const out: Json = {};
  for (const key of Object.keys(value)) {
    const content = value[key];
    if (content === null || key === '__proto__' || isDirective(key) || (isObject(content) && content[patchDirective] !== undefined))
      continue;
    out[key] = withoutDirectives(content);
  }
  return out;
}
