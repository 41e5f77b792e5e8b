/** Rules that say which requests a webhook or policy is for. */
import type { RuleWithOperations } from '../schema/types.ts';
import { eachOf, type FieldError, invalid, invalids, notSupported, optionalOneOf, required } from './field-error.ts';

export function ruleErrors(rule: RuleWithOperations, path: string): FieldError[] {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [] } = rule;
  const supported = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
  return [
    ...listErrors(operations, `${path}.operations`, 'operations'),
    ...eachOf(operations, `${path}.operations`, (one, at) => (supported.includes(one) ? [] : [notSupported(at, one, supported)])),
    ...listErrors(apiGroups, `${path}.apiGroups`, 'API groups'),
    ...listErrors(apiVersions, `${path}.apiVersions`, 'API versions'),
    ...eachOf(apiVersions, `${path}.apiVersions`, (one, at) => (one === '' ? [required(at)] : [])),
    ...resourceErrors(resources, `${path}.resources`),
    ...optionalOneOf(rule.scope, `${path}.scope`, ['*', 'Cluster', 'Namespaced']),
  ];
}

/** At least one; a star stands alone. */
function listErrors(list: readonly string[], path: string, what: string): FieldError[] {
  if (list.length === 0) return [required(path)];
  return list.length > 1 && list.includes('*') ? [invalid(path, list, `if '*' is present, must not specify other ${what}`)] : [];
}

/** `pods`, `pods/status`, `pods/*`, `*`, a subresource of all resources. What a star covers is not named again. */
function resourceErrors(resources: readonly string[], path: string): FieldError[] {
  if (resources.length === 0) return [required(path)];
  const wholeOf = new Set<string>();
  const everywhere = new Set<string>();
  // As upstream: the last one without a subresource counts.
  let namesResource = false;
  const each = eachOf(resources, path, (text, at) => {
    if (text === '') return [required(at)];
    const cut = text.indexOf('/');
    if (cut < 0) {
      namesResource = text !== '*';
      return [];
    }
    const [resource, sub] = [text.slice(0, cut), text.slice(cut + 1)];
    const wrong = [
      ...(wholeOf.has(resource) ? [`if '${resource}/*' is present, must not specify ${text}`] : []),
      ...(everywhere.has(sub) ? [`if '*/${sub}' is present, must not specify ${text}`] : []),
    ];
    if (sub === '*') wholeOf.add(resource);
    if (resource === '*') everywhere.add(sub);
    return invalids(at, text, wrong);
  });
  return [
    ...each,
    ...(resources.length > 1 && resources.includes('*/*')
      ? [invalid(path, resources, "if '*/*' is present, must not specify other resources")]
      : []),
    ...(namesResource && resources.includes('*')
      ? [invalid(path, resources, "if '*' is present, must not specify other resources without subresources")]
      : []),
  ];
}
