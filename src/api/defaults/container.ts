/** Defaults of containers, as upstream's pkg/apis/core/v1 sets them. */
import type { Container, EphemeralContainer, LifecycleHandler, Probe } from '../schema/types.ts';
import { defaultPullPolicy } from './image-tag.ts';

export function defaultContainer(container: Container | EphemeralContainer): void {
  container.imagePullPolicy ||= defaultPullPolicy(container.image);
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ||= 'TCP';
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ||= 'v1';
    if (valueFrom?.resourceFieldRef) valueFrom.resourceFieldRef.divisor ??= '0';
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) if (probe) defaultProbe(probe);
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop]) if (handler) defaultHandler(handler);
}

/** What is limited and not requested is requested in full. Only in pods: a template keeps what its author wrote. */
export function defaultRequests(container: Container): void {
  const { resources } = container;
  if (!resources?.limits) return;
  resources.requests = { ...resources.limits, ...resources.requests };
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.grpc) probe.grpc.service ??= '';
  defaultHandler(probe);
}

function defaultHandler(handler: Pick<LifecycleHandler, 'httpGet'>): void {
  if (!handler.httpGet) return;
  handler.httpGet.path ||= '/';
  handler.httpGet.scheme ||= 'HTTP';
}
