/** Paths inside a volume, none of which may lead out of it. */
import { type FieldError, invalid } from './field-error.ts';

export function backstepErrors(path: string, at: string): FieldError[] {
  return path.split('/').includes('..') ? [invalid(at, path, "must not contain '..'")] : [];
}

/** Errors unless the path is relative and never goes up with `..`. */
export function localPathErrors(path: string, at: string): FieldError[] {
  return [...(path.startsWith('/') ? [invalid(at, path, 'must be a relative path')] : []), ...backstepErrors(path, at)];
}

/** As `localPathErrors`, for files that the kubelet writes: it uses names that begin with `..` itself. */
export function unreservedPathErrors(path: string, at: string): FieldError[] {
  const reserved = path.startsWith('..') && path !== '..' && !path.startsWith('../');
  return [...localPathErrors(path, at), ...(reserved ? [invalid(at, path, "must not start with '..'")] : [])];
}
