/** Takes away pods that nobody else will: those of a node that is gone for good, and the oldest of too many that ended. */
import { objectKey } from '../../api/object-key.ts';
import { nodes, pods } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { isConflict, isNotFound } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { messageOf } from '../../errors/known-error.ts';
import { KeyedController } from '../context.ts';
import { planPodGc } from './desired.ts';

const checkMs = 20_000;
/** All pods are looked at together, so there is one key. */
const everything = 'pods';

export class PodGarbageCollector extends KeyedController {
  readonly name = 'pod-garbage-collector-controller';
  readonly workers = 1;
  readonly #pods = this.informers.of(pods);
  readonly #nodes = this.informers.of(nodes);
  /** Since when nodes that pods name are missed. */
  readonly #missing = new Map<string, number>();

  setup(controller: Controller): void {
    controller.waitsFor(this.#pods, this.#nodes).enqueue(everything, checkMs);
  }

  async reconcile(): Promise<Result> {
    const all = this.#pods.list();
    for (const { pod, why } of planPodGc(all, this.#missed(all))) await this.#delete(pod, why);
    return { requeueAfter: checkMs };
  }

  #missed(all: readonly Pod[]): Map<string, number> {
    const named = new Set(all.flatMap(({ spec }) => spec?.nodeName || []));
    const now = this.clock.monotonic();
    for (const name of named) if (!this.#nodes.get(name) && !this.#missing.has(name)) this.#missing.set(name, now);
    for (const name of this.#missing.keys()) if (this.#nodes.get(name) || !named.has(name)) this.#missing.delete(name);
    return new Map([...this.#missing].map(([name, since]) => [name, now - since]));
  }

  async #delete(pod: Pod, why: string): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    this.context.log.info(`Deleting pod "${objectKey(pod)}": ${why}`, { pod: objectKey(pod) });
    await this.client.delete(pods, name, { namespace, gracePeriodSeconds: 0, preconditions: { uid } }).catch((err: unknown) => {
      if (!isNotFound(err) && !isConflict(err)) this.context.log.warn(`Cannot delete pod "${objectKey(pod)}": ${messageOf(err)}`);
    });
  }
}
