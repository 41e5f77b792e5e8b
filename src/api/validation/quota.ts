/** ResourceQuotas and LimitRanges. */
import { compareQuantity, milli, parseQuantity, type Quantity } from '../quantity/quantity.ts';
import type { LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec } from '../schema/types.ts';
import { duplicate, eachEntry, eachOf, type FieldError, forbidden, invalid, invalids, required } from './field-error.ts';
import { quantityOf } from './formats.ts';
import { isQualifiedName } from './names.ts';
import { immutable } from './object-meta.ts';
import {
  amountErrors,
  containerResourceNameErrors,
  isStandardQuotaName,
  mayOvercommit,
  quotaResourceNameErrors,
  resourceNameErrors,
} from './resource-name.ts';

const podResources: readonly string[] = ['pods', 'cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];
/** What may be counted within a scope. */
const scopes: Readonly<Record<string, readonly string[]>> = {
  Terminating: podResources,
  NotTerminating: podResources,
  NotBestEffort: podResources,
  PriorityClass: podResources,
  CrossNamespacePodAffinity: podResources,
  BestEffort: ['pods'],
  VolumeAttributesClass: ['persistentvolumeclaims', 'requests.storage'],
};
/** Scopes that a pod is in or not, whatever value. */
const plainScopes: readonly string[] = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity'];
const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

export function quotaErrors({ spec, status }: ResourceQuota): FieldError[] {
  return [
    ...countErrors(spec?.hard, 'spec.hard'),
    ...(spec ? [...scopeListErrors(spec), ...scopeSelectorErrors(spec)] : []),
    ...countErrors(status?.hard, 'status.hard'),
    ...countErrors(status?.used, 'status.used'),
  ];
}

export function quotaUpdateErrors(next: ResourceQuota, old: ResourceQuota): FieldError[] {
  const set = (quota: ResourceQuota): string[] => [...new Set(quota.spec?.scopes)].toSorted();
  return [...quotaErrors(next), ...immutable(set(next), set(old), 'spec.scopes')];
}

function countErrors(counts: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  return eachEntry(counts, (name, text) => [
    ...quotaResourceNameErrors(name, `${path}[${name}]`),
    ...amountErrors(name, text, `${path}[${name}]`),
  ]);
}

function scopeListErrors({ scopes: given = [], hard }: ResourceQuotaSpec): FieldError[] {
  const path = 'spec.scopes';
  return [
    ...eachOf(given, path, (scope) => [
      ...(scope in scopes ? [] : [invalid(path, given, 'unsupported scope')]),
      ...misfits(scope, hard).map(() => invalid(path, given, 'unsupported scope applied to resource')),
    ]),
    ...conflicts(given).map(() => invalid(path, given, 'conflicting scopes')),
  ];
}

function scopeSelectorErrors({ scopeSelector, scopes: given, hard }: ResourceQuotaSpec): FieldError[] {
  const path = 'spec.scopeSelector.matchExpressions';
  const list = scopeSelector?.matchExpressions ?? [];
  return [
    ...eachOf(list, path, ({ scopeName, operator, values = [] }) => {
      const errors = misfits(scopeName, hard).map(() => invalid(path, scopeSelector, 'unsupported scope applied to resource'));
      if (!(scopeName in scopes)) errors.push(invalid(`${path}.scopeName`, scopeName, 'unsupported scope'));
      if (plainScopes.includes(scopeName) && operator !== 'Exists') {
        const text =
          "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
        errors.push(invalid(`${path}.operator`, operator, text));
      }
      if (operator === 'In' || operator === 'NotIn') {
        const text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        return values.length > 0 ? errors : [...errors, required(`${path}.values`, text)];
      }
      if (operator === 'Exists' || operator === 'DoesNotExist') {
        const text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
        return values.length === 0 ? errors : [...errors, invalid(`${path}.values`, values, text)];
      }
      return [...errors, invalid(`${path}.operator`, operator, 'not a valid selector operator')];
    }),
    ...conflicts(list.map((one) => one.scopeName)).map(() => invalid(path, given, 'conflicting scopes')),
  ];
}

/** The resources that a scope cannot count. */
function misfits(scope: string, hard: Readonly<Record<string, string>> = {}): string[] {
  const fit = scopes[scope];
  return fit ? Object.keys(hard).filter((name) => isStandardQuotaName(name) && !fit.includes(name)) : [];
}

function conflicts(given: readonly string[]): unknown[] {
  return opposites.filter((pair) => pair.every((scope) => given.includes(scope)));
}

const limitTypes: readonly string[] = ['Container', 'PersistentVolumeClaim', 'Pod'];
const one = parseQuantity('1');

export function limitRangeErrors({ spec }: LimitRange): FieldError[] {
  const seen = new Set<string>();
  return eachOf(spec?.limits, 'spec.limits', (item, at) => {
    const { type = '', min, max } = item;
    const errors = typeErrors(type, `${at}.type`);
    if (seen.has(type)) errors.push(duplicate(`${at}.type`, type));
    seen.add(type);
    if (type === 'PersistentVolumeClaim' && min?.storage === undefined && max?.storage === undefined) {
      errors.push(required(`${at}.limits`, 'either minimum or maximum storage value is required, but neither was provided'));
    }
    return [...errors, ...limitNameErrors(item, at), ...limitOrderErrors(item, at)];
  });
}

function typeErrors(type: string, path: string): FieldError[] {
  const malformed = invalids(path, type, isQualifiedName(type));
  if (malformed.length > 0 || type.includes('/') || limitTypes.includes(type)) return malformed;
  return [invalid(path, type, 'must be a standard limit type or fully qualified')];
}

function limitNameErrors(item: LimitRangeItem, path: string): FieldError[] {
  const { type, max, min, default: limit, defaultRequest, maxLimitRequestRatio } = item;
  const check = type === 'Pod' || type === 'Container' ? containerResourceNameErrors : resourceNameErrors;
  const maps = { max, min, default: limit, defaultRequest, maxLimitRequestRatio };
  return Object.entries(maps).flatMap(([key, map]) => {
    if (type === 'Pod' && key.startsWith('default')) {
      return Object.keys(map ?? {}).length > 0 ? [forbidden(`${path}.${key}`, "may not be specified when `type` is 'Pod'")] : [];
    }
    return eachEntry(map, (name) => check(name, `${path}.${key}[${name}]`));
  });
}

/** min ≤ defaultRequest ≤ default ≤ max, of each resource. */
function limitOrderErrors(item: LimitRangeItem, path: string): FieldError[] {
  const given = item.type === 'Pod' ? { ...item, default: undefined, defaultRequest: undefined } : item;
  const maps = [given.min, given.max, given.default, given.defaultRequest, given.maxLimitRequestRatio];
  const names = new Set(maps.flatMap((map) => Object.keys(map ?? {})));
  return [...names].flatMap((name) => {
    const [min, max, limit, request, ratio] = maps.map((map) => quantityOf(map?.[name] ?? ''));
    const above = (a: Quantity | undefined, b: Quantity | undefined): boolean =>
      a !== undefined && b !== undefined && compareQuantity(a, b) > 0;
    const wrong = (key: 'min' | 'default' | 'defaultRequest' | 'maxLimitRequestRatio', text: string): FieldError =>
      invalid(`${path}.${key}[${name}]`, given[key]?.[name], text);
    const errors: FieldError[] = [];
    if (above(min, max)) errors.push(wrong('min', `min value ${given.min?.[name]} is greater than max value ${given.max?.[name]}`));
    if (above(min, request)) {
      errors.push(
        wrong('defaultRequest', `min value ${given.min?.[name]} is greater than default request value ${given.defaultRequest?.[name]}`),
      );
    }
    if (above(request, max)) {
      errors.push(
        wrong('defaultRequest', `default request value ${given.defaultRequest?.[name]} is greater than max value ${given.max?.[name]}`),
      );
    }
    if (above(request, limit)) {
      const text = `default request value ${given.defaultRequest?.[name]} is greater than default limit value ${given.default?.[name]}`;
      errors.push(wrong('defaultRequest', text));
    }
    if (above(min, limit))
      errors.push(wrong('default', `min value ${given.min?.[name]} is greater than default value ${given.default?.[name]}`));
    if (above(limit, max))
      errors.push(wrong('default', `default value ${given.default?.[name]} is greater than max value ${given.max?.[name]}`));
    if (above(one, ratio)) errors.push(wrong('maxLimitRequestRatio', `ratio ${given.maxLimitRequestRatio?.[name]} is less than 1`));
    if (ratio && min && max && milli(min) > 0n && milli(ratio) * milli(min) > milli(max) * 1000n) {
      const most = (Number(milli(max)) / Number(milli(min))).toFixed(6);
      errors.push(wrong('maxLimitRequestRatio', `ratio ${given.maxLimitRequestRatio?.[name]} is greater than max/min = ${most}`));
    }
    if (!mayOvercommit(name) && limit && request && compareQuantity(limit, request) !== 0) {
      const text = `default value ${given.default?.[name]} must equal to defaultRequest value ${given.defaultRequest?.[name]} in ${name}`;
      errors.push(wrong('defaultRequest', text));
    }
    return errors;
  });
}
