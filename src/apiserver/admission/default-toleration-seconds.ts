/** A pod stays five minutes on a node that is not ready or cannot be reached, unless it says otherwise. */
import type { Pod, Toleration } from '../../api/schema/types.ts';
import { taintNodeNotReady, taintNodeUnreachable } from '../../api/well-known.ts';
import type { AdmissionPlugin } from './admission.ts';

const keys = [taintNodeNotReady, taintNodeUnreachable];
const seconds = 300;

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  mutate: ({ row, operation, subresource, object }) => {
    // Who replaces a pod by a list of tolerations without these two takes none away.
    if ((operation !== 'CREATE' && operation !== 'UPDATE') || row.type.resource !== 'pods' || row.type.group !== '' || subresource !== '')
      return;
    const { spec } = object as Pod;
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
