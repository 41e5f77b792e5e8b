/** Ordinary writes (create, update, the other patches) in `managedFields`. */
import type { KubeObject } from '../resource-types.ts';
import { decodeManagers, type Managers, setManagers } from './managers.ts';
import { afterUpdate, type Place, withoutManagers } from './ownership.ts';

/**
 * The managers to begin an ordinary write with: those that the client sends, who may change them, or else those of the object.
 * Undefined when nobody has ever applied, and nothing is to be recorded.
 */
function managersOfWrite(live: KubeObject | undefined, next: KubeObject, subresource: string): Managers | undefined {
  const stored = live?.metadata.managedFields;
  const sent = next.metadata.managedFields;
  if (!stored?.length && !sent?.length) return undefined;
  // A subresource is no place to write managers.
  if (subresource === '' && sent) {
    if (isReset(sent)) return undefined;
    const managers = decodeManagers(sent);
    if (managers && managers.size > 0) return managers;
  }
  const managers = decodeManagers(stored);
  return managers?.size ? managers : undefined;
}

/** `[]` or `[{}]`: the client asks to remove all managers. */
function isReset(entries: readonly object[]): boolean {
  return entries.length === 0 || (entries.length === 1 && Object.keys(entries[0] as object).length === 0);
}

/**
 * Records an ordinary write in `next.metadata.managedFields`, **in place**. Costs nothing where nobody ever applied. `now` is a time in
 * RFC 3339.
 */
export function recordWrite(
  live: KubeObject | undefined,
  next: KubeObject,
  writer: { readonly place: Place; readonly manager: string; readonly now: string },
): void {
  const managers = managersOfWrite(live, next, writer.place.subresource);
  if (!managers) {
    delete next.metadata.managedFields;
    return;
  }
  setManagers(next, afterUpdate(live && withoutManagers(live), withoutManagers(next), managers, writer));
}
