/** Defaults of pods and of the pod templates of workloads. */
import type { Pod, PodSpec, PodTemplateSpec } from '../schema/types.ts';
import { defaultContainer, defaultRequests } from './container.ts';
import { defaultVolume } from './volume.ts';

export function defaultPod(pod: Pod): void {
  const { spec, status } = pod;
  // The fields of one address family are older than the lists of both; whoever writes only the old one means it.
  if (status?.podIP && status.podIPs?.[0]?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }];
  if (status?.hostIP && status.hostIPs?.[0]?.ip !== status.hostIP) status.hostIPs = [{ ip: status.hostIP }];
  if (!spec) return;
  defaultPodSpec(spec);
  spec.enableServiceLinks ??= true;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  containers.forEach(defaultRequests);
  if (spec.hostNetwork) for (const { ports } of containers) for (const port of ports ?? []) port.hostPort ||= port.containerPort;
}

export function defaultTemplate(template: PodTemplateSpec | undefined): void {
  if (template?.spec) defaultPodSpec(template.spec);
}

function defaultPodSpec(spec: PodSpec): void {
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.restartPolicy ||= 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ||= 'default-scheduler';
  // `serviceAccount` is the field's old name: upstream shows both, and the new one wins.
  spec.serviceAccountName ||= spec.serviceAccount;
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else delete spec.serviceAccountName;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]) {
    defaultContainer(container);
  }
  spec.volumes?.forEach(defaultVolume);
}
