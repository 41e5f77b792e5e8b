/** A pod's sandbox as the runtime wants it. Pure. */

import type { Input } from '../../api/codec/message-type.ts';
import type { Pod } from '../../api/schema/types.ts';
import type { DNSConfig, PodSandboxConfig, PortMapping } from '../cri/messages.ts';
import { ProfileType, Protocol } from '../cri/messages.ts';
import { namespaceOptions, supplementalGroups } from './container-config.ts';
import { hostnameOf } from './hosts-file.ts';
import { podLabels } from './labels.ts';
import { podResources } from './resources.ts';
import { allContainers, isSidecar, namespaceOf, specOf, uidOf } from './spec.ts';

export interface SandboxInput {
  readonly pod: Pod;
  readonly attempt: number;
  readonly dns: DNSConfig;
  /** Where the logs of all pods lie: /var/log/pods. */
  readonly logsRoot: string;
}

export function sandboxConfig({ pod, attempt, dns, logsRoot }: SandboxInput): Input<PodSandboxConfig> {
  const spec = specOf(pod);
  const user = spec.securityContext?.runAsUser;
  const group = spec.securityContext?.runAsGroup;
  const sysctls = Object.fromEntries((spec.securityContext?.sysctls ?? []).map((s) => [s.name ?? '', s.value ?? '']));
  return {
    metadata: { name: pod.metadata.name, namespace: namespaceOf(pod), uid: uidOf(pod), attempt },
    // With the node's network comes the node's name; the runtime refuses to set one.
    hostname: spec.hostNetwork ? '' : hostnameOf(pod),
    logDirectory: logDirectory(pod, logsRoot),
    dnsConfig: dns,
    portMappings: spec.hostNetwork ? [] : portMappings(pod),
    labels: {
      ...pod.metadata.labels,
      [podLabels.podName]: pod.metadata.name,
      [podLabels.podNamespace]: namespaceOf(pod),
      [podLabels.podUid]: uidOf(pod),
    },
    annotations: { ...pod.metadata.annotations },
    linux: {
      cgroupParent: podResources(pod).cgroup,
      sysctls,
      securityContext: {
        privileged: allContainers(pod).some((c) => c.securityContext?.privileged),
        namespaceOptions: namespaceOptions(pod),
        ...(user === undefined ? {} : { runAsUser: { value: user } }),
        ...(group === undefined ? {} : { runAsGroup: { value: group } }),
        supplementalGroups: supplementalGroups(pod),
        seccomp: { profileType: ProfileType.RuntimeDefault },
      },
    },
  };
}

export function logDirectory(pod: Pod, logsRoot: string): string {
  return `${logsRoot}/${namespaceOf(pod)}_${pod.metadata.name}_${uidOf(pod)}`;
}

function portMappings(pod: Pod): Input<PortMapping>[] {
  const protocols: Readonly<Record<string, number>> = Protocol;
  const serving = [...specOf(pod).containers, ...(specOf(pod).initContainers ?? []).filter(isSidecar)];
  return serving.flatMap((container) =>
    (container.ports ?? [])
      .filter((p) => p.hostPort)
      .map((p) => ({
        protocol: protocols[p.protocol ?? 'TCP'] ?? Protocol.TCP,
        containerPort: p.containerPort,
        hostPort: p.hostPort,
        hostIp: p.hostIP ?? '',
      })),
  );
}
