/** Small questions about a pod's specification. */

import { createHash } from 'node:crypto';
import type { Container, Pod, PodSpec, Volume } from '../../api/schema/types.ts';
import { mirrorPodAnnotationKey } from '../../api/well-known.ts';
import { podAnnotations } from './labels.ts';

/** A pod as the kubelet handles it: the API always sets these. */
export function specOf(pod: Pod): PodSpec {
  return pod.spec ?? { containers: [] };
}

export function uidOf(pod: Pod): string {
  return pod.metadata.uid ?? '';
}

export function namespaceOf(pod: Pod): string {
  return pod.metadata.namespace ?? 'default';
}

/** `name_namespace(uid)`, as events and messages name a pod. */
export function fullNameOf(pod: Pod): string {
  return `${pod.metadata.name}_${namespaceOf(pod)}(${uidOf(pod)})`;
}

/** An init container that keeps running beside the main ones (a sidecar, KEP-753). */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/** The container's own policy, or the pod's. */
export function restartPolicyOf(pod: Pod, container: Container): string {
  return container.restartPolicy ?? specOf(pod).restartPolicy ?? 'Always';
}

/** Whether a container that ended so is started again: by its first rule that fits, or by the policy (KEP-5307). */
export function restartsAfter(pod: Pod, container: Container, exitCode: number): boolean {
  const rule = container.restartPolicyRules?.find(
    ({ exitCodes }) => exitCodes && (exitCodes.values ?? []).includes(exitCode) === (exitCodes.operator === 'In'),
  );
  if (rule?.action === 'Restart') return true;
  const policy = restartPolicyOf(pod, container);
  return policy === 'OnFailure' ? exitCode !== 0 : policy !== 'Never';
}

/** Ephemeral containers differ from others only in what they may not have. */
export function ephemeralOf(pod: Pod): Container[] {
  return (specOf(pod).ephemeralContainers ?? []).map((c) => ({ ...c, name: c.name ?? '' }));
}

/** All but the ephemeral ones: those that have probes, ports and resources. */
export function initAndMainContainers(pod: Pod): Container[] {
  return [...(specOf(pod).initContainers ?? []), ...specOf(pod).containers];
}

export function allContainers(pod: Pod): Container[] {
  return [...initAndMainContainers(pod), ...ephemeralOf(pod)];
}

/** Changes when the container must be replaced. Only name and image count, as nothing else that can change needs a new container. */
export function containerHash(container: Container): string {
  return createHash('sha256')
    .update(JSON.stringify([container.name, container.image]))
    .digest('hex')
    .slice(0, 8);
}

/** From a file of this node, not from the API. */
export function isStatic(pod: Pod): boolean {
  const source = pod.metadata.annotations?.[podAnnotations.source];
  return source !== undefined && source !== 'api';
}

/** A pod as the API has it: whatever its annotations say, it is from no file of this node. */
export function fromApi(pod: Pod): Pod {
  if (!isStatic(pod)) return pod;
  return { ...pod, metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, [podAnnotations.source]: 'api' } } };
}

/** The API's picture of a static pod. */
export function isMirror(pod: Pod): boolean {
  return pod.metadata.annotations?.[mirrorPodAnnotationKey] !== undefined;
}

/** Whether a pod with this phase runs no more. */
export function isFinal(phase: string | undefined): phase is 'Failed' | 'Succeeded' {
  return phase === 'Failed' || phase === 'Succeeded';
}

/**
 * Whether containers must not write to the volume: the pod says so of a claim, or the kubelet writes its files, and goes on to. A link that a
 * container lays among those would lead the kubelet to another place of the node (CVE-2017-1002102).
 */
export function isReadOnly(volume: Volume): boolean {
  return isWrittenByKubelet(volume) || volume.persistentVolumeClaim?.readOnly === true;
}

function isWrittenByKubelet({ configMap, secret, downwardAPI, projected }: Volume): boolean {
  return (configMap ?? secret ?? downwardAPI ?? projected) !== undefined;
}
