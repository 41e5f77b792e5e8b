/** Namespaces, Nodes, PodDisruptionBudgets and PriorityClasses. */
import { isDeepStrictEqual } from 'node:util';
import type { Namespace, Node, PodDisruptionBudget, PriorityClass } from '../schema/types.ts';
import {
  duplicate,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  failing,
  forbidden,
  invalid,
  oneOf,
  optionalOneOf,
  repeats,
  wellFormed,
} from './field-error.ts';
import { amountsErrors, cidrErrors, countOrPercentErrors, percentAbove100Errors, selectorErrors } from './formats.ts';
import { isLabelValue, isQualifiedName } from './names.ts';
import { finalizerErrors, immutable } from './object-meta.ts';
import { taintEffects } from './toleration.ts';

/** Higher values are reserved for the classes that upstream makes itself. */
const highestUserPriority = 1_000_000_000;

export function namespaceErrors({ metadata, spec }: Namespace): FieldError[] {
  return [...finalizerErrors(spec?.finalizers ?? [], 'spec.finalizers'), ...podSecurityErrors(metadata.labels)];
}

/** The labels of Pod Security: the level (`pod-security.kubernetes.io/enforce: baseline`) and the version of its rules. */
function podSecurityErrors(labels: Readonly<Record<string, string>> = {}): FieldError[] {
  return ['enforce', 'audit', 'warn'].flatMap((mode) => {
    const key = `pod-security.kubernetes.io/${mode}`;
    const [level, version] = [labels[key], labels[`${key}-version`]];
    return [
      ...(level === undefined || ['privileged', 'baseline', 'restricted'].includes(level)
        ? []
        : [invalid(`metadata.labels[${key}]`, level, 'must be one of privileged, baseline, restricted')]),
      ...(version === undefined || /^(latest|v1\.([1-9][0-9]*|0))$/.test(version)
        ? []
        : [invalid(`metadata.labels[${key}-version]`, version, 'must be "latest" or "v1.x"')]),
    ];
  });
}

export function nodeErrors({ spec, status }: Node): FieldError[] {
  const isRepeated = repeats<string>();
  return [
    ...eachOf(spec?.taints, 'spec.taints', ({ key, value, effect }, at) => {
      const detail = 'taints must be unique by key and effect pair';
      return [
        ...wellFormed(key, `${at}.key`, isQualifiedName),
        ...emptyOrWellFormed(value, `${at}.value`, isLabelValue),
        ...oneOf(effect, `${at}.effect`, taintEffects),
        ...failing([[isRepeated(`${key}:${effect}`), () => ({ ...duplicate(at, { key, value, effect }), detail })]]),
      ];
    }),
    ...eachOf(spec?.podCIDRs, 'spec.podCIDRs', cidrErrors),
    ...onePerFamily(spec?.podCIDRs, 'spec.podCIDRs'),
    ...amountsErrors(status?.capacity, 'status.capacity'),
    ...amountsErrors(status?.allocatable, 'status.allocatable'),
  ];
}

function onePerFamily(cidrs: readonly string[] = [], path: string): FieldError[] {
  const six = cidrs.filter((cidr) => cidr.includes(':')).length;
  return six > 1 || cidrs.length - six > 1 ? [invalid(path, cidrs, 'may specify no more than one CIDR for each IP family')] : [];
}

/** A node keeps its range of pod addresses: routes and pods' addresses depend on it. */
export function nodeUpdateErrors(next: Node, old: Node): FieldError[] {
  const errors = nodeErrors(next);
  const [now, was] = [next.spec?.podCIDRs ?? [], old.spec?.podCIDRs ?? []];
  if (was.length > 0 && !isDeepStrictEqual(now, was))
    errors.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
  const isRepeated = repeats<string>();
  errors.push(
    ...eachOf(next.status?.addresses, 'status.addresses', (address, at) =>
      isRepeated(`${address.type} ${address.address}`) ? [duplicate(at, address)] : [],
    ),
  );
  if (old.spec?.providerID && next.spec?.providerID !== old.spec.providerID) {
    errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  }
  return errors;
}

export function disruptionBudgetErrors({ spec }: PodDisruptionBudget): FieldError[] {
  if (spec?.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    return [invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set')];
  }
  return ['minAvailable', 'maxUnavailable']
    .flatMap((key) => {
      const value = spec?.[key as 'minAvailable' | 'maxUnavailable'];
      return [...countOrPercentErrors(value, `spec.${key}`), ...percentAbove100Errors(value, `spec.${key}`)];
    })
    .concat(
      selectorErrors(spec?.selector, 'spec.selector'),
      optionalOneOf(spec?.unhealthyPodEvictionPolicy, 'spec.unhealthyPodEvictionPolicy', ['AlwaysAllow', 'IfHealthyBudget']),
    );
}

export function priorityClassErrors({ metadata, value = 0, preemptionPolicy }: PriorityClass): FieldError[] {
  const errors: FieldError[] = [];
  const system = metadata.name === 'system-cluster-critical' || metadata.name === 'system-node-critical';
  if (!system && metadata.name?.startsWith('system-')) {
    errors.push(
      forbidden(
        'metadata.name',
        "priority class names with 'system-' prefix are reserved for system use only. error: only system priority classes may use the prefix",
      ),
    );
  }
  if (!system && value > highestUserPriority)
    errors.push(forbidden('value', `maximum allowed value of a user defined priority is ${highestUserPriority}`));
  return [...errors, ...oneOf(preemptionPolicy, 'preemptionPolicy', ['Never', 'PreemptLowerPriority'])];
}

export function priorityClassUpdateErrors(next: PriorityClass, old: PriorityClass): FieldError[] {
  const errors = priorityClassErrors(next);
  if ((next.value ?? 0) !== (old.value ?? 0)) errors.push(forbidden('value', 'may not be changed in an update.'));
  return [...errors, ...immutable(next.preemptionPolicy, old.preemptionPolicy, 'preemptionPolicy')];
}
