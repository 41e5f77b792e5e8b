/** The finalizers by which a deletion says what becomes of dependents (metav1's FinalizerDeleteDependents and FinalizerOrphanDependents). */
import type { KubeObject } from '../../api/resource-types.ts';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** Being deleted in the foreground: it goes after its dependents. */
export function isDeletingDependents({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers?.includes(foregroundFinalizer) ?? false);
}
