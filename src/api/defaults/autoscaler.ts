/** Defaults of HorizontalPodAutoscalers, as upstream's pkg/apis/autoscaling/v2 sets them. */
import type { HorizontalPodAutoscaler, HPAScalingRules } from '../schema/types.ts';

const upRules: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};

// How long a scale-down waits is a flag of the controller.
const downRules: HPAScalingRules = { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] };

export function defaultAutoscaler({ spec }: HorizontalPodAutoscaler): void {
  if (!spec) return;
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length) {
    const target = { type: 'Utilization', averageUtilization: 80 };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  if (!spec.behavior) return;
  spec.behavior.scaleUp = { ...structuredClone(upRules), ...spec.behavior.scaleUp };
  spec.behavior.scaleDown = { ...structuredClone(downRules), ...spec.behavior.scaleDown };
}
