/** A container's own restart policy and rules, which override its pod's (KEP-5307). */
import type { Container } from '../schema/types.ts';
import { eachOf, type FieldError, notSupported, optionalOneOf, required, tooMany } from './field-error.ts';

const maxRules = 20;
const maxCodes = 255;

export function restartErrors({ restartPolicy, restartPolicyRules: rules = [] }: Container, path: string): FieldError[] {
  const at = `${path}.restartPolicyRules`;
  const errors = optionalOneOf(restartPolicy, `${path}.restartPolicy`, ['Always', 'Never', 'OnFailure']);
  if (restartPolicy === undefined && rules.length > 0) {
    errors.push(required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
  }
  if (rules.length > maxRules) errors.push(tooMany(at, rules.length, maxRules));
  return errors.concat(
    eachOf(rules, at, ({ action, exitCodes }, ruleAt) => {
      const wrong = action === 'Restart' ? [] : [notSupported(`${ruleAt}.action`, action, ['Restart'])];
      if (!exitCodes) return [...wrong, required(`${ruleAt}.exitCodes`, 'must be specified')];
      if (exitCodes.operator !== 'In' && exitCodes.operator !== 'NotIn') {
        wrong.push(notSupported(`${ruleAt}.exitCodes.operator`, exitCodes.operator, ['In', 'NotIn']));
      }
      const count = exitCodes.values?.length ?? 0;
      return count > maxCodes ? [...wrong, tooMany(`${ruleAt}.exitCodes.values`, count, maxCodes)] : wrong;
    }),
  );
}
