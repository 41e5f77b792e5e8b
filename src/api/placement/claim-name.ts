/** Which claim a volume of a pod stands for. */
import type { Volume } from '../schema/types.ts';

/** The claim that a volume of a pod stands for: the one that it names, or the one that is made for it (KEP-1698). */
export function claimNameOf(podName: string, { name, persistentVolumeClaim, ephemeral }: Volume): string | undefined {
  return persistentVolumeClaim?.claimName ?? (ephemeral ? `${podName}-${name}` : undefined);
}
