/** Probes and lifecycle hooks of a container. */
import type { Lifecycle, LifecycleHandler, Probe } from '../schema/types.ts';
import { eachOf, type FieldError, forbidden, invalid, invalids, nonNegatives, notSupported, oneOf, required } from './field-error.ts';
import { portOrNameErrors } from './formats.ts';
import { isHttpHeaderName, isPort } from './names.ts';

export function probeErrors(probe: Probe, path: string): FieldError[] {
  return [
    ...handlerErrors(probe, path, ['exec', 'httpGet', 'tcpSocket', 'grpc']),
    ...nonNegatives(probe, path, 'initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'),
    ...(probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0
      ? [invalid(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, 'must be greater than 0')]
      : []),
  ];
}

const signals: ReadonlySet<string> = new Set([
  ...['SIGABRT', 'SIGALRM', 'SIGBUS', 'SIGCHLD', 'SIGCLD', 'SIGCONT', 'SIGFPE', 'SIGHUP', 'SIGILL', 'SIGINT', 'SIGIO', 'SIGIOT'],
  ...['SIGKILL', 'SIGPIPE', 'SIGPOLL', 'SIGPROF', 'SIGPWR', 'SIGQUIT', 'SIGSEGV', 'SIGSTKFLT', 'SIGSTOP', 'SIGSYS', 'SIGTERM'],
  ...['SIGTRAP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGURG', 'SIGUSR1', 'SIGUSR2', 'SIGVTALRM', 'SIGWINCH', 'SIGXCPU', 'SIGXFSZ'],
  ...['SIGRTMIN', ...Array.from({ length: 15 }, (_, i) => `SIGRTMIN+${i + 1}`)],
  ...['SIGRTMAX', ...Array.from({ length: 14 }, (_, i) => `SIGRTMAX-${i + 1}`)],
]);

/** `grace` is the pod's terminationGracePeriodSeconds, `os` its `os.name`. */
export function hookErrors(lifecycle: Lifecycle, path: string, grace: number | undefined, os: string | undefined): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of ['postStart', 'preStop'] as const) {
    const handler = lifecycle[key];
    if (!handler) continue;
    errors.push(...handlerErrors(handler, `${path}.${key}`, ['exec', 'httpGet', 'tcpSocket', 'sleep']));
    const seconds = handler.sleep?.seconds ?? 0;
    if (handler.sleep && grace !== undefined && (seconds < 0 || seconds > grace)) {
      const text = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`;
      errors.push(invalid(`${path}.${key}.sleep`, seconds, text));
    }
  }
  const { stopSignal } = lifecycle;
  const at = `${path}.stopSignal`;
  if (stopSignal === undefined) return errors;
  if (os === undefined) return [...errors, forbidden(at, 'may not be set for containers with empty `spec.os.name`')];
  const known = os === 'windows' ? new Set(['SIGKILL', 'SIGTERM']) : signals;
  return known.has(stopSignal) ? errors : [...errors, notSupported(at, stopSignal, [...known].toSorted())];
}

type HandlerKind = 'exec' | 'httpGet' | 'tcpSocket' | 'grpc' | 'sleep';

function handlerErrors(handler: LifecycleHandler & Pick<Probe, 'grpc'>, path: string, kinds: readonly HandlerKind[]): FieldError[] {
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
      ...eachOf(httpGet.httpHeaders, `${path}.httpGet.httpHeaders`, ({ name = '' }) =>
        invalids(`${path}.httpGet.httpHeaders`, name, isHttpHeaderName(name)),
      ),
    );
  }
  if (tcpSocket) errors.push(...portOrNameErrors(tcpSocket.port, `${path}.tcpSocket.port`));
  if (grpc) errors.push(...invalids(`${path}.grpc.port`, grpc.port, isPort(grpc.port)));
  return errors;
}
