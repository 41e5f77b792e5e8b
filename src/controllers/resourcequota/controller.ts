/**
 * Counts what ResourceQuotas are about, and writes it into their status: of a new quota, of one that was changed, and when something goes or needs less. What comes to be
 * the API server charges itself. After pkg/controller/resourcequota.
 */

import { objectKey } from '../../api/object-key.ts';
import type { GroupResource } from '../../api/quota/quota.ts';
import { type KubeObject, persistentVolumeClaims, pods, type ResourceType, resourceQuotas, services } from '../../api/resource-types.ts';
import type { ResourceQuota } from '../../api/schema/types.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { type DiscoveredResource, discover } from '../../client/discovery.ts';
import type { Informer } from '../../client/informer.ts';
import { KeyedController } from '../context.ts';
import type * as Desired from './desired.ts';

/** What was charged and never came to be is counted off after so long (--resource-quota-sync-period of upstream). */
const resyncMs = 5 * 60_000;
/** A write that was charged may not have been in the copies when they were counted. */
const soonMs = 5_000;
/** A kind that is not served may be soon. */
const unknownMs = 30_000;

const known: readonly ResourceType[] = [pods, services, persistentVolumeClaims] as readonly ResourceType[];
const needed: readonly string[] = ['create', 'list', 'watch', 'delete'];

export class ResourceQuotaController extends KeyedController {
  readonly name = 'resourcequota-controller';
  readonly #quotas = this.informers.of(resourceQuotas);
  /** By `group/resource`: only of what a quota counts. */
  readonly #followed = new Map<string, Informer<KubeObject>>();
  #controller: Controller | undefined;
  /** Loaded for the first quota: most clusters have none. */
  #desired: typeof Desired | undefined;

  setup(controller: Controller): void {
    this.#controller = controller;
    controller.watches(this.#quotas, {
      add: (quota) => [objectKey(quota)],
      // Charges of the API server are no news.
      update: (quota, previous) => (JSON.stringify(quota.spec) === JSON.stringify(previous.spec) ? [] : [objectKey(quota)]),
    });
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const quota = this.#quotas.get(key);
    if (!quota) return;
    this.#desired ??= await import('./desired.ts');
    const { countedBy, keyOf, statusOf } = this.#desired;
    const isComplete = await this.#follow(countedBy(quota), this.#desired);
    // A copy may lack the charge of what has gone since: counted against it, all would seem to be in order. To list is what the role allows.
    const { name, namespace = '' } = quota.metadata;
    const [current] = (await this.client.list(resourceQuotas, { namespace, fieldSelector: `metadata.name=${name}` })).items;
    if (!current) return;
    const objects = (of: GroupResource): readonly KubeObject[] | undefined => this.#followed.get(keyOf(of))?.list(namespace);
    const status = statusOf(current, objects, this.clock.now());
    if (status) await this.client.update(resourceQuotas, { ...current, status }, { subresource: 'status' });
    return { requeueAfter: status ? soonMs : isComplete ? resyncMs : unknownMs };
  }

  /** Resolves when the copies of all are there; false: some are of no kind that is served. */
  async #follow(counted: readonly GroupResource[], desired: typeof Desired): Promise<boolean> {
    const { keyOf } = desired;
    const left = counted.filter((of) => !this.#followed.has(keyOf(of)));
    const served = left.some((of) => !typeOf(of, known)) ? await discover(this.client, { partial: true }) : [];
    for (const of of left) {
      const type = typeOf(of, known) ?? typeOf(of, served.filter(isQuotable));
      if (type && !this.#followed.has(keyOf(of))) this.#watch(of, type, desired);
    }
    const informers = counted.map((of) => this.#followed.get(keyOf(of)));
    await Promise.all(informers.map((informer) => informer?.synced));
    return informers.every((informer) => informer !== undefined);
  }

  #watch(of: GroupResource, type: ResourceType, { countedBy, frees, keyOf }: typeof Desired): void {
    const informer = this.informers.of(type) as Informer<KubeObject>;
    this.#followed.set(keyOf(of), informer);
    const concerned = ({ metadata }: KubeObject): string[] =>
      this.#quotas
        .list(metadata.namespace)
        .filter((quota) => countedBy(quota).some((other) => keyOf(other) === keyOf(of)))
        .map((quota: ResourceQuota) => objectKey(quota));
    const enqueue = (keys: readonly string[]): void => {
      for (const key of keys) this.#controller?.enqueue(key);
    };
    informer.on({
      update: (object, previous) => {
        if (frees(of, object, previous, this.clock.now())) enqueue(concerned(object));
      },
      delete: (object) => enqueue(concerned(object)),
    });
  }
}

function typeOf<T extends ResourceType>({ group, resource }: GroupResource, types: readonly T[]): T | undefined {
  return types.find((type) => type.group === group && type.resource === resource);
}

function isQuotable({ namespaced, verbs }: DiscoveredResource): boolean {
  return namespaced && needed.every((verb) => verbs.includes(verb));
}
