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
  /** Where owners may have written in a version that has other fields. Without it all versions are taken to have the same. */
  readonly others?: OtherVersions;
}

/** The other versions of a kind, which something else than a change of names makes of each other. */
export interface OtherVersions {
  /** The same place in another version; undefined where that is not served: owners of fields of it own nothing. */
  placeIn(apiVersion: string): Pick<Place, 'shape' | 'ignored'> | undefined;
  convert(object: Json, apiVersion: string): Json;
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

/** What changes in the eyes of who knows one version; undefined where it is not served. */
function comparedIn(live: Json | undefined, next: Json, place: Place, apiVersion: string): Comparison | undefined {
  const there = apiVersion === place.apiVersion ? place : place.others?.placeIn(apiVersion);
  if (!there) return undefined;
  const all = compare(live ? inVersion(live, place, apiVersion) : {}, inVersion(next, place, apiVersion), there.shape);
  return {
    added: all.added.without(there.ignored),
    modified: all.modified.without(there.ignored),
    removed: all.removed.without(there.ignored),
  };
}

function inVersion(object: Json, { others }: Place, apiVersion: string): Json {
  return !others || object.apiVersion === apiVersion ? object : others.convert(object, apiVersion);
}

/** Takes the fields that the change adds, modifies or removes from all managers but `self`. */
function takeOver(live: Json | undefined, next: Json, place: Place, managers: Managers, self: string): Change {
  const comparison = comparedIn(live, next, place, place.apiVersion) as Comparison;
  const inVersions = new Map([[place.apiVersion, comparison as Comparison | undefined]]);
  const conflicts: Conflict[] = [];
  const out = new Map<string, Manager>();
  for (const [id, manager] of managers) {
    if (id === self) {
      out.set(id, manager);
      continue;
    }
    const version = place.others ? manager.apiVersion : place.apiVersion;
    if (!inVersions.has(version)) inVersions.set(version, comparedIn(live, next, place, version));
    const theirs = inVersions.get(version);
    if (!theirs) continue;
    const taken = manager.set.intersection(theirs.modified.union(theirs.added));
    for (const path of taken.paths()) conflicts.push({ manager, path });
    const left = manager.set.difference(taken).difference(theirs.removed);
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
  const last = managers.get(self);
  const set = fieldsOf(config, place.shape).without(place.ignored);
  const claimed = new Map(managers).set(self, { ...entry, time: now, set });
  const merged = merge(live, config, place.shape);
  const next = last ? prune(merged as Json, last, set, claimed, place) : (merged as Json);
  const change = takeOver(live, next, place, claimed, self);
  const inTheWay = force ? [] : change.conflicts;
  if (inTheWay.length > 0) return { ok: false, conflicts: inTheWay };
  change.managers.set(self, { ...entry, time: now, set: set.difference(nobodys) });
  return { ok: true, object: next, managers: change.managers };
}

/** Removes fields that the applier applied last time but not now, unless somebody else owns them. */
function prune(merged: Json, last: Manager, set: FieldSet, managers: Managers, place: Place): Json {
  const home = place.others ? last.apiVersion : place.apiVersion;
  if (home === place.apiVersion && last.set.difference(set).isEmpty) return merged;
  const there = home === place.apiVersion ? place : place.others?.placeIn(home);
  if (!there) return merged;
  const whole = inVersion(merged, place, home);
  const named = (fields: FieldSet): FieldSet => withNamedFields(fields, there.shape);
  let kept = remove(whole, named(last.set), there.shape) as Json;
  for (const [version, owned] of ownedIn(managers, place, home)) kept = withOwned(merged, kept, owned, place, version);
  const gone = named(fieldsOf(whole, there.shape))
    .difference(named(fieldsOf(inVersion(kept, place, home), there.shape)))
    .intersection(named(last.set));
  return inVersion(remove(whole, gone, there.shape) as Json, place, place.apiVersion);
}

/** What all owners have, by version; that of the applier's last time comes first. */
function ownedIn(managers: Managers, place: Place, home: string): Map<string, FieldSet> {
  const owned = new Map([[home, new FieldSet()]]);
  for (const { set, apiVersion } of managers.values()) {
    const version = place.others ? apiVersion : home;
    owned.set(version, (owned.get(version) ?? new FieldSet()).union(set));
  }
  return owned;
}

/** Fields of other owners come back, with the fields below them that nobody owns. */
function withOwned(merged: Json, kept: Json, owned: FieldSet, place: Place, version: string): Json {
  const there = version === place.apiVersion ? place : place.others?.placeIn(version);
  if (!there) return kept;
  const [whole, part] = [inVersion(merged, place, version), inVersion(kept, place, version)];
  const named = (fields: FieldSet): FieldSet => withNamedFields(fields, there.shape);
  const left = named(fieldsOf(part, there.shape)).union(named(owned));
  return remove(whole, named(fieldsOf(whole, there.shape)).difference(left), there.shape) as Json;
}
