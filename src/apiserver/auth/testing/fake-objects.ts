/** Objects and an authorizer in memory, for the tests of this folder. */
import type { Node, PersistentVolume, Pod, Secret, ServiceAccount } from '../../../api/schema/types.ts';
import type { AuthObjects } from '../auth-objects.ts';
import { Authorizer } from '../authorizer.ts';
import { bootstrapPolicy } from '../bootstrap-policy.ts';
import { NodeGraph } from '../node-graph.ts';
import { RbacIndex, type RbacObject } from '../rbac-index.ts';
import { authenticatedGroup, type UserInfo } from '../user-info.ts';

/** `AuthObjects` over a list that tests change. */
export class FakeObjects implements AuthObjects {
  readonly objects: (Pod | Secret | ServiceAccount | Node)[];

  constructor(...objects: (Pod | Secret | ServiceAccount | Node)[]) {
    this.objects = objects;
  }

  serviceAccount(namespace: string, name: string): ServiceAccount | undefined {
    return this.#find('ServiceAccount', namespace, name) as ServiceAccount | undefined;
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.#find('Pod', namespace, name) as Pod | undefined;
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.#find('Secret', namespace, name) as Secret | undefined;
  }

  node(name: string): Node | undefined {
    return this.#find('Node', '', name) as Node | undefined;
  }

  async fresh(): Promise<void> {}

  #find(kind: string, namespace: string, name: string): object | undefined {
    return this.objects.find((o) => o.kind === kind && (o.metadata.namespace ?? '') === namespace && o.metadata.name === name);
  }
}

export function person(name: string, ...groups: string[]): UserInfo {
  return { name, groups: [...groups, authenticatedGroup] };
}

export function kubelet(node: string): UserInfo {
  return person(`system:node:${node}`, 'system:nodes');
}

/** An authorizer over the bootstrap policy and what is given besides. */
export function authorizerWith(
  objects: readonly RbacObject[],
  pods: readonly Pod[] = [],
  volumes: readonly PersistentVolume[] = [],
): Authorizer {
  const rbac = new RbacIndex();
  for (const object of [...bootstrapPolicy(), ...objects]) rbac.put(object);
  const graph = new NodeGraph();
  for (const pod of pods) graph.put(pod);
  for (const volume of volumes) graph.putVolume(volume);
  return new Authorizer(rbac, graph);
}

export function podOn(
  node: string,
  name: string,
  spec: Partial<NonNullable<Pod['spec']>> = {},
  metadata: Partial<Pod['metadata']> = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ...metadata },
    spec: { containers: [], nodeName: node, ...spec },
  } as Pod;
}
