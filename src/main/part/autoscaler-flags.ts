/** How HorizontalPodAutoscalers are followed, from the controller manager's flags. */
import { textFlag } from '../../cli/command.ts';
import type { AutoscalerTimes } from '../../controllers/context.ts';
import type { FlagReader } from '../flag-reader.ts';
import type { PartFlag } from './part.ts';

type AutoscalerFlag = `horizontal-pod-autoscaler-${
  | 'sync-period'
  | 'downscale-stabilization'
  | 'tolerance'
  | 'cpu-initialization-period'
  | 'initial-readiness-delay'}`;

export const autoscalerFlags: Readonly<Record<AutoscalerFlag, PartFlag>> = {
  'horizontal-pod-autoscaler-sync-period': textFlag(
    'DURATION',
    'time between two looks at the metrics of a HorizontalPodAutoscaler',
    '15s',
  ),
  'horizontal-pod-autoscaler-downscale-stabilization': textFlag(
    'DURATION',
    'replicas become fewer when nothing asked for more for so long, where the HorizontalPodAutoscaler does not say',
    '5m0s',
  ),
  'horizontal-pod-autoscaler-tolerance': textFlag('FRACTION', 'share of its target by which a metric may be off without an effect', '0.1'),
  'horizontal-pod-autoscaler-cpu-initialization-period': textFlag(
    'DURATION',
    'time after the start of a pod in which its CPU counts only while it is ready',
    '5m0s',
  ),
  'horizontal-pod-autoscaler-initial-readiness-delay': textFlag(
    'DURATION',
    'time after the start of a pod in which a change of its readiness is its first',
    '30s',
  ),
};

/** Throws USAGE. */
export function autoscalerTimesOf(read: FlagReader<AutoscalerFlag>): AutoscalerTimes {
  const ms = (flag: AutoscalerFlag, least: number): number => read.seconds(flag, least, 86_400) * 1000;
  return {
    syncPeriodMs: ms('horizontal-pod-autoscaler-sync-period', 1),
    downWindowMs: ms('horizontal-pod-autoscaler-downscale-stabilization', 0),
    tolerance: read.fraction('horizontal-pod-autoscaler-tolerance', 1),
    cpuBeginningMs: ms('horizontal-pod-autoscaler-cpu-initialization-period', 0),
    readinessBeginningMs: ms('horizontal-pod-autoscaler-initial-readiness-delay', 0),
  };
}
