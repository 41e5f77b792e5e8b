/** Server-side apply of one object. */

import type { Json } from '../codec/json-object.ts';
import type { KubeObject } from '../resource-types.ts';
import { seedManagers } from './before-apply.ts';
import { fieldsLastApplied, keepLastApplied } from './last-applied.ts';
import { decodeManagers } from './managers.ts';
import { type Applied, type Applier, applyTo, type Place, withoutManagers } from './ownership.ts';

/**
 * `applyTo` for an object with its metadata. `places` are where the fields of the object are written, for the owners of what was there
 * before the first apply. kubectl's own annotation of what it applied last speaks for it: what it says is no conflict, and it is kept true.
 */
export function applyConfiguration(live: KubeObject, config: Json, applier: Applier, places: readonly Place[]): Applied {
  const { place, manager } = applier;
  const bare = withoutManagers(live);
  const stored = decodeManagers(live.metadata.managedFields);
  const isNew = live.metadata.uid === undefined;
  const managers = stored?.size || isNew ? (stored ?? new Map()) : seedManagers(bare, places, applier.now);
  let applied = applyTo(bare, managers, config, applier);
  if (manager !== 'kubectl') return applied;
  if (!applied.ok) {
    const known = fieldsLastApplied(bare, place);
    const conflicts = known ? applied.conflicts.filter(({ path }) => !known.has(path)) : applied.conflicts;
    if (conflicts.length > 0) return { ok: false, conflicts };
    applied = applyTo(bare, managers, config, { ...applier, force: true });
  }
  if (applied.ok) keepLastApplied(applied.object, config);
  return applied;
}
