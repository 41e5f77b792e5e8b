/** Checks of values that many kinds share: addresses, ports, quantities, selectors. */
import { isIp, parseCidr, parseIp } from '../../ip/ip.ts';
import { compareQuantity, parseQuantity, quantityOf } from '../quantity/quantity.ts';
import type { LabelSelector, PodTemplateSpec } from '../schema/types.ts';
import type { Selector } from '../selector/label.ts';
import { eachEntry, eachOf, type FieldError, forbidden, invalid, invalids, nonNegative, required } from './field-error.ts';
import { isDns1123Subdomain, isLabelValue, isPort, isQualifiedName, isValidPortName } from './names.ts';
import { labelErrors } from './object-meta.ts';

const zero = parseQuantity('0');
export const portProtocols: readonly string[] = ['SCTP', 'TCP', 'UDP'];

const httpPath = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;

/** A name with the domain of its owner, so that no two owners choose the same: `acme.io/foo`. */
export function domainPathErrors(text: string | undefined, path: string): FieldError[] {
  if (!text) return [required(path)];
  const slash = text.indexOf('/');
  if (slash < 1 || slash === text.length - 1) return [invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const [host, rest] = [text.slice(0, slash), text.slice(slash + 1)];
  const errors = invalids(path, host, isDns1123Subdomain(host));
  return httpPath.test(rest)
    ? errors
    : [...errors, invalid(path, rest, `Invalid path (regex used for validation is '${httpPath.source.slice(1, -1)}')`)];
}

export const invalidIp = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
export const invalidCidr = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** An IPv4 or IPv6 address, in canonical form or not. */
export function ipErrors(ip: string | undefined, path: string): FieldError[] {
  return isIp(ip ?? '') ? [] : [invalid(path, ip ?? '', invalidIp)];
}

export function cidrErrors(cidr: string, path: string): FieldError[] {
  return cidr.includes('/') && parseCidr(cidr) ? [] : [invalid(path, cidr, invalidCidr)];
}

/** An address that other nodes can reach. Unspecified, loopback and link-local addresses mean something else on every node. */
export function reachableIpErrors(ip: string | undefined, path: string): FieldError[] {
  const malformed = ipErrors(ip, path);
  if (malformed.length > 0) return malformed;
  const text = parseIp(ip!)!;
  if (text === '0.0.0.0' || text === '::') return [invalid(path, ip, `may not be unspecified (${text})`)];
  if (text.startsWith('127.') || text === '::1') return [invalid(path, ip, 'may not be in the loopback range (127.0.0.0/8, ::1/128)')];
  if (text.startsWith('169.254.') || /^fe[89ab]/.test(text)) {
    return [invalid(path, ip, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')];
  }
  if (text.startsWith('224.0.0.') || text.startsWith('ff02:')) {
    return [invalid(path, ip, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')];
  }
  return [];
}

/** A number, or the name of a container's port. */
export function portOrNameErrors(port: number | string | undefined, path: string): FieldError[] {
  return typeof port === 'string' ? invalids(path, port, isValidPortName(port)) : invalids(path, port ?? 0, isPort(port ?? 0));
}

/** A count, or a percentage: `3`, `25%`. */
export function countOrPercentErrors(value: number | string | undefined, path: string): FieldError[] {
  if (value === undefined) return [];
  if (typeof value === 'number') return nonNegative(value, path);
  if (/^[0-9]+%$/.test(value)) return [];
  const text =
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or '93%', regex used for validation is '[0-9]+%')";
  return [invalid(path, value, text)];
}

export function percentAbove100Errors(value: number | string | undefined, path: string): FieldError[] {
  return typeof value === 'string' && /^[0-9]+%$/.test(value) && Number.parseInt(value, 10) > 100
    ? [invalid(path, value, 'must not be greater than 100%')]
    : [];
}

/** Quantities by resource name, as in `status.capacity`. */
export function amountsErrors(amounts: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  return eachEntry(amounts, (name, text) => {
    const at = `${path}[${name}]`;
    const errors = invalids(at, name, isQualifiedName(name));
    const amount = quantityOf(text);
    if (!amount) return [...errors, invalid(at, text, quantityMessage)];
    return compareQuantity(amount, zero) < 0 ? [...errors, invalid(at, text, 'must be greater than or equal to 0')] : errors;
  });
}

export const quantityMessage = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

export function isPositive(text: string): boolean {
  const amount = quantityOf(text);
  return amount !== undefined && compareQuantity(amount, zero) > 0;
}

export function isNegative(text: string | undefined): boolean {
  const amount = text === undefined ? undefined : quantityOf(text);
  return amount !== undefined && compareQuantity(amount, zero) < 0;
}

/** Whether a label selector is well formed. An empty one is: callers that need a selector check that themselves. */
export function selectorErrors(selector: LabelSelector | undefined, path: string): FieldError[] {
  if (!selector) return [];
  return [
    ...labelErrors(selector.matchLabels, `${path}.matchLabels`),
    ...eachOf(selector.matchExpressions, `${path}.matchExpressions`, ({ key = '', operator, values = [] }, at) => [
      ...operatorErrors(operator, values, at),
      ...invalids(`${at}.key`, key, isQualifiedName(key)),
      ...eachOf(values, `${at}.values`, (value, valuePath) => invalids(valuePath, value, isLabelValue(value))),
    ]),
  ];
}

/** A workload's selector must match the labels of its own template. */
export function matchErrors(selector: Selector, template: PodTemplateSpec | undefined): FieldError[] {
  const labels = template?.metadata?.labels ?? {};
  return selector.matches(labels) ? [] : [invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')];
}

/** Whether a selector's operator is known, and has the number of values that it needs. */
export function operatorErrors(operator: string, values: readonly string[], path: string): FieldError[] {
  const at = `${path}.values`;
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0 ? [] : [required(at, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0 ? [] : [forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    default:
      return [invalid(`${path}.operator`, operator, 'not a valid selector operator')];
  }
}
