/** `metadata.managedFields`: who manages which fields of an object. */
import type { KubeObject } from '../resource-types.ts';
import type { ManagedFieldsEntry } from '../schema/types.ts';
import { FieldSet } from './field-set.ts';

export type Operation = 'Apply' | 'Update';

export interface Manager {
  readonly manager: string;
  readonly operation: Operation;
  readonly apiVersion: string;
  /** '' for the object itself. */
  readonly subresource: string;
  /** RFC 3339, of the last change. */
  readonly time: string | undefined;
  readonly set: FieldSet;
}

/** By identity: the entries of one writer by different operations, subresources or versions are different managers. */
export type Managers = ReadonlyMap<string, Manager>;

/** What tells two managers apart. For an applier the version does not count: it may apply in another one. */
export function identityOf({ manager, operation, apiVersion, subresource }: Omit<Manager, 'set' | 'time'>): string {
  return JSON.stringify({
    manager,
    operation,
    ...(operation === 'Apply' ? {} : { apiVersion }),
    ...(subresource ? { subresource } : {}),
  });
}

/** The managers in the entries; undefined when one entry is malformed: as upstream, then none of them counts. */
export function decodeManagers(entries: unknown): Map<string, Manager> | undefined {
  const out = new Map<string, Manager>();
  if (!Array.isArray(entries)) return entries === undefined || entries === null ? out : undefined;
  for (const entry of entries as Partial<ManagedFieldsEntry>[]) {
    const { manager = '', operation, apiVersion, subresource = '', time, fieldsType, fieldsV1 } = entry ?? {};
    if ((operation !== 'Apply' && operation !== 'Update') || !apiVersion || fieldsType !== 'FieldsV1') return undefined;
    const set = FieldSet.fromFieldsV1(fieldsV1 ?? {});
    if (!set) return undefined;
    const decoded: Manager = { manager, operation, apiVersion, subresource, time, set };
    out.set(identityOf(decoded), decoded);
  }
  return out;
}

/** Undefined when nobody manages anything. */
function encodeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  const entries = [...managers.values()].filter(({ set }) => !set.isEmpty).toSorted(byOrder);
  if (entries.length === 0) return undefined;
  return entries.map(({ manager, operation, apiVersion, subresource, time, set }) => ({
    ...(manager ? { manager } : {}),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: set.toFieldsV1(),
    ...(subresource ? { subresource } : {}),
  }));
}

/** Writes the entries into an object, **in place**; where nobody manages anything there are none. */
export function setManagers(object: KubeObject, managers: Managers): void {
  const entries = encodeManagers(managers);
  if (entries) object.metadata.managedFields = entries;
  else delete object.metadata.managedFields;
}

function byOrder(a: Manager, b: Manager): number {
  return (
    order(a.operation, b.operation) ||
    secondsOf(a) - secondsOf(b) ||
    order(a.manager, b.manager) ||
    order(a.apiVersion, b.apiVersion) ||
    order(a.subresource, b.subresource)
  );
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function secondsOf({ time }: Manager): number {
  const at = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(at) ? 0 : Math.floor(at / 1000);
}

const mostUpdaters = 10;
const bucketName = 'ancient-changes';

/** Merges the oldest of too many updaters into one, so that an object with many writers does not grow for ever. */
export function capUpdaters(managers: Map<string, Manager>): void {
  const updaters = [...managers].filter(([, m]) => m.operation === 'Update');
  let left = updaters.length;
  if (left <= mostUpdaters) return;
  const firsts = new Map<string, string>();
  for (const [id, updater] of updaters.toSorted(([a, m], [b, n]) => secondsOf(m) - secondsOf(n) || order(a, b))) {
    if (left <= mostUpdaters) return;
    const { apiVersion } = updater;
    const bucket: Omit<Manager, 'set' | 'time'> = { manager: bucketName, operation: 'Update', apiVersion, subresource: '' };
    const bucketId = identityOf(bucket);
    const first = firsts.get(apiVersion);
    if (first === undefined) {
      firsts.set(apiVersion, id);
      continue;
    }
    const held = managers.get(bucketId) ?? managers.get(first);
    if (!managers.has(bucketId)) managers.delete(first);
    managers.delete(id);
    managers.set(bucketId, { ...bucket, time: updater.time, set: updater.set.union(held?.set ?? new FieldSet()) });
    left--;
  }
}
