/**
 * The keyed controller of client-go and controller-runtime: news from informers becomes keys, workers reconcile one key each, and a
 * key that failed comes back after a delay that doubles. What every reconciler would do with an answer that is no success is done
 * here: a conflict or a missing object means that the copy was old, and a namespace that ends means that there is nothing to do.
 */

import { objectKey } from '../api/object-key.ts';
import type { KubeObject } from '../api/resource-types.ts';
import { onAbort } from '../clock/aborted.ts';
import type { Clock } from '../clock/clock.ts';
import { WorkQueue } from '../clock/work-queue.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { isConflict, isNamespaceTerminating, isNotFound } from './api-error.ts';
import type { Informer } from './informer.ts';

export interface Result {
  /** Milliseconds until the key is looked at again, news or no news. The earliest of several counts. */
  readonly requeueAfter?: number | undefined;
}

export interface Reconciler {
  /** Stands in the log. */
  readonly name: string;
  /** How many keys are worked on at a time. Default 5. */
  readonly workers?: number;
  /** Says which news concerns which keys. */
  setup(controller: Controller): void;
  /**
   * Brings the world in line with what the key wants. Idempotent, and never called twice at a time for one key. May throw whatever the
   * API server answered: the key comes back. Undefined: all is as the key wants it, and only news brings the key back.
   */
  reconcile(key: string): Promise<Result | undefined>;
}

interface ControllerOptions {
  readonly reconciler: Reconciler;
  readonly clock: Clock;
  readonly log: Log;
}

/** The keys that news of an object concerns. */
interface NewsHandlers<T> {
  add?(object: T): readonly string[];
  update?(object: T, previous: T): readonly string[];
  delete?(object: T): readonly string[];
}

/** So often in a row a conflict or a missing object is everyday life, for the informer will bring the news. */
const quietFailures = 5;

export class Controller {
  readonly #reconciler: Reconciler;
  readonly #log: Log;
  readonly #queue: WorkQueue;
  readonly #caches: Promise<void>[] = [];

  constructor({ reconciler, clock, log }: ControllerOptions) {
    this.#reconciler = reconciler;
    this.#log = log;
    this.#queue = new WorkQueue(clock);
    reconciler.setup(this);
  }

  /** The keys are those of these objects. */
  for<T extends KubeObject>(informer: Informer<T>, when: (object: T) => boolean = () => true): this {
    const own = (object: T): string[] => (when(object) ? [objectKey(object)] : []);
    return this.watches(informer, { add: own, update: own, delete: own });
  }

  /** News of an object concerns its owner, and who was its owner before. */
  owns<T extends KubeObject>(informer: Informer<T>, ownersOf: (object: T) => readonly string[], afterMs: number = 0): this {
    const update = (object: T, previous: T): string[] =>
      controllerUid(object) === controllerUid(previous) ? [...ownersOf(object)] : [...ownersOf(object), ...ownersOf(previous)];
    return this.watches(informer, { add: ownersOf, update, delete: ownersOf }, afterMs);
  }

  /** `afterMs` gathers news that comes together. */
  watches<T extends KubeObject>(informer: Informer<T>, news: NewsHandlers<T>, afterMs: number = 0): this {
    const enqueue = (keys: readonly string[] | undefined): void => {
      for (const key of keys ?? []) this.enqueue(key, afterMs);
    };
    informer.on({
      add: (object) => enqueue(news.add?.(object)),
      update: (object, previous) => enqueue(news.update?.(object, previous)),
      delete: (object) => enqueue(news.delete?.(object)),
    });
    return this.waitsFor(informer);
  }

  /** Nothing is reconciled before these are in: what is read, too, and not only what brings news. */
  waitsFor(...informers: readonly { readonly synced: Promise<void> }[]): this {
    this.#caches.push(...informers.map((informer) => informer.synced));
    return this;
  }

  enqueue(key: string, afterMs: number = 0): void {
    this.#queue.addAfter(key, afterMs);
  }

  /** Works until the signal aborts; resolves when every worker has ended. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#caches);
    using _ = onAbort(signal, () => this.#queue.close());
    await Promise.all(Array.from({ length: this.#reconciler.workers ?? 5 }, () => this.#work(signal)));
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      try {
        const { requeueAfter } = (await this.#reconciler.reconcile(key)) ?? {};
        this.#queue.forget(key);
        if (requeueAfter !== undefined) this.#queue.addAfter(key, requeueAfter);
      } catch (err) {
        if (!signal.aborted) this.#failed(key, err);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  #failed(key: string, err: unknown): void {
    if (isNamespaceTerminating(err)) {
      this.#queue.forget(key);
      return;
    }
    const isQuiet = (isConflict(err) || isNotFound(err)) && this.#queue.failures(key) < quietFailures;
    const { name } = this.#reconciler;
    this.#log[isQuiet ? 'debug' : 'warn'](`${name} will try "${key}" again: ${messageOf(err)}`, { controller: name, key });
    this.#queue.addRateLimited(key);
  }
}

/** The earliest of several results. */
export function soonest(...results: readonly (Result | undefined)[]): Result | undefined {
  const delays = results.flatMap((result) => result?.requeueAfter ?? []);
  return delays.length > 0 ? { requeueAfter: Math.min(...delays) } : undefined;
}

function controllerUid({ metadata }: KubeObject): string | undefined {
  return metadata.ownerReferences?.find((owner) => owner.controller)?.uid;
}
