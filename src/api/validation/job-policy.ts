/** A Job's podFailurePolicy, successPolicy and podReplacementPolicy. */
import type { JobSpec, PodFailurePolicy, PodFailurePolicyRule, SuccessPolicy, SuccessPolicyRule } from '../schema/types.ts';
import {
  duplicate,
  eachOf,
  type FieldError,
  failing,
  invalid,
  invalids,
  nonNegative,
  notSupported,
  repeats,
  required,
  tooLong,
  tooMany,
} from './field-error.ts';
import { isQualifiedName } from './names.ts';

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const operators = ['In', 'NotIn'];
const statuses = ['False', 'True', 'Unknown'];
const maxRules = 20;
const maxExitCodes = 255;
const maxPatterns = 20;
const maxIndexesBytes = 64 * 1024;

export function jobPolicyErrors(spec: JobSpec, path: string): FieldError[] {
  const { podFailurePolicy: failure, successPolicy: success, podReplacementPolicy: replacement } = spec;
  const allowed = failure ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  const unknown = replacement !== undefined && !allowed.includes(replacement);
  return [
    ...(failure ? failurePolicyErrors(spec, failure, `${path}.podFailurePolicy.rules`) : []),
    ...(success ? successPolicyErrors(spec, success, `${path}.successPolicy`) : []),
    ...failing([[unknown, () => notSupported(`${path}.podReplacementPolicy`, replacement, allowed)]]),
  ];
}

function failurePolicyErrors(spec: JobSpec, { rules = [] }: PodFailurePolicy, path: string): FieldError[] {
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = new Set([...containers, ...initContainers].map((one) => one.name));
  return [
    ...failing([[rules.length > maxRules, () => tooMany(path, rules.length, maxRules)]]),
    ...eachOf(rules, path, (rule, at) => failureRuleErrors(spec, rule, at, names)),
  ];
}

function successPolicyErrors(spec: JobSpec, success: SuccessPolicy, path: string): FieldError[] {
  if (spec.completionMode !== 'Indexed') return [invalid(path, success, 'requires indexed completion mode')];
  const { rules = [] } = success;
  const at = `${path}.rules`;
  return [
    ...failing([
      [rules.length === 0, () => required(at, 'at least one rules must be specified when the successPolicy is specified')],
      [rules.length > maxRules, () => tooMany(at, rules.length, maxRules)],
    ]),
    ...eachOf(rules, at, (rule, ruleAt) => successRuleErrors(rule, ruleAt, spec.completions ?? 0)),
  ];
}

