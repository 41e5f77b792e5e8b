import { objectKey } from '../../api/object-key.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Selector } from '../../api/selector/label.ts';
import type { Informer } from '../../client/informer.ts';
import { controllerOf } from './owner.ts';

/** Keys of the owners of one kind that news of `object` concern: the one that has it, or those that might take an orphan. */
export function ownersOf<T extends KubeObject>(owners: Informer<T>, selectorOf: (owner: T) => Selector, object: KubeObject): string[] {
  const { namespace, labels = {} } = object.metadata;
  const ref = controllerOf(object.metadata);
  if (ref) return ref.kind === owners.type.kind ? [`${namespace}/${ref.name}`] : [];
  return owners
    .byIndex('namespace', namespace ?? '')
    .filter((o) => selectorOf(o).matches(labels))
    .map(objectKey);
}

/** Calls `wake` with every object that comes, changes or goes, and with what it was before when it has another controller since. */
export function onOwned<T extends KubeObject>(owned: Informer<T>, wake: (object: T) => void): void {
  owned.on({
    add: wake,
    update(object, previous) {
      wake(object);
      if (controllerOf(previous.metadata)?.uid !== controllerOf(object.metadata)?.uid) wake(previous);
    },
    delete: wake,
  });
}
