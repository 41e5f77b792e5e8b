/**
 * DELETE: what removal means for one object. An object with finalizers, a grace period or dependents to wait for is only
 * marked; the last update that takes away the reasons removes it. Rules as in apiserver/pkg/registry/generic and rest/delete.go.
 */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { DeleteOptions } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { LooseObject } from '../cache/cached-object.ts';
import { conflict } from '../status/status-error.ts';
import type { Change } from './object-store.ts';

const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

/** Throws 409 when the object is not the one that the client means. Upstream says here of what kind it is. */
export function checkPreconditions({ type }: ResourceRow, { metadata }: KubeObject, preconditions: DeleteOptions['preconditions']): void {
  const { name, uid = '', resourceVersion = '' } = metadata;
  const refused = (field: string, asked: string, is: string, why: string): Error => {
    const text = `the ${field} in the precondition (${asked}) does not match the ${field} in record (${is}). The object might have been ${why}`;
    return conflict({ group: type.group, resource: type.kind }, name, text);
  };
  const { uid: asked, resourceVersion: of } = preconditions ?? {};
  if (asked && asked !== uid) throw refused('UID', asked, uid, 'deleted and then recreated');
  if (of && of !== resourceVersion) throw refused('ResourceVersion', of, resourceVersion, 'modified');
}

/** What a deletion does to an object now. Changes `object` in place when it is only marked. */
export function deletion(row: ResourceRow, object: LooseObject, options: DeleteOptions, clock: Clock): Change {
  checkPreconditions(row, object, options.preconditions);
  const before = JSON.stringify(object.metadata);
  const meta = object.metadata;
  if (meta.deletionTimestamp === undefined) row.beginDeletion?.(object, new Date(clock.now()));
  const finalizers = propagationFinalizers(row, meta.finalizers ?? [], options);
  if (finalizers.length > 0) meta.finalizers = finalizers;
  else delete meta.finalizers;

  const grace = graceOf(row, object, options.gracePeriodSeconds ?? undefined);
  const waitsAlready = meta.deletionTimestamp !== undefined && grace > 0 && grace === meta.deletionGracePeriodSeconds;
  if (waitsAlready && JSON.stringify(meta) === before) return { kind: 'keep' };
  const held = finalizers.length > 0 || row.holdsDeletion?.(object) === true;
  if (!held && grace === 0) return { kind: 'delete' };
  mark(object, grace, clock);
  return JSON.stringify(meta) === before ? { kind: 'keep' } : { kind: 'put', object };
}

/** Seconds between the deletion and the removal. A second deletion may shorten the time that is left, never lengthen it. */
function graceOf(row: ResourceRow, object: LooseObject, requested: number | undefined): number {
  if (!row.gracePeriod) return 0;
  const grace = Math.max(0, row.gracePeriod(object, requested === -1 ? undefined : requested));
  if (object.metadata.deletionTimestamp === undefined) return grace;
  const running = object.metadata.deletionGracePeriodSeconds ?? 0;
  return requested === undefined ? running : Math.min(grace, running);
}

/** Sets deletionTimestamp (once; an earlier end moves it) and counts the generation up. */
function mark(object: LooseObject, grace: number, clock: Clock): void {
  const meta = object.metadata;
  const first = meta.deletionTimestamp === undefined;
  if (!first && grace >= (meta.deletionGracePeriodSeconds ?? 0)) return;
  // The grace counts from the first deletion on.
  const started = first ? clock.now() : Date.parse(meta.deletionTimestamp ?? '') - (meta.deletionGracePeriodSeconds ?? 0) * 1000;
  meta.deletionTimestamp = timestamp(started + grace * 1000);
  meta.deletionGracePeriodSeconds = grace;
  if (meta.generation !== undefined && first) meta.generation++;
}

function propagationFinalizers(row: ResourceRow, existing: readonly string[], options: DeleteOptions): string[] {
  const policy = policyOf(row, existing, options);
  const kept = existing.filter((f) => f !== orphanFinalizer && f !== foregroundFinalizer);
  if (policy === 'Orphan') kept.push(orphanFinalizer);
  if (policy === 'Foreground') kept.push(foregroundFinalizer);
  return kept;
}

function policyOf(row: ResourceRow, existing: readonly string[], options: DeleteOptions): string {
  if (options.propagationPolicy !== undefined) return options.propagationPolicy;
  if (options.orphanDependents !== undefined) return options.orphanDependents ? 'Orphan' : 'Background';
  // Who said nothing keeps what an earlier deletion, or the object's owner, asked for.
  if (existing.includes(orphanFinalizer)) return 'Orphan';
  if (existing.includes(foregroundFinalizer)) return 'Foreground';
  return row.defaultPropagation;
}

/** True when an update has taken away the last reason to keep an object that is being deleted. */
export function endsDeletion(row: ResourceRow, next: KubeObject, old: KubeObject): boolean {
  if (next.metadata.deletionTimestamp === undefined || (next.metadata.finalizers?.length ?? 0) > 0) return false;
  if (row.holdsDeletion?.(next)) return false;
  return (old.metadata.deletionGracePeriodSeconds ?? 0) === 0;
}
