/** Which objects belong to an owner: pure. */
import type { KubeObject } from '../../api/resource-types.ts';
import type { Selector } from '../../api/selector/label.ts';
import { controllerOf } from './owner.ts';

export interface Claim<T> {
  readonly owned: readonly T[];
  /** Match the selector and belong to nobody. */
  readonly adopt: readonly T[];
  /** Belong to the owner but match no longer. */
  readonly release: readonly T[];
}

export function claim<T extends KubeObject>(owner: KubeObject, selector: Selector, candidates: readonly T[]): Claim<T> {
  const owned: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  for (const candidate of candidates) {
    const ref = controllerOf(candidate.metadata);
    const matches = selector.matches(candidate.metadata.labels ?? {});
    if (ref) {
      if (ref.uid !== owner.metadata.uid) continue;
      if (matches || candidate.metadata.deletionTimestamp) owned.push(candidate);
      else release.push(candidate);
    } else if (matches && !candidate.metadata.deletionTimestamp && !owner.metadata.deletionTimestamp) adopt.push(candidate);
  }
  return { owned, adopt, release };
}
