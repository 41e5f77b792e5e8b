/** `matchConditions`: whether a webhook or policy is for a request, as k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions. */
import type { Compiled } from './admission-compiler.ts';
import type { AdmissionValues } from './admission-values.ts';
import { type Allowance, admissionLimits, BudgetError, Evaluation } from './evaluation.ts';

/** What failed is an error only where none is false. */
export type Match = boolean | { readonly error: string };

export function matchAll(conditions: readonly Compiled[], values: AdmissionValues, failurePolicy: string = 'Fail', all?: Allowance): Match {
  const evaluation = new Evaluation(values, admissionLimits.conditions, all);
  const errors: string[] = [];
  try {
    for (const outcome of conditions.map((one) => evaluation.evaluate(one)))
      if ('error' in outcome) errors.push(outcome.error);
      else if (outcome.value === false) return false;
  } catch (err) {
    if (!(err instanceof BudgetError)) throw err;
    return failurePolicy === 'Ignore' ? false : { error: err.message };
  }
  if (errors.length === 0) return true;
  return failurePolicy === 'Ignore' ? false : { error: aggregate([...new Set(errors)]) };
}

/** As Go joins errors. */
function aggregate(errors: readonly string[]): string {
  return errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]`;
}