function failureRuleErrors(spec: JobSpec, rule: PodFailurePolicyRule, path: string, names: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = [];
  const { action, onExitCodes, onPodConditions = [] } = rule;
  if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
    errors.push(invalid(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set'));
  }
  errors.push(...oneOfListed(action, `${path}.action`, actions));
  if (onExitCodes) errors.push(...exitCodeErrors(onExitCodes, `${path}.onExitCodes`, names));
  const at = `${path}.onPodConditions`;
  if (onPodConditions.length > maxPatterns) errors.push(tooMany(at, onPodConditions.length, maxPatterns));
  errors.push(
    ...eachOf(onPodConditions, at, ({ type, status }, patternAt) => [
      ...invalids(`${patternAt}.type`, type, isQualifiedName(type ?? '')),
      ...oneOfListed(status, `${patternAt}.status`, statuses),
    ]),
  );
  if (onExitCodes && onPodConditions.length > 0) {
    errors.push(whole(path, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  }
  if (!onExitCodes && onPodConditions.length === 0) {
    errors.push(whole(path, 'specifying one of OnExitCodes and OnPodConditions is required'));
  }
  return errors;
}

function exitCodeErrors(
  { operator, containerName, values = [] }: NonNullable<PodFailurePolicyRule['onExitCodes']>,
  path: string,
  names: ReadonlySet<string>,
): FieldError[] {
  const errors = oneOfListed(operator, `${path}.operator`, operators);
  if (containerName !== undefined && !names.has(containerName)) {
    const why = 'must be one of the container or initContainer names in the pod template';
    errors.push(invalid(`${path}.containerName`, containerName, why));
  }
  const at = `${path}.values`;
  if (values.length === 0) errors.push(invalid(at, values, 'at least one value is required'));
  if (values.length > maxExitCodes) errors.push(tooMany(at, values.length, maxExitCodes));
  const isRepeated = repeats<number>();
  errors.push(
    ...eachOf(values, at, (code, codeAt) =>
      failing([
        [operator === 'In' && code === 0, () => invalid(codeAt, code, 'must not be 0 for the In operator')],
        [isRepeated(code), () => duplicate(codeAt, code)],
      ]),
    ),
  );
  if (values.some((code, index) => index > 0 && values[index - 1]! > code)) errors.push(invalid(at, values, 'must be ordered'));
  return errors;
}

function successRuleErrors({ succeededCount, succeededIndexes }: SuccessPolicyRule, path: string, completions: number): FieldError[] {
  if (succeededCount === undefined && succeededIndexes === undefined) {
    return [required(path, 'at least one of succeededCount or succeededIndexes must be specified')];
  }
  const errors: FieldError[] = [];
  let total = 0;
  if (succeededIndexes !== undefined) {
    const at = `${path}.succeededIndexes`;
    if (succeededIndexes.length > maxIndexesBytes) errors.push(tooLong(at, maxIndexesBytes));
    const parsed = indexesTotal(succeededIndexes, completions);
    if (typeof parsed === 'number') total = parsed;
    else errors.push(invalid(at, succeededIndexes, `error parsing succeededIndexes: ${parsed.error}`));
  }
  if (succeededCount === undefined) return errors;
  const at = `${path}.succeededCount`;
  errors.push(...nonNegative(succeededCount, at));
  if (succeededCount > completions) {
    errors.push(invalid(at, succeededCount, `must be less than or equal to ${completions} (the number of specified completions)`));
  }
  if (succeededIndexes !== undefined && succeededCount > total) {
    const why = `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`;
    errors.push(invalid(at, succeededCount, why));
  }
  return errors;
}

/** How many indexes a text such as `0,2-5` names, or what is wrong with it. */
function indexesTotal(text: string, completions: number): number | { readonly error: string } {
  if (text === '') return 0;
  let total = 0;
  let last = -1;
  for (const fragment of text.split(',')) {
    const interval = intervalOf(fragment, completions);
    if ('error' in interval) return interval;
    const { from, to } = interval;
    if (last >= from) return { error: `non-increasing order, previous: ${last}, current: ${from}` };
    total += to - from + 1;
    last = to;
  }
  return total;
}

function intervalOf(fragment: string, completions: number): { readonly from: number; readonly to: number } | { readonly error: string } {
  const limits = fragment.split('-');
  if (limits.length > 2) {
    const rule = "violates the requirement that an index interval can have at most two parts separated by '-'";
    return { error: `the fragment ${JSON.stringify(fragment)} ${rule}` };
  }
  for (const limit of limits) {
    if (!/^[+-]?\d+$/.test(limit)) return { error: `cannot convert string to integer for index: ${JSON.stringify(limit)}` };
    if (Number(limit) >= completions) return { error: `too large index: ${JSON.stringify(limit)}` };
  }
  const from = Number(limits[0]);
  const to = Number(limits[1] ?? limits[0]);
  if (limits.length > 1 && from >= to) return { error: `non-increasing order, previous: ${from}, current: ${to}` };
  return { from, to };
}

/** As `oneOf`, but the error of a missing value lists what it may be. */
function oneOfListed(value: string | undefined, path: string, listed: readonly string[]): FieldError[] {
  if (!value) return [required(path, `valid values: [${listed.map((one) => JSON.stringify(one)).join(' ')}]`)];
  return listed.includes(value) ? [] : [notSupported(path, value, listed)];
}

/** An Invalid that does not show the value: here it is a whole rule. */
function whole(path: string, detail: string): FieldError {
  return { type: 'FieldValueInvalid', path, detail };
}
