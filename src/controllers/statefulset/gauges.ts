/** What is counted of StatefulSets, under upstream's names (pkg/controller/statefulset/metrics): of all that there are now. */
import type { Pod, StatefulSet } from '../../api/schema/types.ts';
import type { GaugeSource, Sample } from '../../observability/gauge.ts';
import { controllerOf } from '../ownership/owner.ts';
import { maxUnavailable, unavailableReplicas } from './desired.ts';

interface Copies {
  readonly sets: () => readonly StatefulSet[];
  readonly pods: () => readonly Pod[];
  readonly now: () => number;
}

const prefix = 'statefulset_controller_statefulset';

export function statefulSetGauges({ sets, pods, now }: Copies): GaugeSource[] {
  const of = (read: (set: StatefulSet) => number): Sample[] => sets().map((set) => ({ labels: labelsOf(set), value: read(set) }));
  return [
    {
      name: `${prefix}_max_unavailable`,
      help: 'Maximum number of unavailable pods allowed during StatefulSet rolling updates',
      read: () => of(maxUnavailable),
    },
    {
      name: `${prefix}_unavailable_replicas`,
      help: 'Current number of unavailable pods in StatefulSet',
      read: () => {
        const owned = Map.groupBy(pods(), (pod) => controllerOf(pod.metadata)?.uid);
        return of((set) => unavailableReplicas({ set, pods: owned.get(set.metadata.uid) ?? [], now: now() }));
      },
    },
  ];
}

function labelsOf({ metadata: { namespace = '', name }, spec }: StatefulSet): Sample['labels'] {
  return { statefulset_namespace: namespace, statefulset_name: name, pod_management_policy: spec?.podManagementPolicy ?? '' };
}
