/** A Service as people name it on a command line: `svc/web`, `service/web`, `web`. */
import type { Service } from '../api/schema/types.ts';
import { nearest } from '../cli/nearest.ts';
import { KnownError } from '../errors/known-error.ts';

export function isServiceName(text: string): boolean {
  return /^(?:svc|services?)\//.test(text);
}

/** Throws USAGE, with the names that may have been meant. */
export function namedService(
  text: string,
  namespace: string,
  services: readonly Service[],
): { readonly key: string; readonly service: Service } {
  const name = text.replace(/^(?:svc|services?)\//, '');
  const service = services.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  if (service) return { key: `${namespace}/${name}`, service };
  throw new KnownError('USAGE', `Cannot find Service "${name}" in namespace "${namespace}"`, { hint: hintOf(name, namespace, services) });
}

function hintOf(name: string, namespace: string, services: readonly Service[]): string {
  const elsewhere = services.filter(({ metadata }) => metadata.name === name).map(({ metadata }) => metadata.namespace);
  if (elsewhere.length > 0) return `There is one in another namespace: -n ${elsewhere.join(', or -n ')}`;
  const names = services.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name);
  const near = nearest(name, names);
  if (near !== undefined) return `Did you mean svc/${near}?`;
  return names.length > 0
    ? `There are ${names.slice(0, 8).join(', ')}${names.length > 8 ? ' …' : ''}`
    : 'There is no Service in that namespace: -n NAMESPACE';
}
