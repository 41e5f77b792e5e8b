/** Owners of `spec.replicas`, as a Scale has them and as the object has them that is scaled. */
import { FieldSet } from './field-set.ts';
import type { Manager, Managers } from './managers.ts';

const replicas = ['f:spec', 'f:replicas'] as const;

/** The owners of the Scale: those of the object that own its replicas, and nothing else of theirs. */
export function managersOfScale(ofObject: Managers): Managers {
  return new Map(
    [...ofObject]
      .filter(([, { set }]) => set.has(replicas))
      .map(([id, manager]) => [id, { ...manager, apiVersion: 'autoscaling/v1', set: FieldSet.of(replicas) }]),
  );
}

/** The owners of the object after a write to its Scale. `apiVersion` is the object's. */
export function managersAfterScale(ofObject: Managers, ofScale: Managers, apiVersion: string): Managers {
  const out = new Map<string, Manager>();
  for (const [id, manager] of ofObject) {
    const lost = manager.set.has(replicas) && !ofScale.has(id);
    out.set(id, lost ? { ...manager, set: manager.set.difference(FieldSet.of(replicas)) } : manager);
  }
  for (const [id, manager] of ofScale)
    if (!out.has(id) && manager.set.has(replicas)) out.set(id, { ...manager, apiVersion, set: FieldSet.of(replicas) });
  return out;
}
