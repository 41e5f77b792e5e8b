/** A pod stays five minutes on a node that is not ready or cannot be reached, unless it says otherwise. */
import { pods } from '../../api/resource-types.ts';
import type { Pod, Toleration } from '../../api/schema/types.ts';
import { taintNodeNotReady, taintNodeUnreachable } from '../../api/well-known.ts';
import { type AdmissionPlugin, isWriteOf } from './admission.ts';

const keys = [taintNodeNotReady, taintNodeUnreachable];
const seconds = 300;

export const defaultTolerationSeconds: AdmissionPlugin = {
  mutate: (request) => {
    // Who replaces a pod by a list of tolerations without these two takes none away.
    if ((request.operation !== 'CREATE' && request.operation !== 'UPDATE') || !isWriteOf(request, pods)) return;
    const { spec } = request.object as Pod;
    if (!spec) return;
    for (const key of keys) {
      if (spec.tolerations?.some((t) => tolerates(t, key))) continue;
      spec.tolerations = [...(spec.tolerations ?? []), { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: seconds }];
    }
  },
};

function tolerates(t: Toleration, key: string): boolean {
  return (t.key === key || !t.key) && (t.effect === 'NoExecute' || !t.effect);
}
