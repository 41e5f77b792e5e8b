/** Tables of apps/v1, batch/v1 and ReplicationControllers. */

import type { Columns } from '../registry/resource-row.ts';
import type { KubeObject } from '../resource-types.ts';
import type {
  ControllerRevision,
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../schema/types.ts';
import { formatLabelSelector } from '../selector/label.ts';
import { ageOf, humanDuration } from './age.ts';
import { age, type CellColumn, column, columnsOf, labelsText, wide, yesNo } from './columns.ts';

const integer = { type: 'integer' } as const;

export const deploymentColumns: Columns<Deployment> = columnsOf<Deployment>([
  column('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`, {
    description: 'Pods that are ready, of those wanted',
  }),
  column('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0, integer),
  column('Available', ({ status }) => status?.availableReplicas ?? 0, integer),
  age(),
  ...templateColumns<Deployment>((object) => object.spec?.template),
  wide('Selector', ({ spec }) => formatLabelSelector(spec?.selector)),
]);

export const replicaSetColumns: Columns<ReplicaSet> = columnsOf<ReplicaSet>([
  column('Desired', ({ spec }) => spec?.replicas ?? 0, integer),
  column('Current', ({ status }) => status?.replicas ?? 0, integer),
  column('Ready', ({ status }) => status?.readyReplicas ?? 0, integer),
  age(),
  ...templateColumns<ReplicaSet>((object) => object.spec?.template),
  wide('Selector', ({ spec }) => formatLabelSelector(spec?.selector)),
]);

export const replicationControllerColumns: Columns<ReplicationController> = columnsOf<ReplicationController>([
  column('Desired', ({ spec }) => spec?.replicas ?? 0, integer),
  column('Current', ({ status }) => status?.replicas ?? 0, integer),
  column('Ready', ({ status }) => status?.readyReplicas ?? 0, integer),
  age(),
  ...templateColumns<ReplicationController>((object) => object.spec?.template),
  wide('Selector', ({ spec }) => labelsText(spec?.selector)),
]);

export const daemonSetColumns: Columns<DaemonSet> = columnsOf<DaemonSet>([
  column('Desired', ({ status }) => status?.desiredNumberScheduled ?? 0, integer),
  column('Current', ({ status }) => status?.currentNumberScheduled ?? 0, integer),
  column('Ready', ({ status }) => status?.numberReady ?? 0, integer),
  column('Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0, integer),
  column('Available', ({ status }) => status?.numberAvailable ?? 0, integer),
  column('Node Selector', ({ spec }) => labelsText(spec?.template?.spec?.nodeSelector)),
  age(),
  ...templateColumns<DaemonSet>((object) => object.spec?.template),
  wide('Selector', ({ spec }) => formatLabelSelector(spec?.selector)),
]);

export const statefulSetColumns: Columns<StatefulSet> = columnsOf<StatefulSet>([
  column('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
  age(),
  ...templateColumns<StatefulSet>((object) => object.spec?.template),
]);

export const controllerRevisionColumns: Columns<ControllerRevision> = columnsOf<ControllerRevision>([
  column('Controller', controllerText),
  column('Revision', (object) => object.revision, integer),
  age(),
]);

export const jobColumns: Columns<Job> = columnsOf<Job>([
  column('Status', jobStatus),
  column('Completions', ({ spec, status }) => {
    const done = status?.succeeded ?? 0;
    if (spec?.completions !== undefined) return `${done}/${spec.completions}`;
    const parallelism = spec?.parallelism ?? 0;
    return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
  }),
  column('Duration', ({ status }, now) => {
    if (!status?.startTime) return '';
    const end = status.completionTime ? Date.parse(status.completionTime) : now.getTime();
    return humanDuration(end - Date.parse(status.startTime));
  }),
  age(),
  ...templateColumns<Job>((object) => object.spec?.template),
  wide('Selector', ({ spec }) => formatLabelSelector(spec?.selector)),
]);

export const cronJobColumns: Columns<CronJob> = columnsOf<CronJob>([
  column('Schedule', ({ spec }) => spec?.schedule ?? ''),
  column('Timezone', ({ spec }) => spec?.timeZone ?? '<none>'),
  column('Suspend', ({ spec }) => yesNo(spec?.suspend ?? false)),
  column('Active', ({ status }) => status?.active?.length ?? 0, integer),
  column('Last Schedule', ({ status }, now) => (status?.lastScheduleTime ? ageOf(status.lastScheduleTime, now) : '<none>')),
  age(),
  ...templateColumns<CronJob>((object) => object.spec?.jobTemplate?.spec?.template),
  wide('Selector', ({ spec }) => formatLabelSelector(spec?.jobTemplate.spec?.selector) || '<none>'),
]);

/** Names and images of the template's containers, as the wide tables list them. */
export function templateColumns<T extends KubeObject>(template: (object: T) => PodTemplateSpec | undefined): CellColumn<T>[] {
  const list = (object: T, key: 'name' | 'image'): string =>
    (template(object)?.spec?.containers ?? []).map((container) => container[key] ?? '').join(',');
  return [wide('Containers', (object) => list(object, 'name')), wide('Images', (object) => list(object, 'image'))];
}

function jobStatus({ metadata, spec, status }: Job): string {
  const holds = (type: string): boolean => status?.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
  if (holds('Complete')) return 'Complete';
  if (holds('Failed')) return 'Failed';
  if (metadata.deletionTimestamp) return 'Terminating';
  if (holds('Suspended')) return 'Suspended';
  if (holds('FailureTarget')) return 'FailureTarget';
  if (holds('SuccessCriteriaMet')) return 'SuccessCriteriaMet';
  return spec ? 'Running' : '';
}

/** `daemonset.apps/flannel`. */
function controllerText({ metadata }: KubeObject): string {
  const owner = metadata.ownerReferences?.find((one) => one.controller);
  if (!owner) return '<none>';
  const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}
