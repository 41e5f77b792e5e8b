import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { Namespace } from '../../api/schema/types.ts';
import { isAlreadyExists, isNotFound } from '../../client/api-error.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import type { ControllerContext } from '../context.ts';

export interface Kept<T extends KubeObject> {
  readonly name: string;
  readonly namespaces: ResourceType<Namespace>;
  readonly type: ResourceType<T>;
  readonly objectName: string;
  readonly make: (namespace: string) => T;
  /** Whether what is there may stay as it is. */
  readonly isRight: (there: T) => boolean;
}

/** Makes one object in every namespace, and makes it again when it is changed or deleted. */
export async function keepInEveryNamespace<T extends KubeObject>(context: ControllerContext, kept: Kept<T>): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const queue = new WorkQueue({ clock });
  const namespaceInformer = informers.of(kept.namespaces);
  const informer = informers.of(kept.type, { fieldSelector: `metadata.name=${kept.objectName}` });
  namespaceInformer.on({ add: (n) => queue.add(n.metadata.name), update: (n) => queue.add(n.metadata.name) });
  informer.on({ update: (o) => queue.add(o.metadata.namespace ?? ''), delete: (o) => queue.add(o.metadata.namespace ?? '') });
  await Promise.all([namespaceInformer.synced, informer.synced]);
  await runController({ name: kept.name, queue, reconcile, log, signal });

  async function reconcile(namespace: string): Promise<void> {
    const there = namespaceInformer.get(namespace);
    if (!there || there.metadata.deletionTimestamp || there.status?.phase === 'Terminating') return;
    const current = informer.get(`${namespace}/${kept.objectName}`);
    if (current && kept.isRight(current)) return;
    const wanted = kept.make(namespace);
    try {
      if (current) await client.update(kept.type, { ...wanted, metadata: { ...current.metadata, ...wanted.metadata } });
      else await client.create(kept.type, wanted);
    } catch (err) {
      // Somebody made it first, or the namespace went away. A server that does not know the namespace yet is asked again.
      const isGone = isNotFound(err) && !namespaceInformer.get(namespace);
      if (!isAlreadyExists(err) && !isGone) throw err;
    }
  }
}
