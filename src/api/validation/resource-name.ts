/** Names of resources in requests, limits and quotas (`cpu`, `example.com/gpu`, `requests.memory`), and their amounts. */
import { compareQuantity, milli, parseQuantity, quantityOf } from '../quantity/quantity.ts';
import { type FieldError, invalid, invalids, notSupported } from './field-error.ts';
import { quantityMessage } from './formats.ts';
import { isQualifiedName } from './names.ts';

const zero = parseQuantity('0');
const compute: readonly string[] = ['cpu', 'ephemeral-storage', 'memory'];
/** Resources that count objects, so their amounts are whole numbers. */
const counted: ReadonlySet<string> = new Set([
  ...['configmaps', 'persistentvolumeclaims', 'pods', 'replicationcontrollers', 'resourcequotas', 'secrets', 'services'],
  ...['services.loadbalancers', 'services.nodeports'],
]);
const quotaNames: ReadonlySet<string> = new Set([
  ...counted,
  ...compute,
  ...compute.flatMap((name) => [`limits.${name}`, `requests.${name}`]),
  'requests.storage',
]);
const podLevel: readonly string[] = ['cpu', 'hugepages-', 'memory'];

export function isHugePage(name: string): boolean {
  return name.startsWith('hugepages-');
}

/** A resource that Kubernetes itself defines. */
export function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/');
}

/** Whether limits of the resource may be higher than requests, so that a node promises more than it has. */
export function mayOvercommit(name: string): boolean {
  return isNative(name) && !isHugePage(name);
}

export function isStandardQuotaName(name: string): boolean {
  return quotaNames.has(name) || isHugePage(name) || name.startsWith('requests.hugepages-');
}

function isExtended(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0;
}

/** Any resource. A name without a domain must be a standard one. */
export function resourceNameErrors(name: string, path: string): FieldError[] {
  const malformed = invalids(path, name, isQualifiedName(name));
  if (malformed.length > 0 || name.includes('/') || name === 'storage' || isStandardQuotaName(name)) return malformed;
  return [invalid(path, name, 'must be a standard resource type or fully qualified')];
}

export function containerResourceNameErrors(name: string, path: string): FieldError[] {
  const errors = resourceNameErrors(name, path);
  if (!name.includes('/')) {
    const standard = compute.includes(name) || isHugePage(name);
    return standard ? errors : [...errors, invalid(path, name, 'must be a standard resource for containers')];
  }
  if (isNative(name) || isExtended(name)) return errors;
  return [...errors, invalid(path, name, "doesn't follow extended resource name standard")];
}

/** The resources that a pod may request as a whole. */
export function podResourceNameErrors(name: string, path: string): FieldError[] {
  const errors = resourceNameErrors(name, path);
  if (errors.length > 0 || name === 'cpu' || name === 'memory' || isHugePage(name)) return errors;
  return [notSupported(path, name, podLevel)];
}

export function quotaResourceNameErrors(name: string, path: string): FieldError[] {
  const errors = resourceNameErrors(name, path);
  if (name.includes('/') || isStandardQuotaName(name)) return errors;
  return [...errors, invalid(path, name, 'must be a standard resource for quota')];
}

/** An amount that is not negative, and whole where the resource is. */
export function amountErrors(name: string, text: string, path: string): FieldError[] {
  const amount = quantityOf(text);
  if (!amount) return [invalid(path, text, quantityMessage)];
  const errors = compareQuantity(amount, zero) < 0 ? [invalid(path, text, 'must be greater than or equal to 0')] : [];
  const whole = !(counted.has(name) || isExtended(name)) || milli(amount) % 1000n === 0n;
  return whole ? errors : [...errors, invalid(path, text, 'must be an integer')];
}
