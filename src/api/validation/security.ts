/** Security contexts of pods and containers: users, groups, sysctls, profiles of seccomp and AppArmor. */
import type { AppArmorProfile, Container, EphemeralContainer, PodSecurityContext, PodSpec, SeccompProfile } from '../schema/types.ts';
import {
  between,
  duplicateNames,
  eachOf,
  type FieldError,
  forbidden,
  invalid,
  notSupported,
  oneOf,
  optionalOneOf,
  required,
  tooLong,
} from './field-error.ts';
import { localPathErrors } from './paths.ts';

const maxId = 2 ** 31 - 1;
const maxProfileBytes = 4095;
const profileTypes: readonly string[] = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
/** Sysctls of an IPC namespace. A pod in the host's namespace would change the host's. */
const ipcSysctl = /^(kernel[./](sem$|shm|msg)|fs[./]mqueue[./])/;

/** Of the pod as a whole. */
export function podSecurityErrors(spec: PodSpec, path: string): FieldError[] {
  const { securityContext: context, shareProcessNamespace, hostPID } = spec;
  if (shareProcessNamespace && hostPID) {
    const at = `${path}.shareProcessNamespace`;
    return [invalid(at, true, 'ShareProcessNamespace and HostPID cannot both be enabled'), ...contextErrors(context, spec, path)];
  }
  return contextErrors(context, spec, path);
}

function contextErrors(context: PodSecurityContext | undefined, spec: PodSpec, path: string): FieldError[] {
  if (!context) return [];
  const { sysctls = [] } = context;
  return [
    ...idErrors(context.fsGroup, `${path}.fsGroup`),
    ...idErrors(context.runAsUser, `${path}.runAsUser`),
    ...idErrors(context.runAsGroup, `${path}.runAsGroup`),
    ...eachOf(context.supplementalGroups, `${path}.supplementalGroups`, idErrors),
    ...eachOf(sysctls, `${path}.sysctls`, ({ name }, at) => sysctlErrors(name, `${at}.name`, spec)),
    ...duplicateNames(sysctls, `${path}.sysctls`),
    ...optionalOneOf(context.fsGroupChangePolicy, `${path}.fsGroupChangePolicy`, ['Always', 'OnRootMismatch']),
    ...seccompErrors(context.seccompProfile, `${path}.seccompProfile`),
    ...appArmorErrors(context.appArmorProfile, `${path}.appArmorProfile`),
    ...optionalOneOf(context.supplementalGroupsPolicy, `${path}.supplementalGroupsPolicy`, ['Merge', 'Strict']),
    ...optionalOneOf(context.seLinuxChangePolicy, `${path}.seLinuxChangePolicy`, ['MountOption', 'Recursive']),
  ];
}

function idErrors(id: number | undefined, path: string): FieldError[] {
  return between(id, path, 0, maxId);
}

function sysctlErrors(name: string | undefined, path: string, { hostNetwork, hostIPC }: PodSpec): FieldError[] {
  if (!name) return [required(path)];
  if (name.length > 253 || !sysctlName.test(name)) {
    return [invalid(path, name, `must have at most 253 characters and match regex ${sysctlName.source}`)];
  }
  if (hostNetwork && /^net[./]/.test(name)) return [invalid(path, name, "may not be specified when 'hostNetwork' is true")];
  return hostIPC && ipcSysctl.test(name) ? [invalid(path, name, "may not be specified when 'hostIPC' is true")] : [];
}

/** Of one container; in the user namespace of the node unless `hostUsers` is false. */
export function securityErrors({ securityContext }: Container | EphemeralContainer, path: string, hostUsers: boolean): FieldError[] {
  if (!securityContext) return [];
  const { privileged, allowPrivilegeEscalation, capabilities, procMount } = securityContext;
  const errors = [
    ...idErrors(securityContext.runAsUser, `${path}.runAsUser`),
    ...idErrors(securityContext.runAsGroup, `${path}.runAsGroup`),
    ...(procMount === undefined ? [] : oneOf(procMount, `${path}.procMount`, ['Default', 'Unmasked'])),
    ...seccompErrors(securityContext.seccompProfile, `${path}.seccompProfile`),
    ...appArmorErrors(securityContext.appArmorProfile, `${path}.appArmorProfile`),
  ];
  if (hostUsers && procMount === 'Unmasked') {
    errors.push(invalid(`${path}.procMount`, procMount, '`hostUsers` must be false to use `Unmasked`'));
  }
  if (allowPrivilegeEscalation === false) {
    if (privileged) errors.push(invalid(path, securityContext, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
    if (capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      errors.push(invalid(path, securityContext, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'));
    }
  }
  return errors;
}

/** A profile of type Localhost is a file in the kubelet's folder of profiles: its path may not lead out of that. */
function seccompErrors(profile: SeccompProfile | undefined, path: string): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  const errors: FieldError[] = [];
  if (!type) errors.push(required(`${path}.type`, 'type is required when seccompProfile is set'));
  else if (!profileTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, profileTypes));
  if (type === 'Localhost') {
    if (localhostProfile === undefined) return [required(at, 'must be set when seccomp type is Localhost')];
    return localPathErrors(localhostProfile, at);
  }
  if (localhostProfile !== undefined) errors.push(invalid(at, profile, 'can only be set when seccomp type is Localhost'));
  return errors;
}

function appArmorErrors(profile: AppArmorProfile | undefined, path: string): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile: name } = profile;
  const at = `${path}.localhostProfile`;
  if (!type) return [required(`${path}.type`, 'type is required when appArmorProfile is set')];
  if (!profileTypes.includes(type)) return [notSupported(`${path}.type`, type, profileTypes)];
  if (type !== 'Localhost') return name === undefined ? [] : [invalid(at, name, 'can only be set when AppArmor type is Localhost')];
  if (!name) return [required(at, 'must be set when AppArmor type is Localhost')];
  return [
    ...(name.trim() === name ? [] : [invalid(at, name, 'must not be padded with whitespace')]),
    ...(Buffer.byteLength(name) > maxProfileBytes ? [tooLong(at, maxProfileBytes)] : []),
  ];
}

/** A pod with a user namespace of its own cannot use the host's other namespaces, or block devices. */
export function hostUsersErrors(spec: PodSpec, path: string): FieldError[] {
  if (spec.hostUsers !== false) return [];
  const { hostNetwork, hostPID, hostIPC } = spec;
  const text = 'when `hostUsers` is false';
  const lists = ['containers', 'initContainers', 'ephemeralContainers'] as const;
  return [
    ...(hostNetwork ? [forbidden(`${path}.hostNetwork`, text)] : []),
    ...(hostPID ? [forbidden(`${path}.HostPID`, text)] : []),
    ...(hostIPC ? [forbidden(`${path}.HostIPC`, text)] : []),
    ...lists.flatMap((list) =>
      eachOf<Container | EphemeralContainer>(spec[list], `${path}.${list}`, ({ volumeDevices }, at) =>
        volumeDevices?.length ? [forbidden(`${at}.volumeDevices`, text)] : [],
      ),
    ),
  ];
}
