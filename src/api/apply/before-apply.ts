/** The first owners of an object's fields: those that are recorded when somebody applies to it for the first time. */

import type { Json } from '../codec/json-object.ts';
import { FieldSet } from './field-set.ts';
import { fieldsLastApplied, lastAppliedPath } from './last-applied.ts';
import { identityOf, type Manager } from './managers.ts';
import { afterUpdate, type Place } from './ownership.ts';

const unknownWriters = 'before-first-apply';
const clientSideApply = 'kubectl-client-side-apply';

/**
 * `places` are the object itself and its status, each with the fields that are written there. Fields in kubectl's annotation become kubectl's, and
 * no others: its migration to server-side apply takes over everything that the owner of the annotation owns.
 */
export function seedManagers(live: Json, places: readonly Place[], now: string): Map<string, Manager> {
  const managers = new Map<string, Manager>();
  let owned = new FieldSet();
  for (const place of places) {
    for (const [id, entry] of afterUpdate(undefined, live, new Map(), { place, manager: unknownWriters, now })) {
      // Metadata is written in both places, but gets only one owner.
      managers.set(id, { ...entry, set: entry.set.difference(owned) });
      owned = owned.union(entry.set);
    }
    const applied = place.subresource === '' ? fieldsLastApplied(live, place) : undefined;
    if (applied) {
      applied.add(lastAppliedPath);
      split(managers, place, applied);
    }
  }
  return managers;
}

function split(managers: Map<string, Manager>, { apiVersion, subresource }: Place, applied: FieldSet): void {
  const id = identityOf({ manager: unknownWriters, operation: 'Update', apiVersion, subresource });
  const all = managers.get(id);
  if (!all) return;
  const kubectls: Manager = { ...all, manager: clientSideApply, set: all.set.intersection(applied) };
  managers.set(id, { ...all, set: all.set.difference(applied) });
  managers.set(identityOf(kubectls), kubectls);
}
