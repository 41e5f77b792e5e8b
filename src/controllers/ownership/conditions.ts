/** Conditions of a status, as apimachinery's SetStatusCondition writes them. */
import { timestamp } from '../../clock/timestamp.ts';

interface Said {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string | undefined;
}

/** The condition as it is now: the time of its last transition stays for as long as its status does. */
export function since<W extends Said>(
  conditions: readonly Said[] | undefined,
  wanted: W,
  now: number,
): W & { readonly lastTransitionTime: string } {
  const was = conditions?.find(({ type }) => type === wanted.type);
  return { ...wanted, lastTransitionTime: (was?.status === wanted.status && was.lastTransitionTime) || timestamp(now) };
}

/** All conditions, with `wanted` in the place of the one of its type, at the end. */
export function withCondition<C extends Said, W extends Said>(
  conditions: readonly C[] | undefined,
  wanted: W,
  now: number,
): (C | (W & { readonly lastTransitionTime: string }))[] {
  return [...(conditions ?? []).filter(({ type }) => type !== wanted.type), since(conditions, wanted, now)];
}
