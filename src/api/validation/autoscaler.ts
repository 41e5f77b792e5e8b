/** HorizontalPodAutoscalers. */
import type {
  ContainerResourceMetricSource,
  CrossVersionObjectReference,
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../schema/types.ts';
import {
  eachOf,
  type FieldError,
  failing,
  forbidden,
  invalid,
  invalids,
  nonNegatives,
  notSupported,
  optionalOneOf,
  positive,
  required,
  wellFormed,
} from './field-error.ts';
import { isNegative, isPositive } from './formats.ts';
import { isDns1123Label, nameIsPathSegment } from './names.ts';
import { containerResourceNameErrors } from './resource-name.ts';

const maxPeriodSeconds = 1800;
const maxWindowSeconds = 3600;
/** The field that says where a metric comes from, by the type of the metric; in upstream's order. */
const sources = {
  Object: 'object',
  External: 'external',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
} as const;
const sourceTypes: readonly string[] = Object.keys(sources).toSorted();

export function autoscalerErrors({ spec }: HorizontalPodAutoscaler): FieldError[] {
  const { minReplicas = 1, maxReplicas = 0, scaleTargetRef, metrics, behavior } = spec ?? {};
  const errors: FieldError[] = [];
  if (minReplicas < 1) errors.push(invalid('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'));
  if (maxReplicas < 1) errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than 0'));
  if (maxReplicas < minReplicas) errors.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
  return [
    ...errors,
    ...referenceErrors(scaleTargetRef, 'spec.scaleTargetRef', true),
    ...eachOf(metrics, 'spec.metrics', metricErrors),
    ...rulesErrors(behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...rulesErrors(behavior?.scaleDown, 'spec.behavior.scaleDown'),
  ];
}

export function autoscalerStatusErrors({ status }: HorizontalPodAutoscaler): FieldError[] {
  return nonNegatives(status, 'status', 'currentReplicas', 'desiredReplicas');
}

/** A scale target must name an API group. ReplicationControllers, of the core group, are the one exception. */
function referenceErrors(ref: CrossVersionObjectReference | undefined, path: string, scaled: boolean): FieldError[] {
  const { kind, name, apiVersion = '' } = ref ?? {};
  const errors = Object.entries({ kind, name }).flatMap(([key, value]) => wellFormed(value, `${path}.${key}`, nameIsPathSegment));
  const at = `${path}.apiVersion`;
  if (apiVersion.split('/').length > 2) return [...errors, invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)];
  const ungrouped = !apiVersion.includes('/') || apiVersion.startsWith('/');
  return scaled && ungrouped && !(apiVersion === 'v1' && kind === 'ReplicationController')
    ? [...errors, invalid(at, apiVersion, 'apiVersion must specify API group')]
    : errors;
}

function metricErrors(metric: MetricSpec, path: string): FieldError[] {
  const { type } = metric;
  const errors: FieldError[] = [];
  if (!type) errors.push(required(`${path}.type`, 'must specify a metric source type'));
  if (!sourceTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, sourceTypes));
  const given = Object.values(sources).filter((key) => metric[key] !== undefined);
  const [first] = given;
  if (first) errors.push(...sourceErrors(metric, first, `${path}.${first}`));
  const expected = sources[type as keyof typeof sources] as string | undefined;
  if (expected && !given.some((key) => key === expected)) {
    errors.push(required(`${path}.${expected}`, 'must populate information for the given metric source'));
  }
  if (given.length === 1) return errors;
  const others = given.filter((key) => key !== expected);
  return [...errors, ...others.map((key) => forbidden(`${path}.${key}`, 'must populate the given metric source only'))];
}

function sourceErrors(metric: MetricSpec, key: (typeof sources)[keyof typeof sources], path: string): FieldError[] {
  const { object, external, pods, resource, containerResource } = metric;
  const target = metric[key]?.target;
  const at = `${path}.target`;
  const errors = targetErrors(target, at);
  switch (key) {
    case 'object':
      return [
        ...errors,
        ...referenceErrors(object?.describedObject, `${path}.describedObject`, false),
        ...identifierErrors(object?.metric, path),
        ...failing([[!hasTarget(target), () => required(`${at}.averageValue`, 'must set either a target value or averageValue')]]),
      ];
    case 'external':
      return [...errors, ...identifierErrors(external?.metric, path), ...externalTargetErrors(target, at)];
    case 'pods': {
      const none = target?.averageValue === undefined;
      const text = 'must specify a positive target averageValue';
      return [...errors, ...identifierErrors(pods?.metric, path), ...failing([[none, () => required(`${at}.averageValue`, text)]])];
    }
    case 'resource':
      return [
        ...errors,
        ...failing([[!resource?.name, () => required(`${path}.name`, 'must specify a resource name')]]),
        ...utilizationErrors(target, at),
      ];
    case 'containerResource':
      return [...errors, ...containerResourceErrors(containerResource, path), ...utilizationErrors(target, at)];
  }
}

