/** What a RuntimeClass says of its pods becomes part of them: what they cost beside their containers, and where they may run (KEP-688). */
import { isDeepStrictEqual } from 'node:util';
import { runtimeClasses } from '../../api/resource-types.ts';
import type { Pod, RuntimeClass } from '../../api/schema/types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { forbidden, type StatusError } from '../status/status-error.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

export function runtimeClassAdmission(lookup: Lookup): AdmissionPlugin {
  /** The class of a new pod that names one; undefined for everything else. */
  const classOf = async (request: AdmissionRequest): Promise<RuntimeClass | undefined> => {
    const { runtimeClassName: name } = specOf(request) ?? {};
    if (!name) return undefined;
    const found = await lookup.find(runtimeClasses, name);
    if (!found) throw refusal(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return found;
  };
  return {
    name: 'RuntimeClass',
    mutate: async (request) => {
      const found = await classOf(request);
      const spec = specOf(request);
      if (!found || !spec) return;
      const overhead = found.overhead?.podFixed;
      if (overhead) {
        // The decoder has written every amount in the one canonical way.
        if (Object.keys(spec.overhead ?? {}).length > 0 && !isDeepStrictEqual({ ...overhead }, { ...spec.overhead }))
          throw refusal(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        spec.overhead = { ...overhead };
      }
      const { nodeSelector, tolerations } = found.scheduling ?? {};
      for (const [key, value] of Object.entries(nodeSelector ?? {})) {
        const own = spec.nodeSelector?.[key];
        if (own !== undefined && own !== value) {
          const why = `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`;
          throw refusal(request, why);
        }
        spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
      }
      for (const one of tolerations ?? [])
        if (!spec.tolerations?.some((t) => isDeepStrictEqual(t, one))) spec.tolerations = [...(spec.tolerations ?? []), one];
    },
    // Once the pod is known to be one: what is wrong with it goes first.
    validate: async (request) => {
      const spec = specOf(request);
      if (Object.keys(spec?.overhead ?? {}).length === 0 || (await classOf(request))?.overhead?.podFixed) return;
      throw refusal(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
    },
  };
}

/** Of a new pod. */
function specOf({ row, operation, subresource, object }: AdmissionRequest): Pod['spec'] {
  const isNewPod = operation === 'CREATE' && row.type.resource === 'pods' && row.type.group === '' && subresource === '';
  return isNewPod ? (object as Pod).spec : undefined;
}

function refusal({ row, name }: AdmissionRequest, why: string): StatusError {
  return forbidden(row.type, name || undefined, why);
}
