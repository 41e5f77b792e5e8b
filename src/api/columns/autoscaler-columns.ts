/** Tables of autoscalers. */
import type { Columns } from '../registry/resource-row.ts';
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, Scale } from '../schema/types.ts';
import { age, column, columnsOf } from './columns.ts';

export const scaleColumns: Columns<Scale> = columnsOf<Scale>([
  column('Desired', ({ spec }) => spec?.replicas ?? 0, { type: 'integer' }),
  column('Available', ({ status }) => status?.replicas ?? 0, { type: 'integer' }),
  age(),
]);

export const autoscalerColumns: Columns<HorizontalPodAutoscaler> = columnsOf<HorizontalPodAutoscaler>([
  column('Reference', ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`),
  column('Targets', ({ spec, status }) => {
    const list = (spec.metrics ?? []).map((metric, index) => targetText(metric, status?.currentMetrics?.[index]));
    if (list.length === 0) return '<none>';
    return list.length > 2 ? `${list.slice(0, 2).join(', ')} + ${list.length - 2} more...` : list.join(', ');
  }),
  column('MinPods', ({ spec }) => String(spec.minReplicas ?? '<unset>')),
  column('MaxPods', ({ spec }) => spec.maxReplicas, { type: 'integer' }),
  column('Replicas', ({ status }) => status?.currentReplicas ?? 0, { type: 'integer' }),
  age(),
]);

/** `cpu: 12%/80%`; what is not measured is `<unknown>`. */
function targetText(metric: MetricSpec, current: MetricStatus | undefined): string {
  const { resource } = metric;
  if (!resource) return '<unknown>';
  const now = current?.resource?.current;
  if (resource.target?.averageUtilization !== undefined) {
    const measured = now?.averageUtilization === undefined ? '<unknown>' : `${now.averageUtilization}%`;
    return `${resource.name}: ${measured}/${resource.target.averageUtilization}%`;
  }
  return `${resource.name}: ${now?.averageValue ?? '<unknown>'}/${resource.target?.averageValue ?? '<auto>'}`;
}
