/** Which owners news of an object concerns. */
import { objectKey } from '../../api/object-key.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { LabelSelector } from '../../api/schema/types.ts';
import { labelSelectorOf, type Selector } from '../../api/selector/label.ts';
import type { Informer } from '../../client/informer.ts';
import { controllerOf } from './owner.ts';

/** What an owner picks its dependents by. */
export function selectorOf({ spec }: { readonly spec?: { readonly selector?: LabelSelector | undefined } | undefined }): Selector {
  return labelSelectorOf(spec?.selector ?? {});
}

/** Keys of the owners of one kind that news of `object` concern: the one that has it, or those that might take an orphan. */
export function ownersOf<T extends KubeObject>(owners: Informer<T>, select: (owner: T) => Selector, object: KubeObject): string[] {
  const { namespace, labels = {} } = object.metadata;
  const ref = controllerOf(object.metadata);
  if (ref) return ref.kind === owners.type.kind ? [`${namespace}/${ref.name}`] : [];
  const interested = owners.list(namespace).filter((owner) => select(owner).matches(labels));
  return interested.map(objectKey);
}
