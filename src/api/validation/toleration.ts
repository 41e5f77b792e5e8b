/** Tolerations of taints, in pods and RuntimeClasses. */
import type { Toleration } from '../schema/types.ts';
import { eachOf, emptyOrWellFormed, type FieldError, failing, invalid, invalids, notSupported } from './field-error.ts';
import { isLabelValue, isQualifiedName } from './names.ts';

export const taintEffects: readonly string[] = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function tolerationErrors(tolerations: readonly Toleration[] | undefined, path: string): FieldError[] {
  return eachOf(tolerations, path, (toleration, at) => {
    const { key, operator, effect, tolerationSeconds } = toleration;
    const emptyKey = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    const onlyNoExecute = "effect must be 'NoExecute' when `tolerationSeconds` is set";
    return [
      ...emptyOrWellFormed(key, `${at}.key`, isQualifiedName),
      ...failing([
        [!key && operator !== 'Exists', () => invalid(`${at}.operator`, operator ?? '', emptyKey)],
        [tolerationSeconds !== undefined && effect !== 'NoExecute', () => invalid(`${at}.effect`, effect ?? '', onlyNoExecute)],
      ]),
      ...operatorErrors(toleration, `${at}.operator`),
      ...failing([[effect && !taintEffects.includes(effect), () => notSupported(`${at}.effect`, effect, taintEffects)]]),
    ];
  });
}

function operatorErrors({ operator, value }: Toleration, path: string): FieldError[] {
  if (!operator || operator === 'Equal') return invalids(path, value ?? '', isLabelValue(value ?? ''));
  if (operator !== 'Exists') return [notSupported(path, operator, ['Equal', 'Exists'])];
  return value ? [invalid(path, value, "value must be empty when `operator` is 'Exists'")] : [];
}
