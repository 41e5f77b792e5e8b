/** A pod's affinity to nodes, and its affinity and anti-affinity to other pods. */
import type { Affinity, PodAffinityTerm } from '../schema/types.ts';
import { eachOf, type FieldError, invalid, invalids, required } from './field-error.ts';
import { selectorErrors } from './formats.ts';
import { isDns1123Label, isQualifiedName } from './names.ts';
import { nodeSelectorErrors, preferredTermErrors } from './node-selector.ts';
import { labelKeysErrors } from './spread.ts';

const requiredKey = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferredKey = 'preferredDuringSchedulingIgnoredDuringExecution';

/** `labels` are the pod's; undefined in a template. */
export function affinityErrors({ nodeAffinity, podAffinity, podAntiAffinity }: Affinity, path: string, labels?: object): FieldError[] {
  const wanted = nodeAffinity?.[requiredKey];
  return [
    ...(wanted ? nodeSelectorErrors(wanted, `${path}.nodeAffinity.${requiredKey}`) : []),
    ...eachOf(nodeAffinity?.[preferredKey], `${path}.nodeAffinity.${preferredKey}`, ({ weight, preference }, at) => [
      ...weightErrors(weight, `${at}.weight`),
      ...preferredTermErrors(preference ?? {}, `${at}.preference`),
    ]),
    ...Object.entries({ podAffinity, podAntiAffinity }).flatMap(([key, group]) => [
      ...eachOf(group?.[requiredKey], `${path}.${key}.${requiredKey}`, (term, at) => podTermErrors(term, at, labels)),
      ...eachOf(group?.[preferredKey], `${path}.${key}.${preferredKey}`, ({ weight, podAffinityTerm }, at) => [
        ...weightErrors(weight, `${at}.weight`),
        ...podTermErrors(podAffinityTerm, `${at}.podAffinityTerm`, labels),
      ]),
    ]),
  ];
}

function podTermErrors(term: PodAffinityTerm | undefined, path: string, labels?: object): FieldError[] {
  return [
    ...selectorErrors(term?.labelSelector, `${path}.labelSelector`),
    ...selectorErrors(term?.namespaceSelector, `${path}.namespaceSelector`),
    // Upstream's path for it: `namespace`, without an index.
    ...eachOf(term?.namespaces, path, (name) => invalids(`${path}.namespace`, name, isDns1123Label(name))),
    ...labelKeysErrors(term ?? {}, path, labels),
    ...(term?.topologyKey
      ? invalids(`${path}.topologyKey`, term.topologyKey, isQualifiedName(term.topologyKey))
      : [required(`${path}.topologyKey`, 'can not be empty')]),
  ];
}

function weightErrors(weight: number, path: string): FieldError[] {
  return weight >= 1 && weight <= 100 ? [] : [invalid(path, weight, 'must be in the range 1-100')];
}
