/**
 * Every refusal is a `Status` object on the wire. Reasons and messages are those of Kubernetes' `api/errors`: clients compare
 * reasons, people (and scripts) read messages.
 */
import type { Status, StatusCause, StatusDetails } from '../../api/schema/types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';

/** Thrown anywhere while a request is served; the outermost handler writes it as the reply. */
export class StatusError extends Error {
  readonly status: Status;
  readonly code: number;

  constructor(code: number, reason: string, message: string, details?: StatusDetails, continueToken?: string) {
    super(message);
    this.name = 'StatusError';
    this.code = code;
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: continueToken === undefined ? {} : { continue: continueToken },
      status: 'Failure',
      message,
      ...(reason ? { reason } : {}),
      ...(details ? { details } : {}),
      code,
    };
  }

  /** A reply that some other party (a validator, another server) has already put into words. */
  static of(status: Status): StatusError {
    return new StatusError(status.code ?? 500, status.reason ?? 'InternalError', status.message ?? '', status.details);
  }
}

export function isStatusError(err: unknown, reason?: string): err is StatusError {
  return err instanceof StatusError && (reason === undefined || err.status.reason === reason);
}

/** What a message calls a resource: `pods`, `deployments.apps`. */
export interface Named {
  readonly group: string;
  readonly resource: string;
}

function qualified(r: Named): string {
  return r.group ? `${r.resource}.${r.group}` : r.resource;
}

function detailsOf(r: Named, name: string | undefined, causes?: StatusCause[], retryAfterSeconds?: number): StatusDetails {
  return {
    ...(name ? { name } : {}),
    ...(r.group ? { group: r.group } : {}),
    kind: r.resource,
    ...(causes ? { causes } : {}),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}

export function notFound(r: Named, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${qualified(r)} "${name}" not found`, detailsOf(r, name));
}

/** No such path at all. */
export function noSuchPath(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource');
}

export function alreadyExists(r: Named, name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${qualified(r)} "${name}" already exists`, detailsOf(r, name));
}

/** The name that `generateName` made was taken, again and again. */
export function generateNameTaken(r: Named, name: string): StatusError {
  return new StatusError(
    409,
    'AlreadyExists',
    `${qualified(r)} "${name}" already exists, the server was not able to generate a unique name for the object`,
    detailsOf(r, name, undefined, 1),
  );
}

export const objectModified = 'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(r: Named, name: string, why: string = objectModified): StatusError {
  return new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(r)} "${name}": ${why}`, detailsOf(r, name));
}

export function forbidden(r: Named, name: string | undefined, why: string, causes?: StatusCause[]): StatusError {
  const message = name
    ? `${qualified(r)} "${name}" is forbidden: ${why}`
    : r.resource
      ? `${qualified(r)} is forbidden: ${why}`
      : `forbidden: ${why}`;
  return new StatusError(403, 'Forbidden', message, detailsOf(r, name, causes));
}

export const otherNamespace = 'the namespace of the provided object does not match the namespace sent on the request';

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

export function unauthorized(message: string = 'Unauthorized'): StatusError {
  return new StatusError(401, 'Unauthorized', message);
}

export function methodNotAllowed(message: string = 'the server does not allow this method on the requested resource'): StatusError {
  return new StatusError(405, 'MethodNotAllowed', message);
}

/** The resource is there but does not do this. */
export function verbNotSupported(r: Named, verb: string): StatusError {
  return new StatusError(
    405,
    'MethodNotAllowed',
    `${verb} is not supported on resources of kind "${qualified(r)}"`,
    detailsOf(r, undefined),
  );
}

export function notAcceptable(accepted: readonly string[]): StatusError {
  return new StatusError(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

export function bodyTooLarge(limit: number): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limit}`);
}

/** Not the bytes are too many; `why` goes on after "the body ". */
export function bodyExceeds(why: string): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: the body ${why}`);
}

/** The revision asked for has been forgotten; the client must list again. */
export function expired(message: string, continueToken?: string): StatusError {
  return new StatusError(410, 'Expired', message, undefined, continueToken);
}

/** A resourceVersion from the future (of another, newer server, or made up). With `retryAfterSeconds` clients ask for it again before they do without. */
export function resourceVersionTooLarge(asked: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
  });
}

/** What is wrong with the options of a request: `DeleteOptions`, `ListOptions`. */
export function invalidOptions(kind: string, ...errors: readonly FieldError[]): StatusError {
  return StatusError.of(statusOfErrors({ group: 'meta.k8s.io', kind }, '', errors));
}

export function tooManyRequests(message: string, retryAfterSeconds?: number, causes?: StatusCause[]): StatusError {
  const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new StatusError(429, 'TooManyRequests', message, { ...(causes ? { causes } : {}), ...wait });
}

export function internalError(message: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] });
}

export function serviceUnavailable(message: string, retryAfterSeconds?: number): StatusError {
  return new StatusError(503, 'ServiceUnavailable', message, retryAfterSeconds === undefined ? undefined : { retryAfterSeconds });
}

/** The answer to a request that did its work and has no object to show. */
export function success(details?: StatusDetails): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', ...(details ? { details } : {}) };
}
