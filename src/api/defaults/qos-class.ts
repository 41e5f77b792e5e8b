/** The quality-of-service class of a pod, which decides about its cgroup and when it is evicted. Fixed when the pod is created. */
import { compareQuantity, parseQuantity, type Quantity, quantityOf } from '../quantity/quantity.ts';
import type { PodSpec } from '../schema/types.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** The resources that decide the class. */
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

/** Undefined for zero, and for a text that is no quantity, which validation refuses. */
function amount(text: string | undefined): Quantity | undefined {
  const quantity = text === undefined ? undefined : quantityOf(text);
  return quantity && compareQuantity(quantity, zero) > 0 ? quantity : undefined;
}
