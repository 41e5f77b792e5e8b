/** Workloads of apps/v1, and ReplicationControllers. */
import type {
  DaemonSet,
  Deployment,
  LabelSelector,
  PodTemplateSpec,
  ReplicaSet,
  ReplicationController,
  RollingUpdateStatefulSetStrategy,
  StatefulSet,
} from '../schema/types.ts';
import { labelSelectorOf, selectorOfMap } from '../selector/label.ts';
import { claimSpecErrors } from './claim.ts';
import { eachOf, type FieldError, forbidden, invalid, nonNegative, nonNegatives, notSupported, oneOf, required } from './field-error.ts';
import { countOrPercentErrors, matchErrors, percentAbove100Errors, selectorErrors } from './formats.ts';
import { isDns1123Label } from './names.ts';
import { immutable } from './object-meta.ts';
import { templateErrors } from './pod.ts';

export function deploymentErrors({ spec }: Deployment): FieldError[] {
  if (!spec) return [required('spec.selector')];
  const { strategy } = spec;
  const errors = [
    ...nonNegative(spec.replicas, 'spec.replicas'),
    ...ownSelectorErrors(spec.selector, spec.template, 'deployment'),
    ...alwaysRestarts(spec.template),
    ...nonNegatives(spec, 'spec', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'),
    ...oneOf(strategy?.type, 'spec.strategy.type', ['Recreate', 'RollingUpdate']),
  ];
  if (strategy?.type === 'Recreate' && strategy.rollingUpdate) {
    errors.push(forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'"));
  }
  if (strategy?.type === 'RollingUpdate') errors.push(...rollingErrors(strategy.rollingUpdate, 'spec.strategy.rollingUpdate'));
  if (spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0)) {
    errors.push(invalid('spec.progressDeadlineSeconds', spec.progressDeadlineSeconds, 'must be greater than minReadySeconds'));
  }
  return errors;
}

export function replicaSetErrors({ spec }: ReplicaSet): FieldError[] {
  if (!spec) return [required('spec.selector')];
  return [
    ...nonNegatives(spec, 'spec', 'replicas', 'minReadySeconds'),
    ...ownSelectorErrors(spec.selector, spec.template, 'deployment'),
    ...alwaysRestarts(spec.template),
  ];
}

export function daemonSetErrors({ spec }: DaemonSet): FieldError[] {
  if (!spec) return [required('spec.selector')];
  const { updateStrategy } = spec;
  const errors = [
    ...ownSelectorErrors(spec.selector, spec.template, 'daemon set'),
    ...alwaysRestarts(spec.template),
    ...nonNegatives(spec, 'spec', 'minReadySeconds', 'revisionHistoryLimit'),
    ...oneOf(updateStrategy?.type, 'spec.updateStrategy.type', ['RollingUpdate', 'OnDelete']),
  ];
  if (spec.template?.spec?.activeDeadlineSeconds !== undefined) {
    errors.push(forbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in DaemonSet is not Supported'));
  }
  const rolling = updateStrategy?.rollingUpdate;
  if (updateStrategy?.type !== 'RollingUpdate') return errors;
  const path = 'spec.updateStrategy.rollingUpdate';
  errors.push(
    ...countOrPercentErrors(rolling?.maxUnavailable, `${path}.maxUnavailable`),
    ...countOrPercentErrors(rolling?.maxSurge, `${path}.maxSurge`),
  );
  if (isZero(rolling?.maxUnavailable) && isZero(rolling?.maxSurge)) {
    errors.push(required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  }
  if (!isZero(rolling?.maxUnavailable) && !isZero(rolling?.maxSurge)) {
    errors.push(invalid(`${path}.maxSurge`, rolling?.maxSurge, 'may not be set when maxUnavailable is non-zero'));
  }
  return errors;
}

function statefulSetErrors({ spec }: StatefulSet): FieldError[] {
  if (!spec) return [required('spec.selector')];
  const { podManagementPolicy: management, updateStrategy, persistentVolumeClaimRetentionPolicy: retention } = spec;
  const errors: FieldError[] = [];
  if (!management) errors.push(required('spec.podManagementPolicy'));
  else if (management !== 'OrderedReady' && management !== 'Parallel') {
    errors.push(invalid('spec.podManagementPolicy', management, "must be 'OrderedReady' or 'Parallel'"));
  }
  const rolling = updateStrategy?.rollingUpdate;
  if (!updateStrategy?.type) errors.push(required('spec.updateStrategy'));
  else if (updateStrategy.type === 'RollingUpdate') {
    errors.push(...statefulRollingErrors(rolling, 'spec.updateStrategy.rollingUpdate'));
  } else if (updateStrategy.type !== 'OnDelete') {
    errors.push(invalid('spec.updateStrategy', updateStrategy, "must be 'RollingUpdate' or 'OnDelete'"));
  } else if (rolling) {
    errors.push(invalid('spec.updateStrategy.rollingUpdate', rolling, "only allowed for updateStrategy 'RollingUpdate'"));
  }
  const at = 'spec.persistentVolumeClaimRetentionPolicy';
  for (const key of ['whenDeleted', 'whenScaled'] as const) {
    if (retention && retention[key] !== 'Retain' && retention[key] !== 'Delete') {
      errors.push(notSupported(`${at}.${key}`, retention[key], ['Retain', 'Delete']));
    }
  }
  errors.push(
    ...nonNegatives(spec, 'spec', 'replicas', 'minReadySeconds'),
    ...nonNegative(spec.ordinals?.start, 'spec.ordinals.start'),
    ...ownSelectorErrors(spec.selector, withClaims(spec), 'statefulset'),
    ...alwaysRestarts(spec.template),
  );
  if (spec.template?.spec?.activeDeadlineSeconds !== undefined) {
    errors.push(forbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in StatefulSet is not Supported'));
  }
  return errors;
}

function statefulRollingErrors(rolling: RollingUpdateStatefulSetStrategy | undefined, path: string): FieldError[] {
  const { partition, maxUnavailable } = rolling ?? {};
  const at = `${path}.maxUnavailable`;
  return [
    ...nonNegative(partition, `${path}.partition`),
    ...countOrPercentErrors(maxUnavailable, at),
    ...(maxUnavailable !== undefined && isZero(maxUnavailable) ? [invalid(at, maxUnavailable, 'cannot be 0')] : []),
    ...percentAbove100Errors(maxUnavailable, at),
  ];
}

/** Of a new StatefulSet. An update does not check again what it cannot change: the name of the Service, the claim templates. */
export function newStatefulSetErrors(set: StatefulSet): FieldError[] {
  const name = set.spec?.serviceName;
  return [
    ...statefulSetErrors(set),
    ...eachOf(set.spec?.volumeClaimTemplates, 'spec.volumeClaimTemplates', ({ spec }, at) => claimSpecErrors(spec ?? {}, `${at}.spec`)),
    ...(name ? isDns1123Label(name).map((text) => invalid('spec.serviceName', name, text)) : []),
  ];
}

/** The template as the controller completes it: with a volume for each claim, without the host names that it sets itself. */
function withClaims({ template, volumeClaimTemplates = [] }: NonNullable<StatefulSet['spec']>): PodTemplateSpec {
  if (!template?.spec) return template;
  // Two claim templates of one name make one claim, so one volume.
  const names = new Set(volumeClaimTemplates.map(({ metadata: { name } = { name: '' } }) => name));
  const claimed = [...names].map((name) => ({
    name,
    persistentVolumeClaim: { claimName: name },
  }));
  const others = (template.spec.volumes ?? []).filter((one) => !claimed.some(({ name }) => name === one.name));
  return { ...template, spec: { ...template.spec, hostname: undefined, subdomain: undefined, volumes: [...claimed, ...others] } };
}

/** Fields of a StatefulSet's spec that an update may change. */
const statefulSetMutable: ReadonlySet<string> = new Set([
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]);

export function statefulSetUpdateErrors(next: StatefulSet, old: StatefulSet): FieldError[] {
  const fixed = (set: StatefulSet): object =>
    Object.fromEntries(Object.entries(set.spec ?? {}).filter(([key]) => !statefulSetMutable.has(key)));
  const changed = immutable(fixed(next), fixed(old), 'spec').length > 0;
  const text =
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
  return [...statefulSetErrors(next), ...(changed ? [forbidden('spec', text)] : [])];
}

export function replicationControllerErrors({ spec }: ReplicationController): FieldError[] {
  if (!spec) return [required('spec.selector')];
  const { selector = {}, template } = spec;
  const errors = nonNegatives(spec, 'spec', 'replicas', 'minReadySeconds');
  if (Object.keys(selector).length === 0) errors.push(required('spec.selector'));
  if (!template) return [...errors, required('spec.template')];
  return [
    ...errors,
    ...matchErrors(selectorOfMap(selector), template),
    ...templateErrors(template, 'spec.template'),
    ...alwaysRestarts(template),
  ];
}

/** A workload needs a selector, which must match the pods of its template. */
function ownSelectorErrors(selector: LabelSelector | undefined, template: PodTemplateSpec | undefined, noun: string): FieldError[] {
  if (!selector)
    return [required('spec.selector'), ...(template ? templateErrors(template, 'spec.template') : [required('spec.template')])];
  const errors = selectorErrors(selector, 'spec.selector');
  const wellFormed = errors.length === 0;
  const empty = !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length;
  if (empty) errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${noun}`));
  if (!template) return [...errors, required('spec.template')];
  if (!empty && wellFormed) errors.push(...matchErrors(labelSelectorOf(selector), template));
  return [...errors, ...templateErrors(template, 'spec.template')];
}

function alwaysRestarts(template: PodTemplateSpec | undefined): FieldError[] {
  const policy = template?.spec?.restartPolicy;
  return policy && policy !== 'Always' ? [notSupported('spec.template.spec.restartPolicy', policy, ['Always'])] : [];
}

function rollingErrors(
  rolling: { maxUnavailable?: number | string | undefined; maxSurge?: number | string | undefined } | undefined,
  path: string,
): FieldError[] {
  const errors = [
    ...countOrPercentErrors(rolling?.maxUnavailable, `${path}.maxUnavailable`),
    ...countOrPercentErrors(rolling?.maxSurge, `${path}.maxSurge`),
  ];
  if (isZero(rolling?.maxUnavailable) && isZero(rolling?.maxSurge)) {
    errors.push(invalid(`${path}.maxUnavailable`, rolling?.maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  return [...errors, ...percentAbove100Errors(rolling?.maxUnavailable, `${path}.maxUnavailable`)];
}

/** Text that is neither a number nor a percentage counts as nothing, too. */
function isZero(value: number | string | undefined): boolean {
  return !/^([0-9]+%|[+-]?[0-9]+)$/.test(String(value)) || Number.parseInt(String(value), 10) === 0;
}
