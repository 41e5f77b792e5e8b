/** The refusals of an API server, and what they are called. */
import type { Status } from '../api/schema/types.ts';
import { isKnownError, systemCode } from '../errors/known-error.ts';

/** What the API server answered when it did not do what was asked. */
export class ApiError extends Error {
  readonly status: Status;
  /** The HTTP status code. */
  readonly code: number;
  /** `NotFound`, `Conflict`, `AlreadyExists`, `Expired` … */
  readonly reason: string;

  constructor(status: Status) {
    super(status.message ?? `the API server answered ${status.code}`);
    this.name = 'ApiError';
    this.status = status;
    this.code = status.code ?? 500;
    this.reason = status.reason ?? '';
  }
}

function has(err: unknown, code: number, reason?: string): boolean {
  return err instanceof ApiError && err.code === code && (reason === undefined || err.reason === reason);
}

export function isNotFound(err: unknown): boolean {
  return has(err, 404);
}
export function isAlreadyExists(err: unknown): boolean {
  return has(err, 409, 'AlreadyExists');
}
/** Somebody else wrote the object first. */
export function isConflict(err: unknown): boolean {
  return has(err, 409) && !isAlreadyExists(err);
}
/** Who asks is not known there. */
export function isUnauthorized(err: unknown): boolean {
  return has(err, 401);
}
export function isForbidden(err: unknown): boolean {
  return has(err, 403);
}
export function isInvalid(err: unknown): boolean {
  return has(err, 422);
}
/** Nothing new can be made in a namespace that ends; trying again is of no use. */
export function isNamespaceTerminating(err: unknown): boolean {
  return err instanceof ApiError && (err.status.details?.causes ?? []).some((c) => c.reason === 'NamespaceTerminating');
}
/** `client.get(…).catch(ignoreNotFound)` gives undefined for what is gone; every other error is thrown on. */
export function ignoreNotFound(err: unknown): undefined {
  if (!isNotFound(err)) throw err;
  return undefined;
}

/** There was no answer, as the server's certificate does not hold yet, or no longer, by the clock of this machine. */
export function isOutOfTime(err: unknown): boolean {
  return /CERT_(NOT_YET_VALID|HAS_EXPIRED)/.test(systemCode(isKnownError(err) ? err.cause : err) ?? '');
}
