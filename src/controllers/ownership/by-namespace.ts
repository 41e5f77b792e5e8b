import type { KubeObject } from '../../api/resource-types.ts';
import type { Informer } from '../../client/informer.ts';

/** The informer with what `ownersOf` and a selector need: `byIndex('namespace', …)`. */
export function byNamespace<T extends KubeObject>(informer: Informer<T>): Informer<T> {
  return informer.addIndex('namespace', ({ metadata }) => [metadata.namespace ?? '']);
}
