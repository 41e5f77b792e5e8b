/** Autoscalers: what their readers rely on. */
import type { HorizontalPodAutoscaler } from '../schema/types.ts';
import { eachOf, type FieldError, invalid, required } from './field-error.ts';

export function autoscalerErrors({ spec }: HorizontalPodAutoscaler): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec?.scaleTargetRef?.kind) errors.push(required('spec.scaleTargetRef.kind'));
  if (!spec?.scaleTargetRef?.name) errors.push(required('spec.scaleTargetRef.name'));
  const { minReplicas = 1, maxReplicas = 0 } = spec ?? {};
  if (minReplicas < 1) errors.push(invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
  if (maxReplicas < 1) errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
  if (maxReplicas < minReplicas) errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
  return [
    ...errors,
    ...eachOf(spec?.metrics, 'spec.metrics', ({ type, resource }, at) => {
      if (!type) return [required(`${at}.type`, 'must specify a metric source type')];
      if (!resource) return [];
      return resource.name ? [] : [required(`${at}.resource.name`, 'must specify a resource name')];
    }),
  ];
}
