/** Resources of a pod as a whole (KEP-2837), and its overhead. */
import { canonicalQuantity, compareQuantity, formatQuantity, parseQuantity, type Quantity, quantityOf } from '../quantity/quantity.ts';
import type { Container, PodSpec } from '../schema/types.ts';
import { eachEntry, eachOf, type FieldError, forbidden, invalid } from './field-error.ts';
import { containerResourceNameErrors, isHugePage, podResourceNameErrors } from './resource-name.ts';
import { requirementsErrors } from './resources.ts';

export function podResourcesErrors(spec: PodSpec, path: string): FieldError[] {
  const { resources, os, resourceClaims } = spec;
  if (!resources) return [];
  if (os?.name === 'windows') return [forbidden(path, 'may not be set for a windows pod')];
  const claims = new Set((resourceClaims ?? []).map((one) => one.name));
  return [
    ...(resources.claims ? [forbidden(`${path}.claims`, 'claims may not be set for Resources at pod-level')] : []),
    ...requirementsErrors(resources, path, podResourceNameErrors, claims),
    ...totalErrors(spec, path),
  ];
}

export function overheadErrors(overhead: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  return overhead ? requirementsErrors({ limits: overhead }, path, containerResourceNameErrors, new Set()) : [];
}

/** The requests of all containers together must fit into the pod's, and each container's limit must be below the pod's. */
function totalErrors({ resources, containers = [], initContainers = [] }: PodSpec, path: string): FieldError[] {
  const sums = (of: 'requests' | 'limits'): ((name: string) => Quantity) => {
    return (name) => aggregate(containers, initContainers, (one) => quantityOf(one.resources?.[of]?.[name] ?? '0'));
  };
  const below = (of: 'requests' | 'limits', only: (name: string) => boolean): FieldError[] =>
    eachEntry(resources?.[of], (name, text) => {
      const [total, mine] = [sums(of)(name), quantityOf(text)];
      if (!only(name) || !mine || compareQuantity(total, mine) <= 0) return [];
      const detail = `must be greater than or equal to aggregate container ${of} of ${formatQuantity(total)}`;
      return [invalid(`${path}.${of}[${name}]`, canonicalQuantity(text), detail)];
    });
  return [
    ...below('requests', () => true),
    ...below('limits', isHugePage),
    ...eachOf(containers, `${path}.containers`, ({ resources: own }, at) =>
      eachEntry(own?.limits, (name, text) => {
        const podLimit = resources?.limits?.[name];
        const [limit, most] = [quantityOf(text), quantityOf(podLimit ?? '')];
        if (!limit || !most || compareQuantity(limit, most) <= 0) return [];
        return [invalid(`${at}[${name}].limits`, text, `must be less than or equal to pod limits of ${podLimit}`)];
      }),
    ),
  ];
}

/** The most that is needed at one time: init containers run before the others; sidecars run on beside all that start later. */
function aggregate(
  containers: readonly Container[],
  initContainers: readonly Container[],
  amountOf: (container: Container) => Quantity | undefined,
): Quantity {
  const nano = (container: Container): bigint => amountOf(container)?.nano ?? 0n;
  let sidecars = 0n;
  let peak = 0n;
  for (const one of initContainers) {
    if (one.restartPolicy === 'Always') sidecars += nano(one);
    const now = one.restartPolicy === 'Always' ? sidecars : sidecars + nano(one);
    if (now > peak) peak = now;
  }
  const running = containers.reduce((sum, one) => sum + nano(one), sidecars);
  return { ...parseQuantity('0'), nano: running > peak ? running : peak };
}
