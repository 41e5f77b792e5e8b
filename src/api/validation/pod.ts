import type { Container, Pod, PodSpec, PodTemplateSpec } from '../schema/types.ts';
import { affinityErrors } from './affinity.ts';
import { containerErrors, hostPortConflicts, seccompErrors } from './container.ts';
import { duplicates, eachOf, type FieldError, forbidden, invalid, invalids, nonNegative, oneOf, required } from './field-error.ts';
import { ipErrors, selectorErrors } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain, isQualifiedName, isUnderscoredSubdomain } from './names.ts';
import { annotationErrors, labelErrors } from './object-meta.ts';
import { tolerationErrors } from './toleration.ts';
import { volumesErrors } from './volume.ts';

const maxInt32 = 2 ** 31 - 1;
const maxNameServers = 3;
const maxSearchPaths = 32;
const maxSearchCharacters = 2048;

export function podErrors(pod: Pod): FieldError[] {
  if (!pod.spec) return [required('spec.containers')];
  const errors = podSpecErrors(pod.spec, 'spec');
  if (pod.spec.ephemeralContainers?.length) errors.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'));
  return errors;
}

/** `metadata` and `spec` of a workload's template. */
export function templateErrors(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  return [
    ...labelErrors(template?.metadata?.labels, `${path}.labels`),
    ...annotationErrors(template?.metadata?.annotations, `${path}.annotations`),
    ...(template?.spec ? podSpecErrors(template.spec, `${path}.spec`) : [required(`${path}.spec.containers`)]),
    ...(template?.spec?.ephemeralContainers?.length
      ? [forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ];
}

/** Errors of a pod's spec, in a pod or in a template. */
export function podSpecErrors(spec: PodSpec, path: string): FieldError[] {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = spec;
  const volumes = new Set((spec.volumes ?? []).map((one) => one.name));
  const names = [...containers, ...initContainers, ...ephemeralContainers].map((one) => one.name);
  const pathOfName = (index: number): string => {
    if (index < containers.length) return `${path}.containers[${index}].name`;
    const rest = index - containers.length;
    if (rest < initContainers.length) return `${path}.initContainers[${rest}].name`;
    return `${path}.ephemeralContainers[${rest - initContainers.length}].name`;
  };
  return [
    ...volumesErrors(spec.volumes, `${path}.volumes`),
    ...(containers.length === 0 ? [required(`${path}.containers`)] : []),
    ...eachOf(containers, `${path}.containers`, (one, at) => containerErrors(one, at, { kind: 'main', volumes })),
    ...hostPortConflicts(containers, `${path}.containers`),
    ...eachOf(initContainers, `${path}.initContainers`, (one, at) => containerErrors(one, at, { kind: 'init', volumes })),
    ...eachOf(ephemeralContainers, `${path}.ephemeralContainers`, (one, at) => containerErrors(one, at, { kind: 'ephemeral', volumes })),
    ...duplicates(names, pathOfName),
    ...oneOf(spec.restartPolicy, `${path}.restartPolicy`, ['Always', 'OnFailure', 'Never']),
    ...oneOf(spec.dnsPolicy, `${path}.dnsPolicy`, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']),
    ...dnsConfigErrors(spec, `${path}.dnsConfig`),
    ...labelErrors(spec.nodeSelector, `${path}.nodeSelector`),
    ...hostNetworkErrors(spec, containers, `${path}.containers`),
    ...(spec.affinity ? affinityErrors(spec.affinity, `${path}.affinity`) : []),
    ...nameErrors(spec.serviceAccountName, `${path}.serviceAccountName`, isDns1123Subdomain),
    ...nameErrors(spec.nodeName, `${path}.nodeName`, isDns1123Subdomain),
    ...nameErrors(spec.hostname, `${path}.hostname`, isDns1123Label),
    ...nameErrors(spec.subdomain, `${path}.subdomain`, isDns1123Label),
    ...nameErrors(spec.priorityClassName, `${path}.priorityClassName`, isDns1123Subdomain),
    ...nameErrors(spec.runtimeClassName, `${path}.runtimeClassName`, isDns1123Subdomain),
    ...deadlineErrors(spec.activeDeadlineSeconds, `${path}.activeDeadlineSeconds`, 1),
    ...nonNegative(spec.terminationGracePeriodSeconds, `${path}.terminationGracePeriodSeconds`),
    ...eachOf(spec.securityContext?.sysctls, `${path}.securityContext.sysctls`, ({ name }, at) => sysctlErrors(name, `${at}.name`)),
    ...duplicates(
      (spec.securityContext?.sysctls ?? []).map((one) => one.name ?? ''),
      (index) => `${path}.securityContext.sysctls[${index}].name`,
    ),
    ...seccompErrors(spec.securityContext?.seccompProfile, `${path}.securityContext.seccompProfile`),
    ...tolerationErrors(spec.tolerations, `${path}.tolerations`),
    ...eachOf(spec.hostAliases, `${path}.hostAliases`, ({ ip, hostnames }, at) => [
      ...ipErrors(ip, `${at}.ip`),
      ...eachOf(hostnames, `${at}.hostnames`, (name, nameAt) => invalids(nameAt, name, isDns1123Subdomain(name))),
    ]),
    ...eachOf(spec.readinessGates, `${path}.readinessGates`, ({ conditionType }, at) =>
      invalids(`${at}.conditionType`, conditionType, isQualifiedName(conditionType ?? '')),
    ),
    ...eachOf(spec.topologySpreadConstraints, `${path}.topologySpreadConstraints`, (one, at) => [
      ...(one.maxSkew > 0 ? [] : [invalid(`${at}.maxSkew`, one.maxSkew, 'must be greater than zero')]),
      ...(one.topologyKey ? [] : [required(`${at}.topologyKey`, 'can not be empty')]),
      ...oneOf(one.whenUnsatisfiable, `${at}.whenUnsatisfiable`, ['DoNotSchedule', 'ScheduleAnyway']),
      ...selectorErrors(one.labelSelector, `${at}.labelSelector`),
    ]),
  ];
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

function sysctlErrors(name: string | undefined, path: string): FieldError[] {
  if (!name) return [required(path)];
  if (name.length <= 253 && sysctlName.test(name)) return [];
  return [invalid(path, name, `must have at most 253 characters and match regex ${sysctlName.source}`)];
}

/** In the node's own network namespace a container's port is the node's port. */
function hostNetworkErrors({ hostNetwork }: PodSpec, containers: readonly Container[], path: string): FieldError[] {
  if (!hostNetwork) return [];
  return eachOf(containers, path, ({ ports }, at) =>
    eachOf(ports, `${at}.ports`, ({ hostPort, containerPort }, portAt) =>
      hostPort && hostPort !== containerPort
        ? [invalid(`${portAt}.containerPort`, containerPort, 'must match `hostPort` when `hostNetwork` is true')]
        : [],
    ),
  );
}

function dnsConfigErrors({ dnsConfig, dnsPolicy }: PodSpec, path: string): FieldError[] {
  if (dnsPolicy === 'None') {
    if (!dnsConfig) return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    if (!dnsConfig.nameservers?.length) {
      return [required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')];
    }
  }
  const { nameservers = [], searches = [], options } = dnsConfig ?? {};
  return [
    ...(nameservers.length > maxNameServers
      ? [invalid(`${path}.nameservers`, nameservers, `must not have more than ${maxNameServers} nameservers`)]
      : []),
    ...eachOf(nameservers, `${path}.nameservers`, ipErrors),
    ...(searches.length > maxSearchPaths
      ? [invalid(`${path}.searches`, searches, `must not have more than ${maxSearchPaths} search paths`)]
      : []),
    ...(searches.join(' ').length > maxSearchCharacters
      ? [
          invalid(
            `${path}.searches`,
            searches,
            `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`,
          ),
        ]
      : []),
    ...eachOf(searches, `${path}.searches`, (search, at) =>
      search === '.' ? [] : invalids(at, search, isUnderscoredSubdomain(search.replace(/\.$/, ''))),
    ),
    ...eachOf(options, `${path}.options`, (option, at) => (option.name ? [] : [required(at, 'must not be empty')])),
  ];
}

export function deadlineErrors(seconds: number | undefined, path: string, min: number): FieldError[] {
  return seconds !== undefined && (seconds < min || seconds > maxInt32)
    ? [invalid(path, seconds, `must be between ${min} and ${maxInt32}, inclusive`)]
    : [];
}

function nameErrors(value: string | undefined, path: string, check: (value: string) => string[]): FieldError[] {
  return value ? invalids(path, value, check(value)) : [];
}
