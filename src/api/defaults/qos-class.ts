/** The quality-of-service class of a pod: what the kubelet's cgroups and eviction go by. Fixed when the pod is created. */
import { compareQuantity, parseQuantity, QuantityError } from '../quantity/quantity.ts';
import type { PodSpec } from '../schema/types.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** Only these two count. */
const counted = ['cpu', 'memory'] as const;
const zero = parseQuantity('0');

/** Guaranteed: every container limits both and requests as much. BestEffort: none asks for anything. */
export function qosClassOf(spec: PodSpec): QosClass {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  let asks = false;
  let guaranteed = containers.length > 0;
  for (const { resources } of containers) {
    for (const name of counted) {
      const request = amount(resources?.requests?.[name]);
      const limit = amount(resources?.limits?.[name]);
      if (request || limit) asks = true;
      if (!limit || !request || compareQuantity(request, limit) !== 0) guaranteed = false;
    }
  }
  if (!asks) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** Undefined for nothing, and for what validation will refuse. */
function amount(text: string | undefined): ReturnType<typeof parseQuantity> | undefined {
  if (text === undefined) return undefined;
  try {
    const quantity = parseQuantity(text);
    return compareQuantity(quantity, zero) > 0 ? quantity : undefined;
  } catch (err) {
    if (err instanceof QuantityError) return undefined;
    throw err;
  }
}
