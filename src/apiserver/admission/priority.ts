/** A pod's `spec.priority` comes from its PriorityClass, and from nowhere else. */
import { priorityClasses } from '../../api/resource-types.ts';
import type { Pod, PriorityClass } from '../../api/schema/types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { forbidden } from '../status/status-error.ts';
import type { AdmissionPlugin } from './admission.ts';

export function priorityAdmission(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'Priority',
    mutate: async ({ row, operation, subresource, object, old, name }) => {
      if (row.type.resource !== 'pods' || row.type.group !== '' || subresource !== '') return;
      const spec = (object as Pod | undefined)?.spec;
      if (!spec) return;
      if (operation === 'UPDATE') {
        // Whoever replaces a pod by what it was made from does not know them.
        const { priority, preemptionPolicy } = (old as Pod).spec ?? {};
        if (priority !== undefined) spec.priority ??= priority;
        if (preemptionPolicy !== undefined) spec.preemptionPolicy ??= preemptionPolicy;
      }
      if (operation !== 'CREATE') return;
      const found = spec.priorityClassName ? await lookup.find(priorityClasses, spec.priorityClassName) : globalDefault(lookup);
      if (spec.priorityClassName && !found) {
        throw forbidden(row.type, name || undefined, `no PriorityClass with name ${spec.priorityClassName} was found`);
      }
      const priority = found?.value ?? 0;
      if (spec.priority !== undefined && spec.priority !== priority) {
        throw forbidden(
          row.type,
          name || undefined,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
        );
      }
      spec.priority = priority;
      if (found) spec.priorityClassName = found.metadata.name;
      spec.preemptionPolicy ??= found?.preemptionPolicy ?? 'PreemptLowerPriority';
    },
  };
}

/** With several, the lowest wins, as upstream. */
function globalDefault(lookup: Lookup): PriorityClass | undefined {
  return lookup
    .list(priorityClasses)
    .filter((c) => c.globalDefault)
    .sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
}
