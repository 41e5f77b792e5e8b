/** What a RuntimeClass says of its pods becomes part of them: what they cost beside their containers, and where they may run (KEP-688). */
import { isDeepStrictEqual } from 'node:util';
import { pods, runtimeClasses } from '../../api/resource-types.ts';
import type { Pod, PodSpec, RuntimeClass } from '../../api/schema/types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { type AdmissionPlugin, type AdmissionRequest, isWriteOf, refused } from './admission.ts';

export function runtimeClassAdmission(lookup: Lookup): AdmissionPlugin {
  /** The class of a new pod that names one; undefined for everything else. */
  const classOf = async (request: AdmissionRequest): Promise<RuntimeClass | undefined> => {
    const { runtimeClassName: name } = specOf(request) ?? {};
    if (!name) return undefined;
    const found = await lookup.find(runtimeClasses, name);
    if (!found) throw refused(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return found;
  };
  return {
    mutate: async (request) => {
      const found = await classOf(request);
      const spec = specOf(request);
      const why = found && spec && applyClass(spec, found);
      if (why) throw refused(request, why);
    },
    // Once the pod is known to be one: what is wrong with it goes first.
    validate: async (request) => {
      const spec = specOf(request);
      if (Object.keys(spec?.overhead ?? {}).length === 0 || (await classOf(request))?.overhead?.podFixed) return;
      throw refused(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
    },
  };
}

/** Writes into the pod what its class says; returns what in the pod contradicts it. */
function applyClass(spec: PodSpec, { overhead, scheduling }: RuntimeClass): string | undefined {
  const { nodeSelector = {}, tolerations = [] } = scheduling ?? {};
  if (overhead?.podFixed) {
    // The decoder has written every amount in the one canonical way.
    if (Object.keys(spec.overhead ?? {}).length > 0 && !isDeepStrictEqual({ ...overhead.podFixed }, { ...spec.overhead }))
      return "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
    spec.overhead = { ...overhead.podFixed };
  }
  const contrary = Object.entries(nodeSelector).find(([key, value]) => (spec.nodeSelector?.[key] ?? value) !== value);
  if (contrary) {
    const [key, value] = contrary;
    return `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${spec.nodeSelector?.[key]}`;
  }
  if (Object.keys(nodeSelector).length > 0) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
  for (const one of tolerations) {
    const known = spec.tolerations ?? [];
    if (!known.some((own) => isDeepStrictEqual(own, one))) spec.tolerations = [...known, one];
  }
  return undefined;
}

/** Of a new pod. */
function specOf(request: AdmissionRequest): Pod['spec'] {
  return request.operation === 'CREATE' && isWriteOf(request, pods) ? (request.object as Pod).spec : undefined;
}
