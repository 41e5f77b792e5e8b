/** Files in volumes of ConfigMaps, Secrets and the downward API: their paths, keys and modes. */
import type { DownwardAPIVolumeFile, KeyToPath } from '../schema/types.ts';
import { fieldRefErrors, resourceRefErrors } from './downward.ts';
import { type FieldError, invalid, needed, required } from './field-error.ts';
import { unreservedPathErrors } from './paths.ts';

const volumeFields: readonly string[] = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];

export function downwardFileErrors(
  { path: file = '', fieldRef, resourceFieldRef, mode }: DownwardAPIVolumeFile,
  path: string,
): FieldError[] {
  const errors = [...(file ? [] : [required(`${path}.path`)]), ...unreservedPathErrors(file, `${path}.path`)];
  if (fieldRef) {
    errors.push(...fieldRefErrors(fieldRef, `${path}.fieldRef`, volumeFields));
    if (resourceFieldRef) errors.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
  } else if (resourceFieldRef) errors.push(...resourceRefErrors(resourceFieldRef, `${path}.resourceFieldRef`, true));
  else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  return [...errors, ...modeErrors(mode, `${path}.mode`)];
}

export function itemErrors({ key, path, mode }: KeyToPath, at: string): FieldError[] {
  return [
    ...needed({ key, path }, at, 'key', 'path'),
    ...unreservedPathErrors(path ?? '', `${at}.path`),
    ...modeErrors(mode, `${at}.mode`),
  ];
}

export function modeErrors(mode: number | undefined, path: string): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];
}
