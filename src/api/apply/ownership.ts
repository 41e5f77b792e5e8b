/** What an apply and what an ordinary write do to the owners of an object's fields (upstream's merge.Updater). */
import type { Json } from '../codec/json-object.ts';
import type { KubeObject } from '../resource-types.ts';
import { FieldSet, type Path } from './field-set.ts';
import { capUpdaters, identityOf, type Manager, type Managers } from './managers.ts';
import type { Shape } from './shape.ts';
import { type Comparison, compare, fieldsOf, merge, remove, withNamedFields } from './typed.ts';

/** Where a write goes. */
export interface Place {
  readonly shape: Shape;
  readonly apiVersion: string;
  /** '' for the object itself. */
  readonly subresource: string;
  /** Fields that a write to this place cannot change, with all below them: nobody owns them by it. */
  readonly ignored: FieldSet;
}

export interface Conflict {
  readonly manager: Manager;
  readonly path: Path;
}

/** Fields that nobody owns: those that the server sets, and those that identify the object. */
const nobodys: FieldSet = FieldSet.of(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'generation', 'managedFields', 'resourceVersion'].map((name) => [
    'f:metadata',
    `f:${name}`,
  ]),
);

/** An object without `managedFields`, which nobody owns. */
export function withoutManagers(object: object): Json {
  const { metadata, ...rest } = object as KubeObject;
  const { managedFields: _dropped, ...meta } = metadata ?? {};
  return { ...rest, metadata: meta };
}

interface Change {
  readonly managers: Map<string, Manager>;
  readonly comparison: Comparison;
  readonly conflicts: readonly Conflict[];
}

/** Takes the fields that the change adds, modifies or removes from all managers but `self`. */
function takeOver(live: Json | undefined, next: Json, place: Place, managers: Managers, self: string): Change {
  const all = compare(live ?? {}, next, place.shape);
  const comparison = {
    added: all.added.without(place.ignored),
    modified: all.modified.without(place.ignored),
    removed: all.removed.without(place.ignored),
  };
  const set = comparison.modified.union(comparison.added);
  const conflicts: Conflict[] = [];
  const out = new Map<string, Manager>();
  for (const [id, manager] of managers) {
    if (id === self) {
      out.set(id, manager);
      continue;
    }
    const taken = manager.set.intersection(set);
    for (const path of taken.paths()) conflicts.push({ manager, path });
    const left = manager.set.difference(taken).difference(comparison.removed);
    if (!left.isEmpty) out.set(id, { ...manager, set: left });
  }
  return { managers: out, comparison, conflicts };
}

/** The managers after an ordinary write: the writer becomes the only owner of each field that it changed. */
export function afterUpdate(
  live: Json | undefined,
  next: Json,
  managers: Managers,
  writer: { readonly place: Place; readonly manager: string; readonly now: string },
): Map<string, Manager> {
  const { place, manager, now } = writer;
  const change = takeOver(live, next, place, managers, '');
  const { modified, added } = change.comparison;
  const set = modified.union(added).difference(nobodys);
  if (!set.isEmpty) {
    const entry = { manager: manager || 'unknown', operation: 'Update', ...placeOf(place) } as const;
    const id = identityOf(entry);
    const before = change.managers.get(id);
    change.managers.set(id, { ...entry, time: now, set: before ? before.set.union(set) : set });
  }
  capUpdaters(change.managers);
  return change.managers;
}

function placeOf({ apiVersion, subresource }: Place): Pick<Manager, 'apiVersion' | 'subresource'> {
  return { apiVersion, subresource };
}

export interface Applier {
  readonly place: Place;
  readonly manager: string;
  readonly force: boolean;
  readonly now: string;
}

export type Applied =
  | { readonly ok: true; readonly object: Json; readonly managers: Managers }
  | { readonly ok: false; readonly conflicts: readonly Conflict[] };

/** The object that an applied and checked configuration leads to, which may share parts with both; or the conflicts. */
export function applyTo(live: Json, managers: Managers, config: Json, applier: Applier): Applied {
  const { place, manager, force, now } = applier;
  const entry = { manager, operation: 'Apply', ...placeOf(place) } as const;
  const self = identityOf(entry);
  const last = managers.get(self)?.set;
  const set = fieldsOf(config, place.shape).without(place.ignored);
  const claimed = new Map(managers).set(self, { ...entry, time: now, set });
  const merged = merge(live, config, place.shape);
  const next = (last ? prune(merged, last, set, claimed, place.shape) : merged) as Json;
  const change = takeOver(live, next, place, claimed, self);
  const inTheWay = force ? [] : change.conflicts;
  if (inTheWay.length > 0) return { ok: false, conflicts: inTheWay };
  change.managers.set(self, { ...entry, time: now, set: set.difference(nobodys) });
  return { ok: true, object: next, managers: change.managers };
}

/** Removes fields that the applier applied last time but not now, unless somebody else owns them. */
function prune(merged: unknown, last: FieldSet, set: FieldSet, managers: Managers, shape: Shape): unknown {
  if (last.difference(set).isEmpty) return merged;
  const named = (fields: FieldSet): FieldSet => withNamedFields(fields, shape);
  const mergedFields = named(fieldsOf(merged, shape));
  let owned = new FieldSet();
  for (const { set: theirs } of managers.values()) owned = owned.union(theirs);
  const without = remove(merged, named(last), shape);
  // Fields of other owners come back, with the fields below them that nobody owns.
  const kept = remove(merged, mergedFields.difference(named(fieldsOf(without, shape)).union(named(owned))), shape);
  const gone = mergedFields.difference(named(fieldsOf(kept, shape))).intersection(named(last));
  return remove(merged, gone, shape);
}
