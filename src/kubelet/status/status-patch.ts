/** The strategic merge patch that turns one pod status into another. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { PodCondition, PodStatus } from '../../api/schema/types.ts';
import { isOwnCondition, isPassingCondition } from '../pod/conditions.ts';

/** Lists that are merged by a key unless told to be replaced. */
const mergedLists = new Set(['podIPs', 'hostIPs']);

/** Only fields that the kubelet sets are touched; undefined when nothing differs. */
export function statusPatch(from: PodStatus, to: PodStatus): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(to)) {
    if (key === 'conditions' || same(from[key as keyof PodStatus], value)) continue;
    patch[key] = mergedLists.has(key) && from[key as keyof PodStatus] ? [{ $patch: 'replace' }, ...(value as object[])] : value;
  }
  for (const key of ['podIP', 'podIPs', 'reason', 'message'] as const)
    if (from[key] !== undefined && to[key] === undefined) patch[key] = null;
  const conditions = (to.conditions ?? []).filter(
    (c) =>
      isOwnCondition(c.type) &&
      !same(
        from.conditions?.find(({ type }) => type === c.type),
        c,
      ),
  );
  const over = (from.conditions ?? []).filter(({ type }) => isPassingCondition(type) && !to.conditions?.some((c) => c.type === type));
  const changed = [...conditions.map((c) => withCleared(from.conditions, c)), ...over.map(({ type }) => ({ $patch: 'delete', type }))];
  if (changed.length > 0) patch.conditions = changed;
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function same(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(plain(a), plain(b));
}

/** Absent and null mean the same, and so do an absent and an empty object (`lastState: {}`). */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value ?? undefined;
  const entries = Object.entries(value)
    .map(([k, v]): [string, unknown] => [k, plain(v)])
    .filter(([, v]) => v !== undefined && !(typeof v === 'object' && Object.keys(v as object).length === 0));
  return Object.fromEntries(entries);
}

/** A merge leaves what it is not told to clear. */
function withCleared(list: readonly PodCondition[] | undefined, wanted: PodCondition): object {
  const old = list?.find((c) => c.type === wanted.type);
  const cleared: Record<string, null> = {};
  for (const key of ['reason', 'message'] as const) if (old?.[key] !== undefined && wanted[key] === undefined) cleared[key] = null;
  return { ...wanted, ...cleared };
}