function hasTarget(target: MetricTarget | undefined): boolean {
  return target?.value !== undefined || target?.averageValue !== undefined;
}

function externalTargetErrors(target: MetricTarget | undefined, path: string): FieldError[] {
  const both = target?.value !== undefined && target.averageValue !== undefined;
  return failing([
    [!hasTarget(target), () => required(`${path}.averageValue`, 'must set either a target value for metric or a per-pod target')],
    [both, () => forbidden(`${path}.value`, 'may not set both a target value for metric and a per-pod target')],
  ]);
}

function containerResourceErrors(source: ContainerResourceMetricSource | undefined, path: string): FieldError[] {
  const { name, container } = source ?? {};
  return [
    ...(name ? containerResourceNameErrors(name, `${path}.name`) : [required(`${path}.name`, 'must specify a resource name')]),
    ...(container
      ? invalids(`${path}.container`, container, isDns1123Label(container))
      : [required(`${path}.container`, 'must specify a container')]),
  ];
}

function utilizationErrors(target: MetricTarget | undefined, path: string): FieldError[] {
  const [raw, share] = [target?.averageValue, target?.averageUtilization];
  if (raw === undefined && share === undefined) {
    return [required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization')];
  }
  return raw !== undefined && share !== undefined
    ? [forbidden(`${path}.averageValue`, 'may not set both a target raw value and a target utilization')]
    : [];
}

function targetErrors({ type, value, averageValue, averageUtilization }: Partial<MetricTarget> = {}, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!type) errors.push(required(`${path}.type`, 'must specify a metric target type'));
  if (!['Utilization', 'Value', 'AverageValue'].includes(type ?? '')) {
    errors.push(invalid(`${path}.type`, type ?? '', 'must be either Utilization, Value, or AverageValue'));
  }
  for (const [key, text] of Object.entries({ value, averageValue })) {
    if (text !== undefined && !isPositive(text)) errors.push(invalid(`${path}.${key}`, text, 'must be positive'));
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(invalid(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0'));
  }
  return errors;
}

function identifierErrors(metric: MetricIdentifier | undefined, path: string): FieldError[] {
  const at = `${path}.metric.name`;
  return metric?.name ? invalids(at, metric.name, nameIsPathSegment(metric.name)) : [required(at, 'must specify a metric name')];
}

function rulesErrors(rules: HPAScalingRules | undefined, path: string): FieldError[] {
  if (!rules) return [];
  const { stabilizationWindowSeconds: seconds = 0, policies, selectPolicy, tolerance } = rules;
  const at = `${path}.stabilizationWindowSeconds`;
  return [
    ...(seconds < 0 ? [invalid(at, seconds, 'must be greater than or equal to zero')] : []),
    ...(seconds > maxWindowSeconds ? [invalid(at, seconds, `must be less than or equal to ${maxWindowSeconds}`)] : []),
    ...optionalOneOf(selectPolicy, `${path}.selectPolicy`, ['Disabled', 'Max', 'Min']),
    ...(policies?.length ? [] : [required(`${path}.policies`, 'must specify at least one Policy')]),
    ...eachOf(policies, `${path}.policies`, ({ type, value = 0, periodSeconds = 0 }, policyAt) => [
      ...(type === 'Pods' || type === 'Percent' ? [] : [notSupported(`${policyAt}.type`, type, ['Percent', 'Pods'])]),
      ...positive(value, `${policyAt}.value`),
      ...positive(periodSeconds, `${policyAt}.periodSeconds`),
      ...(periodSeconds > maxPeriodSeconds
        ? [invalid(`${policyAt}.periodSeconds`, periodSeconds, `must be less than or equal to ${maxPeriodSeconds}`)]
        : []),
    ]),
    ...(isNegative(tolerance) ? [invalid(`${path}.tolerance`, tolerance, 'must be greater than or equal to 0')] : []),
  ];
}
