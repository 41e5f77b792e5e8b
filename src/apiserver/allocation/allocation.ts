/** Something of which there is only so much, and which an object takes for as long as it is there: addresses, ports. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';

export interface Allocation {
  /** The core resource that it is for: `services`. */
  readonly resource: string;
  /** Takes what `next` needs beyond `old` and writes it into `next`; returns what is wrong. With `dryRun` nothing stays taken. */
  allocate(next: KubeObject, old: KubeObject | undefined, dryRun: boolean): Promise<FieldError[]> | FieldError[];
  /** The object did not come to be. */
  release(object: KubeObject): void;
}
