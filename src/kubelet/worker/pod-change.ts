/** What in a pod's object has changed for its worker. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Pod } from '../../api/schema/types.ts';
import { specOf } from '../pod/spec.ts';

/** Volumes show labels and annotations. */
export function isRelabelled({ metadata: before }: Pod, { metadata: after }: Pod): boolean {
  return !isDeepStrictEqual(before.annotations, after.annotations) || !isDeepStrictEqual(before.labels, after.labels);
}

/** Whether more has changed than the status, most of which is the kubelet's own. */
export function needsSync({ metadata: before }: Pod, pod: Pod): boolean {
  const { metadata: after } = pod;
  const hasGates = (specOf(pod).readinessGates?.length ?? 0) > 0;
  if (after.generation === undefined || after.generation !== before.generation || hasGates) return true;
  return before.deletionTimestamp !== after.deletionTimestamp || before.deletionGracePeriodSeconds !== after.deletionGracePeriodSeconds;
}
