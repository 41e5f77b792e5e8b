/** Probes and lifecycle hooks of a container. */
import type { LifecycleHandler, Probe } from '../schema/types.ts';
import { type FieldError, forbidden, invalid, invalids, nonNegative, oneOf, required } from './field-error.ts';
import { portOrNameErrors } from './formats.ts';
import { isPort } from './names.ts';

export function probeErrors(probe: Probe, path: string): FieldError[] {
  return [
    ...handlerErrors(probe, path, ['exec', 'httpGet', 'tcpSocket', 'grpc']),
    ...nonNegative(probe.initialDelaySeconds, `${path}.initialDelaySeconds`),
    ...nonNegative(probe.timeoutSeconds, `${path}.timeoutSeconds`),
    ...nonNegative(probe.periodSeconds, `${path}.periodSeconds`),
    ...nonNegative(probe.successThreshold, `${path}.successThreshold`),
    ...nonNegative(probe.failureThreshold, `${path}.failureThreshold`),
    ...(probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0
      ? [invalid(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must be greater than 0')]
      : []),
  ];
}

type HandlerKind = 'exec' | 'httpGet' | 'tcpSocket' | 'grpc' | 'sleep';

export function handlerErrors(handler: LifecycleHandler & Pick<Probe, 'grpc'>, path: string, kinds: readonly HandlerKind[]): FieldError[] {
  const given = kinds.filter((kind) => handler[kind]);
  if (given.length === 0) return [required(path, 'must specify a handler type')];
  const errors = given.slice(1).map((kind) => forbidden(`${path}.${kind}`, 'may not specify more than 1 handler type'));
  const { exec, httpGet, tcpSocket, grpc } = handler;
  if (exec && !exec.command?.length) errors.push(required(`${path}.exec.command`));
  if (httpGet) {
    if (!httpGet.path) errors.push(required(`${path}.httpGet.path`));
    errors.push(
      ...portOrNameErrors(httpGet.port, `${path}.httpGet.port`),
      ...oneOf(httpGet.scheme, `${path}.httpGet.scheme`, ['HTTP', 'HTTPS']),
    );
  }
  if (tcpSocket) errors.push(...portOrNameErrors(tcpSocket.port, `${path}.tcpSocket.port`));
  if (grpc) errors.push(...invalids(`${path}.grpc.port`, grpc.port, isPort(grpc.port)));
  return errors;
}
