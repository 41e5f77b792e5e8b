/** What a RuntimeClass says of its pods becomes part of them: what they cost beside their containers, and where they may run (KEP-688). */
import { isDeepStrictEqual } from 'node:util';
import { runtimeClasses } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { forbidden, type StatusError } from '../status/status-error.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

export function runtimeClassAdmission(lookup: Lookup): AdmissionPlugin {
  const isNewPod = ({ row, operation, subresource }: AdmissionRequest): boolean =>
    operation === 'CREATE' && row.type.resource === 'pods' && row.type.group === '' && subresource === '';
  return {
    name: 'RuntimeClass',
    mutate: async (request) => {
      const { spec } = (request.object ?? {}) as Partial<Pod>;
      if (!isNewPod(request) || !spec) return;
      const refuse = (why: string): StatusError => forbidden(request.row.type, request.name || undefined, why);
      const name = spec.runtimeClassName;
      const found = name ? await lookup.find(runtimeClasses, name) : undefined;
      if (name && !found) throw refuse(`pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
      const overhead = found?.overhead?.podFixed;
      if (Object.keys(spec.overhead ?? {}).length > 0) {
        if (!overhead) throw refuse('pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
        // The decoder has written every amount in the one canonical way.
        if (!isDeepStrictEqual({ ...overhead }, { ...spec.overhead }))
          throw refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
      }
      if (overhead) spec.overhead = { ...overhead };
      const { nodeSelector, tolerations } = found?.scheduling ?? {};
      for (const [key, value] of Object.entries(nodeSelector ?? {})) {
        const own = spec.nodeSelector?.[key];
        if (own !== undefined && own !== value)
          throw refuse(`conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`);
        spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
      }
      for (const one of tolerations ?? [])
        if (!spec.tolerations?.some((t) => isDeepStrictEqual(t, one))) spec.tolerations = [...(spec.tolerations ?? []), one];
    },
  };
}
