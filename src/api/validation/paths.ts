/** Paths in a volume: none may lead out of it. */
import { type FieldError, invalid } from './field-error.ts';

export function backstepErrors(path: string, at: string): FieldError[] {
  return path.split('/').includes('..') ? [invalid(at, path, "must not contain '..'")] : [];
}

/** A path that stays below where it starts. */
export function localPathErrors(path: string, at: string): FieldError[] {
  return [...(path.startsWith('/') ? [invalid(at, path, 'must be a relative path')] : []), ...backstepErrors(path, at)];
}

/** As `localPathErrors`, for what the kubelet writes: names that begin with `..` are its own. */
export function unreservedPathErrors(path: string, at: string): FieldError[] {
  const reserved = path.startsWith('..') && path !== '..' && !path.startsWith('../');
  return [...localPathErrors(path, at), ...(reserved ? [invalid(at, path, "must not start with '..'")] : [])];
}
