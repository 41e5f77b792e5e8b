import type { KubeObject } from '../../api/resource-types.ts';
import type { ObjectMeta, OwnerReference } from '../../api/schema/types.ts';

/** The reference to the object that controls this one. */
export function controllerOf(metadata: Pick<ObjectMeta, 'ownerReferences'>): OwnerReference | undefined {
  return metadata.ownerReferences?.find((o) => o.controller);
}

/** The reference a controller puts on what it makes. */
export function controllerRef(owner: KubeObject): OwnerReference {
  const { name, uid = '' } = owner.metadata;
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true };
}
