/** What an evaluator says of the objects of one resource. */
import type { KubeObject } from '../resource-types.ts';
import type { ScopedResourceSelectorRequirement } from '../schema/types.ts';
import type { Amounts } from './amounts.ts';

export type Scope = ScopedResourceSelectorRequirement;

/** A write, as far as it matters to quotas. */
export interface CountedWrite {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly subresource: string;
  readonly object: KubeObject | undefined;
  readonly old: KubeObject | undefined;
}

export interface Evaluator {
  /** Whether the write may change what is used. */
  handles(write: CountedWrite): boolean;
  /** Whether a name in a quota is one of its. */
  counts(name: string): boolean;
  /** Whether the object is in the scope; false for a scope that is of other resources. */
  isIn(scope: Scope, object: KubeObject): boolean;
  /** What the object uses; `now` in milliseconds, since a pod that was to be gone counts no longer. */
  usage(object: KubeObject, now: number): Amounts;
  /** Why an object that says too little of itself cannot be counted; undefined: it can. */
  lacks(required: readonly string[], object: KubeObject): string | undefined;
  /** Whether a change, that no write through quotas has told of, frees something. */
  frees(object: KubeObject, previous: KubeObject, now: number): boolean;
}
