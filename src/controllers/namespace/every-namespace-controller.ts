/** Makes one object in every namespace, and makes it again when it is changed or deleted. */
import { type KubeObject, namespaces } from '../../api/resource-types.ts';
import { isAlreadyExists, isNotFound } from '../../client/api-error.ts';
import type { Controller } from '../../client/controller.ts';
import type { Informer } from '../../client/informer.ts';
import { KeyedController } from '../context.ts';

export abstract class EveryNamespaceController<T extends KubeObject> extends KeyedController {
  protected abstract readonly objectName: string;
  /** Those of that name. */
  protected abstract readonly objects: Informer<T>;
  readonly #namespaces = this.informers.of(namespaces);

  protected abstract make(namespace: string): T;
  /** Whether what is there may stay as it is. */
  protected abstract isRight(there: T): boolean;

  setup(controller: Controller): void {
    const namespaceOf = ({ metadata }: T): string[] => [metadata.namespace ?? ''];
    controller.for(this.#namespaces).watches(this.objects, { update: namespaceOf, delete: namespaceOf });
  }

  /** The key is a namespace's. */
  async reconcile(key: string): Promise<undefined> {
    const namespace = this.#namespaces.get(key);
    if (!namespace || namespace.metadata.deletionTimestamp || namespace.status?.phase === 'Terminating') return;
    const current = this.objects.get(`${key}/${this.objectName}`);
    if (current && this.isRight(current)) return;
    const wanted = this.make(key);
    try {
      if (current) await this.client.update(this.objects.type, { ...wanted, metadata: { ...current.metadata, ...wanted.metadata } });
      else await this.client.create(this.objects.type, wanted);
    } catch (err) {
      // Somebody made it first, or the namespace went away. A server that does not know the namespace yet is asked again.
      const isGone = isNotFound(err) && !this.#namespaces.get(key);
      if (!isAlreadyExists(err) && !isGone) throw err;
    }
  }
}
