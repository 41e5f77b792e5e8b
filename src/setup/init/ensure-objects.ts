/** Objects that somebody may have changed since: what is there stays as it is. */
import {
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  type KubeObject,
  type ResourceType,
  roleBindings,
  roles,
  secrets,
} from '../../api/resource-types.ts';
import { isAlreadyExists } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';

const types: Readonly<Record<string, ResourceType>> = {
  ConfigMap: configMaps,
  Secret: secrets,
  Role: roles,
  RoleBinding: roleBindings,
  ClusterRole: clusterRoles,
  ClusterRoleBinding: clusterRoleBindings,
};

export function typeOf({ kind }: KubeObject): ResourceType {
  const type = types[kind];
  if (!type) throw new TypeError(`no type for kind ${kind}`);
  return type;
}

/** Makes those that are not there, in their order. True when one was made. */
export async function ensureObjects(client: Pick<Client, 'create'>, objects: readonly KubeObject[]): Promise<boolean> {
  let isChanged = false;
  for (const object of objects) {
    try {
      await client.create(typeOf(object), object);
      isChanged = true;
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
    }
  }
  return isChanged;
}
