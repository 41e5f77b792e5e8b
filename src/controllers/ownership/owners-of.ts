/** Which owners news of an object concerns. */
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
