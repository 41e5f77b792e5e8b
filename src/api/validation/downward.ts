/** The downward API: fields of the pod, and resources of its containers, as environment variables or files. */
import { canonicalQuantity, quantityOf } from '../quantity/quantity.ts';
import type { ObjectFieldSelector, ResourceFieldSelector } from '../schema/types.ts';
import { type FieldError, invalid, invalids, notSupported, required } from './field-error.ts';
import { isQualifiedName } from './names.ts';

/** All fields that upstream knows. Which of them are allowed in one place, the caller says. */
const podFields: ReadonlySet<string> = new Set([
  ...['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'],
  ...['spec.nodeName', 'spec.restartPolicy', 'spec.serviceAccountName', 'spec.schedulerName', 'spec.host'],
  ...['status.phase', 'status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs'],
]);
const resourceFields: readonly string[] = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];
const subscript = /^(.+?)\['(.*)'\]$/s;

/** A field by its path, or one label or annotation: `metadata.labels['app']`. */
export function fieldRefErrors({ apiVersion, fieldPath }: ObjectFieldSelector, path: string, allowed: readonly string[]): FieldError[] {
  if (!apiVersion) return [required(`${path}.apiVersion`)];
  const at = `${path}.fieldPath`;
  if (!fieldPath) return [required(at)];
  const unknown = (why: string): FieldError[] => [invalid(at, fieldPath, `error converting fieldPath: ${why}`)];
  if (apiVersion !== 'v1') return unknown(`unsupported pod version: ${apiVersion}`);
  const [, map, key = ''] = subscript.exec(fieldPath) ?? [];
  if (map === 'metadata.annotations') return invalids(path, key.toLowerCase(), isQualifiedName(key.toLowerCase()));
  if (map === 'metadata.labels') return invalids(path, key, isQualifiedName(key));
  if (map !== undefined) return unknown(`field label does not support subscript: ${fieldPath}`);
  if (!podFields.has(fieldPath)) return unknown(`field label not supported: ${fieldPath}`);
  const field = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath;
  return allowed.includes(field) ? [] : [notSupported(at, field, allowed)];
}

/** A resource of a container. With `named` the reference must name the container; without, it is its own. */
export function resourceRefErrors(
  { containerName, resource = '', divisor = '0' }: ResourceFieldSelector,
  path: string,
  named: boolean,
): FieldError[] {
  const errors = divisorErrors(resource, divisor, `${path}.divisor`);
  if (named && !containerName) return [required(`${path}.containerName`), ...errors];
  if (!resource) return [required(`${path}.resource`), ...errors];
  if (resourceFields.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource)) return errors;
  return [notSupported(`${path}.resource`, resource, resourceFields), ...errors];
}

function divisorErrors(resource: string, divisor: string, path: string): FieldError[] {
  if (!quantityOf(divisor)) return [];
  const text = canonicalQuantity(divisor);
  if (text === '0') return [];
  const name = resource.replace(/^(limits|requests)\./, '');
  if (name === 'cpu') {
    return text === '1' || text === '1m'
      ? []
      : [invalid(path, resource, "only divisor's values 1m and 1 are supported with the cpu resource")];
  }
  const word = name === 'ephemeral-storage' ? 'local ephemeral storage' : name.startsWith('hugepages-') ? 'hugepages' : name;
  if (name !== 'memory' && word === name) return [];
  return byteDivisors.includes(text)
    ? []
    : [invalid(path, resource, `only divisor's values ${byteDivisors.join(', ')} are supported with the ${word} resource`)];
}
