/** Pods and pod templates. */
import type { Container, EphemeralContainer, Pod, PodResourceClaim, PodSpec, PodTemplateSpec } from '../schema/types.ts';
import { mirrorPodAnnotationKey } from '../well-known.ts';
import { affinityErrors } from './affinity.ts';
import { containerErrors, hostPortConflicts } from './container.ts';
import {
  between,
  duplicate,
  duplicateNames,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  forbidden,
  invalid,
  invalids,
  nonNegative,
  notSupported,
  oneOf,
  optionalOneOf,
  optionalWellFormed,
  repeats,
  required,
  tooLong,
  wellFormed,
} from './field-error.ts';
import { ipErrors } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain, isQualifiedName } from './names.ts';
import { annotationErrors, labelErrors } from './object-meta.ts';
import { dnsConfigErrors } from './pod-dns.ts';
import { overheadErrors, podResourcesErrors } from './pod-resources.ts';
import { hostUsersErrors, podSecurityErrors } from './security.ts';
import { spreadErrors } from './spread.ts';
import { tolerationErrors } from './toleration.ts';
import { volumesErrors } from './volume.ts';

const maxInt32 = 2 ** 31 - 1;
const maxHostnameBytes = 64;
const operatingSystems: readonly string[] = ['linux', 'windows'];

