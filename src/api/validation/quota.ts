/** ResourceQuotas and LimitRanges. */
import { compareQuantity, milli, parseQuantity, type Quantity, quantityOf } from '../quantity/quantity.ts';
import type { LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement } from '../schema/types.ts';
import { duplicate, eachEntry, eachOf, type FieldError, failing, forbidden, invalid, invalids, repeats, required } from './field-error.ts';
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
/** Scopes that have no values to compare: a pod is in one of them or not. */
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
    ...eachOf(list, path, (one) => [
      ...misfits(one.scopeName, hard).map(() => invalid(path, scopeSelector, 'unsupported scope applied to resource')),
      ...failing([
        [!(one.scopeName in scopes), () => invalid(`${path}.scopeName`, one.scopeName, 'unsupported scope')],
        [plainScopes.includes(one.scopeName) && one.operator !== 'Exists', () => invalid(`${path}.operator`, one.operator, onlyExists)],
      ]),
      ...scopeOperatorErrors(one, path),
    ]),
    ...conflicts(list.map((one) => one.scopeName)).map(() => invalid(path, given, 'conflicting scopes')),
  ];
}

const onlyExists =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

function scopeOperatorErrors({ operator, values = [] }: ScopedResourceSelectorRequirement, path: string): FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn': {
      const text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
      return values.length > 0 ? [] : [required(`${path}.values`, text)];
    }
    case 'Exists':
    case 'DoesNotExist': {
      const text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      return values.length === 0 ? [] : [invalid(`${path}.values`, values, text)];
    }
    default:
      return [invalid(`${path}.operator`, operator, 'not a valid selector operator')];
  }
}

/** The resources in `hard` that cannot be counted within the scope. */
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
  const isRepeated = repeats<string>();
  return eachOf(spec?.limits, 'spec.limits', (item, at) => {
    const { type = '', min, max } = item;
    const errors = typeErrors(type, `${at}.type`);
    if (isRepeated(type)) errors.push(duplicate(`${at}.type`, type));
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

type LimitKey = 'min' | 'max' | 'default' | 'defaultRequest';

interface LimitOrder {
  readonly low: LimitKey;
  readonly high: LimitKey;
  /** Which of the two the error names. */
  readonly at: LimitKey;
  /** What the message calls both. */
  readonly words: readonly [low: string, high: string];
}

/** min ≤ defaultRequest ≤ default ≤ max. */
const limitOrder: readonly LimitOrder[] = [
  { low: 'min', high: 'max', at: 'min', words: ['min', 'max'] },
  { low: 'min', high: 'defaultRequest', at: 'defaultRequest', words: ['min', 'default request'] },
  { low: 'defaultRequest', high: 'max', at: 'defaultRequest', words: ['default request', 'max'] },
  { low: 'defaultRequest', high: 'default', at: 'defaultRequest', words: ['default request', 'default limit'] },
  { low: 'min', high: 'default', at: 'default', words: ['min', 'default'] },
  { low: 'default', high: 'max', at: 'default', words: ['default', 'max'] },
];

/** Whether the minimum, maximum, defaults and ratio of each resource agree. */
function limitOrderErrors(item: LimitRangeItem, path: string): FieldError[] {
  const { min, max, maxLimitRequestRatio: ratio } = item;
  const given = item.type === 'Pod' ? { min, max } : { min, max, default: item.default, defaultRequest: item.defaultRequest };
  const names = new Set([...Object.values(given), ratio].flatMap((map) => Object.keys(map ?? {})));
  return [...names].flatMap((name) => {
    const texts = Object.fromEntries(Object.entries(given).map(([key, map]) => [key, map?.[name]]));
    return [
      ...amountOrderErrors(texts, path, name),
      ...ratioErrors(ratio?.[name], texts, `${path}.maxLimitRequestRatio[${name}]`),
      ...overcommitErrors(texts, path, name),
    ];
  });
}

type LimitTexts = Readonly<Partial<Record<LimitKey, string | undefined>>>;

function amountOrderErrors(texts: LimitTexts, path: string, name: string): FieldError[] {
  return limitOrder
    .filter(({ low, high }) => isAbove(quantityOf(texts[low] ?? ''), quantityOf(texts[high] ?? '')))
    .map(({ low, high, at, words }) =>
      invalid(`${path}.${at}[${name}]`, texts[at], `${words[0]} value ${texts[low]} is greater than ${words[1]} value ${texts[high]}`),
    );
}

function ratioErrors(text: string | undefined, texts: LimitTexts, path: string): FieldError[] {
  const [ratio, min, max] = [text, texts.min, texts.max].map((amount) => quantityOf(amount ?? ''));
  const errors = isAbove(one, ratio) ? [invalid(path, text, `ratio ${text} is less than 1`)] : [];
  if (!ratio || !min || !max || milli(min) <= 0n || milli(ratio) * milli(min) <= milli(max) * 1000n) return errors;
  const most = (Number(milli(max)) / Number(milli(min))).toFixed(6);
  return [...errors, invalid(path, text, `ratio ${text} is greater than max/min = ${most}`)];
}

function overcommitErrors(texts: LimitTexts, path: string, name: string): FieldError[] {
  const [limit, request] = [quantityOf(texts.default ?? ''), quantityOf(texts.defaultRequest ?? '')];
  if (mayOvercommit(name) || !limit || !request || compareQuantity(limit, request) === 0) return [];
  const text = `default value ${texts.default} must equal to defaultRequest value ${texts.defaultRequest} in ${name}`;
  return [invalid(`${path}.defaultRequest[${name}]`, texts.defaultRequest, text)];
}

function isAbove(a: Quantity | undefined, b: Quantity | undefined): boolean {
  return a !== undefined && b !== undefined && compareQuantity(a, b) > 0;
}
