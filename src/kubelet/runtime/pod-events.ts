/** Events about pods and their containers. */
import type { Container, Pod } from '../../api/schema/types.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import { specOf } from '../pod/spec.ts';

export type EventType = 'Normal' | 'Warning';

export interface PodEvents {
  pod(pod: Pod, type: EventType, reason: string, message: string): void;
  container(pod: Pod, container: { readonly name: string }, type: EventType, reason: string, message: string): void;
}

/** The fieldPath by which `kubectl describe` names the container: `spec.containers{web}`. */
function fieldPathOf(pod: Pod, name: string): string {
  const isIn = (list: readonly Pick<Container, 'name'>[] | undefined): boolean => list?.some((c) => c.name === name) === true;
  const list = isIn(specOf(pod).initContainers) ? 'initContainers' : isIn(specOf(pod).containers) ? 'containers' : 'ephemeralContainers';
  return `spec.${list}{${name}}`;
}

export function podEvents(recorder: EventRecorder): PodEvents {
  return {
    pod: (pod, type, reason, message) => recorder.event(pod, type, reason, message),
    container: (pod, container, type, reason, message) => recorder.event(pod, type, reason, message, fieldPathOf(pod, container.name)),
  };
}
