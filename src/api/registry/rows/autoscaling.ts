/** autoscaling: stored as v2; v1, which knows one metric only, is a view of it for older clients. */
import { autoscalerColumns } from '../../columns/autoscaler-columns.ts';
import { defaultAutoscaler } from '../../defaults/autoscaler.ts';
import { horizontalPodAutoscalers, horizontalPodAutoscalersV1 } from '../../resource-types.ts';
import type { AutoscalingV1HorizontalPodAutoscaler, HorizontalPodAutoscaler, MetricSpec } from '../../schema/types.ts';
import { autoscalerErrors, autoscalerStatusErrors } from '../../validation/autoscaler.ts';
import { defineRow } from '../define-row.ts';
import type { Conversion, ResourceRow } from '../resource-row.ts';

type V1 = AutoscalingV1HorizontalPodAutoscaler;
type V2 = HorizontalPodAutoscaler;

/** Where a v1 object carries what v1 has no field for, so that writing it back loses nothing. */
const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior';

const conversion: Conversion<V1> = { fromStored: (stored) => toV1(stored as V2), toStored: toV2 };

const shared = {
  shortNames: ['hpa'],
  categories: ['all'],
  hasStatus: true,
  initialStatus: { desiredReplicas: 0 },
  generationOf: undefined,
};

export const autoscalingRows: readonly ResourceRow[] = [
  defineRow({
    ...shared,
    type: horizontalPodAutoscalers,
    columns: autoscalerColumns,
    validate: autoscalerErrors,
    validateStatus: autoscalerStatusErrors,
    applyDefaults: defaultAutoscaler,
  }),
  defineRow({
    ...shared,
    type: horizontalPodAutoscalersV1,
    schema: 'AutoscalingV1HorizontalPodAutoscaler',
    conversion,
    columns: {
      definitions: autoscalerColumns.definitions,
      cells: (object, now) => autoscalerColumns.cells(toV2(object), now),
    },
    validate: (object) => autoscalerErrors(toV2(object)),
    validateStatus: (object) => autoscalerStatusErrors(toV2(object)),
    applyDefaults: ({ spec }) => {
      if (spec) spec.minReplicas ??= 1;
    },
  }),
];

function isCpu(metric: MetricSpec): boolean {
  return metric.type === 'Resource' && metric.resource?.name === 'cpu' && metric.resource.target?.averageUtilization !== undefined;
}

function toV1({ spec, status, metadata, ...same }: V2): V1 {
  const { metrics = [], behavior, ...kept } = spec ?? {};
  const cpu = metrics.find(isCpu);
  const others = metrics.filter((one) => one !== cpu);
  const annotations = { ...metadata.annotations };
  if (others.length > 0) annotations[metricsAnnotation] = JSON.stringify(others);
  if (behavior) annotations[behaviorAnnotation] = JSON.stringify(behavior);
  const used = status?.currentMetrics?.find((one) => one.resource?.name === 'cpu')?.resource?.current?.averageUtilization;
  const { currentMetrics: _metrics, conditions: _conditions, ...shown } = status ?? { desiredReplicas: 0 };
  const target = cpu?.resource?.target?.averageUtilization;
  return {
    ...same,
    apiVersion: 'autoscaling/v1',
    metadata: Object.keys(annotations).length > 0 ? { ...metadata, annotations } : metadata,
    spec: { ...(kept as V2['spec']), ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    ...(status
      ? {
          status: {
            ...shown,
            currentReplicas: shown.currentReplicas ?? 0,
            ...(used === undefined ? {} : { currentCPUUtilizationPercentage: used }),
          },
        }
      : {}),
  };
}

function toV2({ spec, status, metadata, ...same }: V1): V2 {
  const { targetCPUUtilizationPercentage: target, ...kept } = spec ?? {};
  const { [metricsAnnotation]: metricsText, [behaviorAnnotation]: behaviorText, ...annotations } = metadata.annotations ?? {};
  const others = (parsed(metricsText) ?? []) as MetricSpec[];
  const behavior = parsed(behaviorText) as V2['spec']['behavior'];
  const cpu: MetricSpec[] =
    target === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } } }];
  const metrics = [...cpu, ...others];
  const { currentCPUUtilizationPercentage: _used, ...shown } = status ?? { desiredReplicas: 0 };
  const { annotations: _annotations, ...meta } = metadata;
  return {
    ...same,
    apiVersion: 'autoscaling/v2',
    metadata: Object.keys(annotations).length > 0 ? { ...meta, annotations } : meta,
    spec: { ...(kept as V2['spec']), ...(metrics.length > 0 ? { metrics } : {}), ...(behavior ? { behavior } : {}) },
    ...(status ? { status: shown } : {}),
  };
}

/** The value of an annotation that anybody may have written. */
function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
