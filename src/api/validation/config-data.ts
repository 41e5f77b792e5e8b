/** ConfigMaps and Secrets. */
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap, Secret } from '../schema/types.ts';
import { eachEntry, type FieldError, forbidden, invalid, invalids, required, tooLong } from './field-error.ts';
import { isConfigMapKey } from './names.ts';
import { immutable } from './object-meta.ts';

/** The size of all values together, as upstream limits it. */
const maxBytes = 1024 * 1024;
const immutableText = 'field is immutable when `immutable` is set';

export function configMapErrors({ data = {}, binaryData = {} }: ConfigMap): FieldError[] {
  const errors = [
    ...eachEntry(data, (key) => [
      ...keyErrors(key, 'data'),
      ...(Object.hasOwn(binaryData, key) ? [invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')] : []),
    ]),
    ...eachEntry(binaryData, (key) => keyErrors(key, 'binaryData')),
  ];
  return bytesOf(data, 'utf8') + bytesOf(binaryData, 'base64') > maxBytes ? [...errors, tooLong('', maxBytes)] : errors;
}

function keyErrors(key: string, path: string): FieldError[] {
  return invalids(`${path}[${key}]`, key, isConfigMapKey(key));
}

function bytesOf(data: Readonly<Record<string, string>>, encoding: BufferEncoding): number {
  return Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, encoding), 0);
}

export function configMapUpdateErrors(next: ConfigMap, old: ConfigMap): FieldError[] {
  return [...configMapErrors(next), ...frozenErrors(next, old, ['data', 'binaryData'])];
}

/** The keys that a Secret of a well-known type must have. */
const secretKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

export function secretErrors({ data = {}, type = '', metadata }: Secret): FieldError[] {
  const errors = eachEntry(data, (key) => keyErrors(key, 'data'));
  if (bytesOf(data, 'base64') > maxBytes) errors.push(tooLong('data', maxBytes));
  for (const key of secretKeys[type] ?? []) {
    // As upstream: of keys and certificates only the private key of SSH must not be empty.
    const text = data[key];
    if (text === undefined || (key === 'ssh-privatekey' && text === '')) errors.push(required(`data[${key}]`));
    else if (key.startsWith('.docker') && !isJsonObject(text)) {
      errors.push(invalid(`data[${key}]`, '<secret contents redacted>', 'must be a JSON object'));
    }
  }
  if (type === 'kubernetes.io/basic-auth' && !('username' in data) && !('password' in data)) {
    errors.push(required('data[username]'), required('data[password]'));
  }
  const account = 'kubernetes.io/service-account.name';
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.[account])
    errors.push(required(`metadata.annotations[${account}]`));
  return errors;
}

function isJsonObject(base64: string): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString());
    return typeof value === 'object' && !Array.isArray(value);
  } catch {
    return false;
  }
}

export function secretUpdateErrors(next: Secret, old: Secret): FieldError[] {
  return [...secretErrors(next), ...immutable(next.type, old.type, 'type'), ...frozenErrors(next, old, ['data'])];
}

/** Once `immutable` is true, neither it nor the data may change. */
function frozenErrors<T extends { immutable?: boolean | undefined }>(next: T, old: T, keys: readonly (keyof T & string)[]): FieldError[] {
  if (!old.immutable) return [];
  const errors = next.immutable ? [] : [forbidden('immutable', immutableText)];
  return [...errors, ...keys.filter((key) => !isDeepStrictEqual(next[key], old[key])).map((key) => forbidden(key, immutableText))];
}
