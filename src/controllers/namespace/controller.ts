/** Empties a namespace that is being deleted, then lets it go. */
import { namespaces, type ResourceType } from '../../api/resource-types.ts';
import { ignoreNotFound, isNotFound } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { type DiscoveredResource, discover } from '../../client/discovery.ts';
import { messageOf } from '../../errors/known-error.ts';
import { KeyedController } from '../context.ts';
import { Remaining, remainingConditions } from './conditions.ts';

/** How soon to look again while pods use up their grace. */
const retryMs = 1_000;
/** What waits for nothing but finalizers of others may do so for days. */
const finalizersRetryMs = 8_000;
const finalizer = 'kubernetes';

export class NamespaceController extends KeyedController {
  readonly name = 'namespace-controller';
  readonly #namespaces = this.informers.of(namespaces);

  setup(controller: Controller): void {
    controller.for(this.#namespaces, ({ metadata }) => metadata.deletionTimestamp !== undefined);
  }

  async reconcile(name: string): Promise<Result | undefined> {
    const namespace = this.#namespaces.get(name);
    if (!namespace?.metadata.deletionTimestamp || !namespace.spec?.finalizers?.includes(finalizer)) return;
    const remaining = await this.#deleteAllContent(name);
    if (remaining.isNothing) {
      const finalizers = namespace.spec.finalizers.filter((one) => one !== finalizer);
      const emptied = { ...namespace, spec: { ...namespace.spec, finalizers } };
      await this.client.update(namespaces, emptied, { subresource: 'finalize' }).catch(ignoreNotFound);
      return;
    }
    const conditions = remainingConditions(namespace, remaining, this.clock.now());
    // For people alone: the work does not wait for it.
    const told = { ...namespace, status: { ...namespace.status, conditions } };
    if (conditions) await this.client.update(namespaces, told, { subresource: 'status' }).catch(() => {});
    return { requeueAfter: remaining.waits ? retryMs : finalizersRetryMs };
  }

  async #deleteAllContent(namespace: string): Promise<Remaining> {
    const remaining = new Remaining();
    const all = await discover(this.client);
    const deletable = all.filter(({ namespaced, verbs }) => namespaced && verbs.includes('list') && verbs.includes('delete'));
    const [first = [], ...later] = [0, 1, 2].map((turn) => deletable.filter((resource) => turnOf(resource) === turn));
    for (const resource of first) await this.#deleteAllOf(resource, namespace, remaining);
    // A pod that still runs keeps what protects and configures it: its NetworkPolicies, Secrets … (KEP-5080).
    if (remaining.isNothing) for (const resource of later.flat()) await this.#deleteAllOf(resource, namespace, remaining);
    return remaining;
  }

  async #deleteAllOf(resource: DiscoveredResource, namespace: string, remaining: Remaining): Promise<void> {
    const signal = this.context.signal;
    try {
      await this.client.deleteCollection(resource, { namespace, propagationPolicy: 'Background', signal });
      remaining.add(resource, (await this.client.list(resource, { namespace, signal })).items);
    } catch (err) {
      if (!isNotFound(err)) remaining.failures.push(`${resource.resource}: ${messageOf(err)}`);
    }
  }
}

/** Pods first; events last: what is deleted before them makes some. */
function turnOf({ group, resource }: ResourceType): number {
  if (group === '' && resource === 'pods') return 0;
  return resource === 'events' ? 2 : 1;
}
