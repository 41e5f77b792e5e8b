/** Topology spread constraints, and the label keys that they share with pod affinity. */
import type { LabelSelector, TopologySpreadConstraint } from '../schema/types.ts';
import {
  duplicate,
  eachOf,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  oneOf,
  optionalOneOf,
  positive,
  required,
} from './field-error.ts';
import { selectorErrors } from './formats.ts';
import { isQualifiedName } from './names.ts';

export function spreadErrors(constraints: readonly TopologySpreadConstraint[] | undefined, path: string, labels?: object): FieldError[] {
  return eachOf(constraints, path, (one, at, index) => {
    const { maxSkew = 0, topologyKey, whenUnsatisfiable, minDomains } = one;
    const errors = [
      ...positive(maxSkew, `${at}.maxSkew`),
      ...(topologyKey ? [] : [required(`${at}.topologyKey`, 'can not be empty')]),
      ...oneOf(whenUnsatisfiable, `${at}.whenUnsatisfiable`, ['DoNotSchedule', 'ScheduleAnyway']),
      ...optionalOneOf(one.nodeAffinityPolicy, `${at}.nodeAffinityPolicy`, ['Honor', 'Ignore']),
      ...optionalOneOf(one.nodeTaintsPolicy, `${at}.nodeTaintsPolicy`, ['Honor', 'Ignore']),
      ...labelKeysErrors(one, at, labels),
      ...selectorErrors(one.labelSelector, `${at}.labelSelector`),
    ];
    const again = constraints
      ?.slice(index + 1)
      .some((two) => two.topologyKey === topologyKey && two.whenUnsatisfiable === whenUnsatisfiable);
    if (again) errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`));
    if (minDomains === undefined) return errors;
    errors.push(...positive(minDomains, `${at}.minDomains`));
    if (whenUnsatisfiable === 'DoNotSchedule') return errors;
    const text = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable ?? ''}`;
    return [...errors, invalid(`${at}.minDomains`, minDomains, text)];
  });
}

interface LabelKeys {
  readonly matchLabelKeys?: readonly string[] | undefined;
  readonly mismatchLabelKeys?: readonly string[] | undefined;
  readonly labelSelector?: LabelSelector | undefined;
}

/**
 * `matchLabelKeys` and `mismatchLabelKeys`: the API server adds the pod's own values of these labels to the selector, which therefore must not
 * name them itself. `labels` are the pod's; undefined in a template.
 */
export function labelKeysErrors(
  { matchLabelKeys = [], mismatchLabelKeys = [], labelSelector }: LabelKeys,
  path: string,
  labels?: object,
): FieldError[] {
  const errors = Object.entries({ matchLabelKeys, mismatchLabelKeys }).flatMap(([name, keys]) => [
    ...(keys.length > 0 && !labelSelector ? [forbidden(`${path}.${name}`, 'must not be specified when labelSelector is not set')] : []),
    ...eachOf(keys, `${path}.${name}`, (key, at) => [
      ...invalids(at, key, isQualifiedName(key)),
      ...(name === 'matchLabelKeys' && mismatchLabelKeys.includes(key)
        ? [invalid(at, key, 'exists in both matchLabelKeys and mismatchLabelKeys')]
        : []),
    ]),
  ]);
  const selected = new Set(Object.keys(labelSelector?.matchLabels ?? {}));
  const own = matchLabelKeys.filter((key) => Object.hasOwn(labels ?? {}, key));
  for (const key of [...(labelSelector?.matchExpressions ?? []).map((one) => one.key), ...own]) {
    const index = matchLabelKeys.indexOf(key);
    if (index >= 0 && selected.has(key)) errors.push(invalid(`${path}[${index}]`, key, 'exists in both matchLabelKeys and labelSelector'));
    selected.add(key);
  }
  return errors;
}
