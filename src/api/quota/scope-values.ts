/** Scopes with a value: what a pod's PriorityClass, or a claim's VolumeAttributesClass, is compared with. */
import type { ScopedResourceSelectorRequirement } from '../schema/types.ts';

/** `value` undefined: the object names none. */
export function scopeHolds({ operator, values = [] }: ScopedResourceSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    default:
      return false;
  }
}
