/** Affinities of a pod to nodes and to other pods. */
import type { Affinity, PodAffinityTerm } from '../schema/types.ts';
import { eachOf, type FieldError, forbidden, invalid, invalids, required } from './field-error.ts';
import { selectorErrors } from './formats.ts';
import { isDns1123Label, isQualifiedName } from './names.ts';

export function affinityErrors({ nodeAffinity, podAffinity, podAntiAffinity }: Affinity, path: string): FieldError[] {
  const requiredKey = 'requiredDuringSchedulingIgnoredDuringExecution';
  const preferredKey = 'preferredDuringSchedulingIgnoredDuringExecution';
  const errors: FieldError[] = [];
  const terms = nodeAffinity?.[requiredKey]?.nodeSelectorTerms;
  const nodePath = `${path}.nodeAffinity`;
  if (nodeAffinity?.[requiredKey] && !terms?.length) {
    errors.push(required(`${nodePath}.${requiredKey}.nodeSelectorTerms`, 'must have at least one node selector term'));
  }
  errors.push(
    ...eachOf(terms, `${nodePath}.${requiredKey}.nodeSelectorTerms`, (term, at) =>
      eachOf(term.matchExpressions, `${at}.matchExpressions`, expressionErrors),
    ),
  );
  errors.push(
    ...eachOf(nodeAffinity?.[preferredKey], `${nodePath}.${preferredKey}`, ({ weight, preference }, at) => [
      ...weightErrors(weight, `${at}.weight`),
      ...eachOf(preference?.matchExpressions, `${at}.preference.matchExpressions`, expressionErrors),
    ]),
  );
  for (const [key, group] of Object.entries({ podAffinity, podAntiAffinity })) {
    errors.push(
      ...eachOf(group?.[requiredKey], `${path}.${key}.${requiredKey}`, podTermErrors),
      ...eachOf(group?.[preferredKey], `${path}.${key}.${preferredKey}`, ({ weight, podAffinityTerm }, at) => [
        ...weightErrors(weight, `${at}.weight`),
        ...podTermErrors(podAffinityTerm, `${at}.podAffinityTerm`),
      ]),
    );
  }
  return errors;
}

function expressionErrors(
  { key, operator, values = [] }: { key: string; operator: string; values?: string[] | undefined },
  path: string,
): FieldError[] {
  const errors = invalids(`${path}.key`, key ?? '', isQualifiedName(key ?? ''));
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) errors.push(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1) errors.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else {
    errors.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'));
  }
  return errors;
}

function podTermErrors(term: PodAffinityTerm | undefined, path: string): FieldError[] {
  return [
    ...selectorErrors(term?.labelSelector, `${path}.labelSelector`),
    ...selectorErrors(term?.namespaceSelector, `${path}.namespaceSelector`),
    ...eachOf(term?.namespaces, `${path}.namespaces`, (name, at) => invalids(at, name, isDns1123Label(name))),
    ...(term?.topologyKey
      ? invalids(`${path}.topologyKey`, term.topologyKey, isQualifiedName(term.topologyKey))
      : [required(`${path}.topologyKey`, 'can not be empty')]),
  ];
}

function weightErrors(weight: number, path: string): FieldError[] {
  return weight >= 1 && weight <= 100 ? [] : [invalid(path, weight, 'must be in the range 1-100')];
}
