/** RuntimeClasses: which handler of the container runtime runs a pod. */
import type { RuntimeClass } from '../schema/types.ts';
import { duplicates, type FieldError, invalids } from './field-error.ts';
import { amountsErrors } from './formats.ts';
import { isDns1123Label } from './names.ts';
import { labelErrors } from './object-meta.ts';
import { tolerationErrors } from './toleration.ts';

export function runtimeClassErrors({ handler = '', overhead, scheduling }: RuntimeClass): FieldError[] {
  return [
    ...invalids('handler', handler, isDns1123Label(handler)),
    ...amountsErrors(overhead?.podFixed, 'overhead.podFixed'),
    ...labelErrors(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
    ...tolerationErrors(scheduling?.tolerations, 'scheduling.tolerations'),
    ...duplicates(
      (scheduling?.tolerations ?? []).map(({ key, operator, value, effect }) => JSON.stringify([key, operator, value, effect])),
      'scheduling.tolerations',
    ),
  ];
}
