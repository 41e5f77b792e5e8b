/** A container as the runtime wants it. Pure: environment, mounts and image have been resolved before. */

import type { Input } from '../../api/codec/message-type.ts';
import type { Container, Pod, SeccompProfile } from '../../api/schema/types.ts';
import type { ContainerConfig, LinuxContainerSecurityContext, Mount, NamespaceOption, SecurityProfile } from '../cri/messages.ts';
import { MountPropagation, NamespaceMode, ProfileType } from '../cri/messages.ts';
import { expand } from './expand.ts';
import { containerAnnotations, podLabels } from './labels.ts';
import { containerResources } from './resources.ts';
import { containerHash, ephemeralOf, namespaceOf, specOf, uidOf } from './spec.ts';

export interface BindMount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readOnly: boolean;
  readonly propagation?: string | undefined;
}

export interface ContainerInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly imageRef: string;
  readonly env: ReadonlyMap<string, string>;
  readonly mounts: readonly BindMount[];
  readonly restartCount: number;
  /** The file on the node behind terminationMessagePath. */
  readonly terminationLog: string;
  readonly memoryCapacity: number;
  /** Where profiles of seccomp lie, those of type Localhost. */
  readonly seccompRoot: string;
  /** The id of the container whose process namespace an ephemeral container joins. */
  readonly targetId?: string | undefined;
}

const propagations: Readonly<Record<string, number>> = {
  HostToContainer: MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
  Bidirectional: MountPropagation.PROPAGATION_BIDIRECTIONAL,
};

/** What procMount: Default hides (k8s.io/kubernetes pkg/securitycontext). */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function containerConfig(input: ContainerInput): Input<ContainerConfig> {
  const { pod, container, env, restartCount } = input;
  const lookup = (name: string): string | undefined => env.get(name);
  const preStop = container.lifecycle?.preStop;
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: { image: input.imageRef, userSpecifiedImage: container.image ?? '' },
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir ?? '',
    envs: [...env].map(([key, value]) => ({ key, value })),
    mounts: input.mounts.map(mountOf),
    labels: {
      [podLabels.podName]: pod.metadata.name,
      [podLabels.podNamespace]: namespaceOf(pod),
      [podLabels.podUid]: uidOf(pod),
      [podLabels.containerName]: container.name,
    },
    annotations: {
      [containerAnnotations.hash]: containerHash(container),
      [containerAnnotations.restartCount]: String(restartCount),
      [containerAnnotations.terminationMessagePath]: container.terminationMessagePath ?? '/dev/termination-log',
      [containerAnnotations.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
      [containerAnnotations.terminationLog]: input.terminationLog,
      [containerAnnotations.resources]: JSON.stringify(container.resources ?? {}),
      [containerAnnotations.podGracePeriod]: String(specOf(pod).terminationGracePeriodSeconds ?? 30),
      ...(container.ports?.length ? { [containerAnnotations.ports]: JSON.stringify(container.ports) } : {}),
      ...(preStop ? { [containerAnnotations.preStopHandler]: JSON.stringify(preStop) } : {}),
    },
    logPath: `${container.name}/${restartCount}.log`,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: containerResources(pod, container, input.memoryCapacity),
      securityContext: securityContext(input),
    },
  };
}

function mountOf({ containerPath, hostPath, readOnly, propagation }: BindMount): Input<Mount> {
  return { containerPath, hostPath, readonly: readOnly, propagation: propagations[propagation ?? ''] ?? 0 };
}

function securityContext({ pod, container, targetId, seccompRoot }: ContainerInput): Input<LinuxContainerSecurityContext> {
  const of = container.securityContext;
  const whole = specOf(pod).securityContext;
  const user = of?.runAsUser ?? whole?.runAsUser;
  const group = of?.runAsGroup ?? whole?.runAsGroup;
  const privileged = of?.privileged === true;
  const hidden = !privileged && of?.procMount !== 'Unmasked';
  const isEphemeral = ephemeralOf(pod).some((c) => c.name === container.name);
  return {
    privileged,
    capabilities: { addCapabilities: of?.capabilities?.add ?? [], dropCapabilities: of?.capabilities?.drop ?? [] },
    namespaceOptions: isEphemeral && targetId ? { ...namespaceOptions(pod), pid: NamespaceMode.TARGET, targetId } : namespaceOptions(pod),
    ...(user === undefined ? {} : { runAsUser: { value: user } }),
    ...(group === undefined ? {} : { runAsGroup: { value: group } }),
    readonlyRootfs: of?.readOnlyRootFilesystem === true,
    supplementalGroups: supplementalGroups(pod),
    noNewPrivs: of?.allowPrivilegeEscalation === false,
    maskedPaths: hidden ? maskedPaths : [],
    readonlyPaths: hidden ? readonlyPaths : [],
    seccomp: seccompOf(of?.seccompProfile ?? whole?.seccompProfile, seccompRoot),
  };
}

export function supplementalGroups(pod: Pod): number[] {
  const of = specOf(pod).securityContext;
  return [...(of?.supplementalGroups ?? []), ...(of?.fsGroup === undefined ? [] : [of.fsGroup])];
}

export function namespaceOptions(pod: Pod): Input<NamespaceOption> {
  const spec = specOf(pod);
  const shared = spec.shareProcessNamespace ? NamespaceMode.POD : NamespaceMode.CONTAINER;
  return {
    network: spec.hostNetwork ? NamespaceMode.NODE : NamespaceMode.POD,
    pid: spec.hostPID ? NamespaceMode.NODE : shared,
    ipc: spec.hostIPC ? NamespaceMode.NODE : NamespaceMode.POD,
  };
}

function seccompOf(profile: SeccompProfile | undefined, root: string): Input<SecurityProfile> {
  if (profile?.type === 'RuntimeDefault') return { profileType: ProfileType.RuntimeDefault };
  if (profile?.type === 'Localhost')
    return { profileType: ProfileType.Localhost, localhostRef: `${root}/${profile.localhostProfile ?? ''}` };
  return { profileType: ProfileType.Unconfined };
}
