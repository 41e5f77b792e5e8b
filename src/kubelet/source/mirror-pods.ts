/** Shows static pods in the API: a mirror for each, made anew when it is deleted or its manifest changes. */

import { nodes, pods } from '../../api/resource-types.ts';
import type { Node, Pod } from '../../api/schema/types.ts';
import { mirrorPodAnnotationKey } from '../../api/well-known.ts';
import { isAlreadyExists, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { podAnnotations } from '../pod/labels.ts';

export class MirrorPods {
  readonly #client: Client;
  readonly #nodeName: string;
  #node: Node | undefined;

  constructor(client: Client, nodeName: string) {
    this.#client = client;
    this.#nodeName = nodeName;
  }

  isMirrorOf(mirror: Pod, pod: Pod): boolean {
    return mirror.metadata.annotations?.[mirrorPodAnnotationKey] === pod.metadata.annotations?.[podAnnotations.hash];
  }

  /** Makes the mirror; undefined when something of that name is in the way still. */
  async create(pod: Pod): Promise<Pod | undefined> {
    this.#node ??= await this.#client.get(nodes, this.#nodeName);
    const { name, namespace, labels, annotations } = pod.metadata;
    const hash = annotations?.[podAnnotations.hash] ?? '';
    const mirror: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace,
        labels,
        annotations: { ...annotations, [mirrorPodAnnotationKey]: hash },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: this.#nodeName, uid: this.#node.metadata.uid ?? '', controller: true }],
      },
      spec: pod.spec,
    };
    try {
      return await this.#client.create(pods, mirror);
    } catch (err) {
      if (isAlreadyExists(err)) return undefined;
      this.#node = undefined;
      throw err;
    }
  }

  /** Removes a mirror at once; there is nothing behind it to wait for. */
  async remove(mirror: Pod): Promise<void> {
    try {
      await this.#client.delete(pods, mirror.metadata.name, {
        namespace: mirror.metadata.namespace ?? 'default',
        gracePeriodSeconds: 0,
        preconditions: { uid: mirror.metadata.uid },
      });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }
}
