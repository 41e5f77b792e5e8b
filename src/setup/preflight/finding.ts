import type { Facts } from './facts.ts';

/** Something that stands in the way, or that a person should know. */
export interface Finding {
  readonly id: string;
  readonly severity: 'error' | 'warning';
  readonly cause: string;
  readonly cure: string;
}

/** Judges some of the facts; what is false or undefined is no finding. */
export type Check = (facts: Facts) => readonly (Finding | undefined | false)[];

export function error(id: string, cause: string, cure: string): Finding {
  return { id, severity: 'error', cause, cure };
}

export function warning(id: string, cause: string, cure: string): Finding {
  return { id, severity: 'warning', cause, cure };
}
