import { LimitError } from '../../api/codec/limits.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { StatusError } from '../status/status-error.ts';

/** Many small patches make what no body may be: an object is held to the limits of a body. Throws 413 when `measure` throws LimitError. */
export function holdToLimits(row: ResourceRow, name: string, measure: () => void): void {
  try {
    measure();
  } catch (err) {
    if (!(err instanceof LimitError)) throw err;
    throw new StatusError(413, 'RequestEntityTooLarge', `${row.type.kind} "${name}" ${err.message}`);
  }
}
