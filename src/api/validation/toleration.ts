/** Tolerations of a pod. */
import type { Toleration } from '../schema/types.ts';
import { eachOf, emptyOrWellFormed, type FieldError, invalid, invalids, notSupported } from './field-error.ts';
import { isLabelValue, isQualifiedName } from './names.ts';

export const taintEffects: readonly string[] = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function tolerationErrors(tolerations: readonly Toleration[] | undefined, path: string): FieldError[] {
  return eachOf(tolerations, path, ({ key, operator, value, effect, tolerationSeconds }, at) => {
    const errors = emptyOrWellFormed(key, `${at}.key`, isQualifiedName);
    if (!key && operator !== 'Exists') {
      errors.push(
        invalid(
          `${at}.operator`,
          operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.push(invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (operator === 'Exists') {
      if (value) errors.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    } else if (!operator || operator === 'Equal') {
      errors.push(...invalids(`${at}.operator`, value ?? '', isLabelValue(value ?? '')));
    } else {
      errors.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists']));
    }
    return effect && !taintEffects.includes(effect) ? [...errors, notSupported(`${at}.effect`, effect, taintEffects)] : errors;
  });
}
