/** Makes one object in every namespace, and makes it again when it is changed or deleted. */
import { type KubeObject, namespaces, type ResourceType } from '../../api/resource-types.ts';
import { isAlreadyExists, isNotFound } from '../../client/api-error.ts';
import type { Controller } from '../../client/controller.ts';
import type { Informer } from '../../client/informer.ts';
import { type ControllerContext, KeyedController } from '../context.ts';

export interface Kept<T extends KubeObject> {
  /** Of the controller. */
  readonly name: string;
  readonly type: ResourceType<T>;
  readonly objectName: string;
  readonly make: (namespace: string) => T;
  /** Whether what is there may stay as it is. */
  readonly isRight: (there: T) => boolean;
}

export class EveryNamespaceController<T extends KubeObject> extends KeyedController {
  readonly name: string;
  readonly #kept: Kept<T>;
  readonly #namespaces = this.informers.of(namespaces);
  readonly #objects: Informer<T>;

  constructor(context: ControllerContext, kept: Kept<T>) {
    super(context);
    this.name = kept.name;
    this.#kept = kept;
    this.#objects = this.informers.of(kept.type, { fieldSelector: `metadata.name=${kept.objectName}` });
  }

  setup(controller: Controller): void {
    const namespaceOf = ({ metadata }: T): string[] => [metadata.namespace ?? ''];
    controller.for(this.#namespaces).watches(this.#objects, { update: namespaceOf, delete: namespaceOf });
  }

  /** The key is a namespace's. */
  async reconcile(key: string): Promise<undefined> {
    const namespace = this.#namespaces.get(key);
    if (!namespace || namespace.metadata.deletionTimestamp || namespace.status?.phase === 'Terminating') return;
    const { type, objectName, isRight, make } = this.#kept;
    const current = this.#objects.get(`${key}/${objectName}`);
    if (current && isRight(current)) return;
    const wanted = make(key);
    try {
      if (current) await this.client.update(type, { ...wanted, metadata: { ...current.metadata, ...wanted.metadata } });
      else await this.client.create(type, wanted);
    } catch (err) {
      // Somebody made it first, or the namespace went away. A server that does not know the namespace yet is asked again.
      const isGone = isNotFound(err) && !this.#namespaces.get(key);
      if (!isAlreadyExists(err) && !isGone) throw err;
    }
  }
}