/** What is wrong with a pod that is created, in upstream's words. */
export function podErrors(pod: Pod): FieldError[] {
  const { metadata, spec } = pod;
  if (!spec) return [required('spec.containers')];
  const errors = podSpecErrors(spec, 'spec', metadata);
  if (spec.ephemeralContainers?.length) errors.push(forbidden('spec.ephemeralContainers', 'cannot be set on create'));
  if (spec.resourceClaims?.length && metadata.annotations?.[mirrorPodAnnotationKey] !== undefined) {
    errors.push(forbidden('', 'static pods do not support resource claims'));
  }
  if (spec.serviceAccountName) return errors;
  return [
    ...errors,
    ...eachOf(spec.volumes, 'spec.volumes', ({ projected }, at) =>
      eachOf(projected?.sources, `${at}.projected.sources`, ({ serviceAccountToken }, source) =>
        serviceAccountToken ? [forbidden(`${source}.serviceAccountToken`, 'must not be specified when serviceAccountName is not set')] : [],
      ),
    ),
  ];
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

/** Errors of a pod's spec. Without `metadata` it is the spec of a template. */
export function podSpecErrors(spec: PodSpec, path: string, metadata?: Pod['metadata']): FieldError[] {
  const { terminationGracePeriodSeconds: grace, activeDeadlineSeconds: deadline } = spec;
  const labels = metadata && (metadata.labels ?? {});
  return [
    ...(grace === undefined
      ? [required(`${path}.terminationGracePeriodSeconds`)]
      : nonNegative(grace, `${path}.terminationGracePeriodSeconds`)),
    ...volumesErrors(spec.volumes, `${path}.volumes`, metadata && (metadata.name ?? '')),
    ...resourceClaimErrors(spec.resourceClaims, `${path}.resourceClaims`),
    ...containersErrors(spec, path, metadata === undefined),
    ...podResourcesErrors(spec, `${path}.resources`),
    ...hostNetworkErrors(spec, `${path}.containers`),
    ...oneOf(spec.restartPolicy, `${path}.restartPolicy`, ['Always', 'OnFailure', 'Never']),
    ...oneOf(spec.dnsPolicy, `${path}.dnsPolicy`, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']),
    ...labelErrors(spec.nodeSelector, `${path}.nodeSelector`),
    ...podSecurityErrors(spec, `${path}.securityContext`),
    ...(spec.affinity ? affinityErrors(spec.affinity, `${path}.affinity`, labels) : []),
    ...dnsConfigErrors(spec, `${path}.dnsConfig`),
    ...eachOf(spec.readinessGates, `${path}.readinessGates`, ({ conditionType = '' }, at) =>
      invalids(`${at}.conditionType`, conditionType, isQualifiedName(conditionType)),
    ),
    ...gateErrors(spec.schedulingGates, `${path}.schedulingGates`),
    ...spreadErrors(spec.topologySpreadConstraints, `${path}.topologySpreadConstraints`, labels),
    ...hostUsersErrors(spec, path),
    ...hostnameErrors(spec, path),
    ...emptyOrWellFormed(spec.serviceAccountName, `${path}.serviceAccountName`, isDns1123Subdomain),
    ...emptyOrWellFormed(spec.nodeName, `${path}.nodeName`, isDns1123Subdomain),
    ...deadlineErrors(deadline, `${path}.activeDeadlineSeconds`, 1),
    ...tolerationErrors(spec.tolerations, `${path}.tolerations`),
    ...eachOf(spec.hostAliases, `${path}.hostAliases`, ({ ip, hostnames }, at) => [
      ...ipErrors(ip, `${at}.ip`),
      ...eachOf(hostnames, `${at}.hostnames`, (name, nameAt) => invalids(nameAt, name, isDns1123Subdomain(name))),
    ]),
    ...emptyOrWellFormed(spec.priorityClassName, `${path}.priorityClassName`, isDns1123Subdomain),
    ...optionalWellFormed(spec.runtimeClassName, `${path}.runtimeClassName`, isDns1123Subdomain),
    ...optionalOneOf(spec.preemptionPolicy, `${path}.preemptionPolicy`, ['PreemptLowerPriority', 'Never']),
    ...overheadErrors(spec.overhead, `${path}.overhead`),
    ...osErrors(spec, path),
  ];
}

function containersErrors(spec: PodSpec, path: string, template: boolean): FieldError[] {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = spec;
  const isRepeated = repeats<string>();
  return [
    ...(containers.length === 0 ? [required(`${path}.containers`)] : []),
    ...eachOf(containers, `${path}.containers`, (one, at) => containerErrors(one, at, { kind: 'main', spec, template })),
    ...hostPortConflicts(containers, `${path}.containers`),
    ...eachOf(initContainers, `${path}.initContainers`, (one, at) => [
      ...containerErrors(one, at, { kind: 'init', spec, template }),
      // Init containers run one after the other, so they may share a port.
      ...hostPortConflicts([one], `${path}.initContainers`),
    ]),
    ...eachOf(ephemeralContainers, `${path}.ephemeralContainers`, (one, at) =>
      containerErrors(one, at, { kind: 'ephemeral', spec, template: false }),
    ),
    ...duplicateNames(containers, `${path}.containers`, '.name', isRepeated),
    ...duplicateNames(initContainers, `${path}.initContainers`, '.name', isRepeated),
    ...duplicateNames(ephemeralContainers, `${path}.ephemeralContainers`, '.name', isRepeated),
  ];
}

function resourceClaimErrors(claims: readonly PodResourceClaim[] | undefined, path: string): FieldError[] {
  const isRepeated = repeats<string>();
  return eachOf(claims, path, (claim, at) => {
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    const given = Object.entries({ resourceClaimName, resourceClaimTemplateName }).filter(([, value]) => value !== undefined);
    const errors = wellFormed(name, `${at}.name`, isDns1123Label);
    if (name && isRepeated(name)) errors.push(duplicate(`${at}.name`, name));
    if (given.length > 1)
      errors.push(invalid(at, claim, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'));
    if (given.length === 0) errors.push(invalid(at, claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'));
    return [...errors, ...given.flatMap(([key, value]) => invalids(`${at}.${key}`, value, isDns1123Subdomain(value ?? '')))];
  });
}

function gateErrors(gates: PodSpec['schedulingGates'], path: string): FieldError[] {
  const isRepeated = repeats<string>();
  return eachOf(gates, path, ({ name = '' }, at) => [
    ...invalids(at, name, isQualifiedName(name)),
    ...(isRepeated(name) ? [duplicate(at, name)] : []),
  ]);
}

function hostnameErrors({ hostname, subdomain, hostnameOverride: override, ...spec }: PodSpec, path: string): FieldError[] {
  const errors = [
    ...emptyOrWellFormed(hostname, `${path}.hostname`, isDns1123Label),
    ...emptyOrWellFormed(subdomain, `${path}.subdomain`, isDns1123Label),
  ];
  if (override === undefined) return errors;
  const at = `${path}.hostnameOverride`;
  if (spec.setHostnameAsFQDN) errors.push(forbidden(at, 'may not be specified when setHostnameAsFQDN is true'));
  if (spec.hostNetwork) errors.push(forbidden(at, 'may not be specified when hostNetwork is true'));
  if (Buffer.byteLength(override) > maxHostnameBytes) errors.push(tooLong(at, maxHostnameBytes));
  return [...errors, ...invalids(at, override, isDns1123Subdomain(override))];
}

/** In the node's own network namespace a container's port is the node's port. */
function hostNetworkErrors({ hostNetwork, containers }: PodSpec, path: string): FieldError[] {
  if (!hostNetwork) return [];
  return eachOf(containers, path, ({ ports }, at) =>
    eachOf(ports, `${at}.ports`, ({ hostPort, containerPort }, portAt) =>
      hostPort && hostPort !== containerPort
        ? [invalid(`${portAt}.hostPort`, hostPort, 'must match `containerPort` when `hostNetwork` is true')]
        : [],
    ),
  );
}

/** `os` is what the pod's author says it runs on; fields of the other operating system are refused. */
function osErrors(spec: PodSpec, path: string): FieldError[] {
  if (!spec.os) return [];
  const { name } = spec.os;
  if (!name) return [required(`${path}.os.name`)];
  if (!operatingSystems.includes(name)) return [notSupported(`${path}.os`, name, operatingSystems)];
  const lists = ['containers', 'initContainers', 'ephemeralContainers'] as const;
  const contexts: readonly [at: string, context: object | undefined][] = [
    [path, spec.securityContext],
    ...lists.flatMap((list) =>
      (spec[list] ?? []).map((one: Container | EphemeralContainer, i) => [`${path}.${list}[${i}]`, one.securityContext] as const),
    ),
  ].map(([at, context]) => [`${at}.securityContext`, context as object | undefined]);
  return contexts.flatMap(([at, context]) => {
    const keys = Object.keys(context ?? {});
    if (name === 'linux') {
      return keys.includes('windowsOptions') ? [forbidden(`${at}.windowsOptions`, 'windows options cannot be set for a linux pod')] : [];
    }
    const alien = keys.filter((key) => key !== 'windowsOptions' && key !== 'runAsNonRoot');
    return alien.map((key) => forbidden(`${at}.${key}`, 'cannot be set for a windows pod'));
  });
}

export function deadlineErrors(seconds: number | undefined, path: string, min: number): FieldError[] {
  return between(seconds, path, min, maxInt32);
}
