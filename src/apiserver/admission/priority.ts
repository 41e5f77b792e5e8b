/** A pod's `spec.priority` comes from its PriorityClass, and from nowhere else. */
import { pods, priorityClasses } from '../../api/resource-types.ts';
import type { Pod, PodSpec, PriorityClass } from '../../api/schema/types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { type AdmissionPlugin, type AdmissionRequest, isWriteOf, refused } from './admission.ts';

export function priorityAdmission(lookup: Lookup): AdmissionPlugin {
  return {
    mutate: async (request) => {
      const spec = isWriteOf(request, pods) ? (request.object as Pod | undefined)?.spec : undefined;
      if (!spec) return;
      if (request.operation === 'UPDATE') keepPriority(spec, (request.old as Pod).spec);
      if (request.operation === 'CREATE') setPriority(request, spec, await classOf(request, spec, lookup));
    },
  };
}

/** Whoever replaces a pod by what it was made from does not know its priority. */
function keepPriority(spec: PodSpec, old: PodSpec | undefined): void {
  if (old?.priority !== undefined) spec.priority ??= old.priority;
  if (old?.preemptionPolicy !== undefined) spec.preemptionPolicy ??= old.preemptionPolicy;
}

async function classOf(
  request: AdmissionRequest,
  { priorityClassName: name }: PodSpec,
  lookup: Lookup,
): Promise<PriorityClass | undefined> {
  if (!name) return globalDefault(lookup);
  const found = await lookup.find(priorityClasses, name);
  if (!found) throw refused(request, `no PriorityClass with name ${name} was found`);
  return found;
}

function setPriority(request: AdmissionRequest, spec: PodSpec, found: PriorityClass | undefined): void {
  const priority = found?.value ?? 0;
  if (spec.priority !== undefined && spec.priority !== priority) {
    throw refused(
      request,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
    );
  }
  spec.priority = priority;
  if (found) spec.priorityClassName = found.metadata.name;
  spec.preemptionPolicy ??= found?.preemptionPolicy ?? 'PreemptLowerPriority';
}

/** With several, the lowest wins, as upstream. */
function globalDefault(lookup: Lookup): PriorityClass | undefined {
  return lookup
    .list(priorityClasses)
    .filter((c) => c.globalDefault)
    .sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
}
