/**
 * Errors that a person will read. A message names the action, the quoted value and the state, without a full stop:
 * `Cannot create link "flannel.1": VNI 1 is in use by "vxlan0"`; the hint says what to do next.
 */
import type { ErrorCode } from './codes.ts';

export class KnownError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'KnownError';
    this.code = code;
    this.hint = options.hint;
  }
}

export function isKnownError(err: unknown, code?: ErrorCode): err is KnownError {
  return err instanceof KnownError && (code === undefined || err.code === code);
}

/** The message of anything that was thrown. */
export function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}

/** The `code` of a Node.js system error such as `ENOENT`, or undefined. */
export function systemCode(err: unknown): string | undefined {
  return err instanceof Error && 'code' in err && typeof err.code === 'string' ? err.code : undefined;
}
