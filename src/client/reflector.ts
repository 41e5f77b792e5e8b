/**
 * client-go's Reflector: makes a store the same as a resource of the API server, by a list and the watch that goes on from it. A watch that
 * ends is opened again from where it was; one that cannot be leads to a new list (relist).
 */
import type { KubeObject, ResourceType } from '../api/resource-types.ts';
import type { Clock } from '../clock/clock.ts';
import type { Log } from '../observability/log.ts';
import { ApiError } from './api-error.ts';
import type { Client, WatchEvent } from './client.ts';
import { shortWatchMs, WatchBackOff } from './watch-back-off.ts';
import { WatchPulse } from './watch-pulse.ts';

interface ReflectorOptions<T extends KubeObject> {
  readonly client: Pick<Client, 'list' | 'watch'>;
  readonly type: ResourceType<T>;
  readonly selection: { readonly namespace?: string; readonly labelSelector?: string; readonly fieldSelector?: string };
  readonly store: ReflectorStore<T>;
  readonly clock: Clock;
  readonly log: Log;
  /** Between 0 and 1; spreads relists of many clients. */
  readonly random: () => number;
}

export interface ReflectorStore<T> {
  /** All that there is; what is not among it is gone. */
  replace(objects: readonly T[]): void;
  put(object: T): void;
  /** `object` is its last state. */
  delete(object: T): void;
}

/** How long one watch lasts at least before a new one is opened; at most twice that. */
const watchSeconds = 300;

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #pulse: WatchPulse;
  readonly #backOff: WatchBackOff;
  #hasListed = false;
  #needsList = true;
  #watchedMs = 0;
  #resourceVersion = '';

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#pulse = new WatchPulse(options.clock);
    this.#backOff = new WatchBackOff(options.random);
  }

  /** The resourceVersion of the newest thing seen. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /** Milliseconds since the server was last heard. */
  get ageMs(): number {
    return this.#pulse.ageMs;
  }

  /** Lists and watches until the signal aborts, with a delay after trouble. */
  async run(signal: AbortSignal): Promise<void> {
    const { type, clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        await this.listAndWatch(signal);
      } catch (err) {
        if (signal.aborted) return;
        const { why, delayMs, isNews } = this.#backOff.failed(err, this.#watchedMs);
        log[isNews ? 'warn' : 'debug'](`Cannot watch ${type.resource}: ${why}`, { resource: type.resource });
        await clock.sleep(delayMs, signal).catch(() => {});
      }
    }
  }

  /** Once: a list when one is needed, and a watch until it ends. Rejects with what went wrong. */
  async listAndWatch(signal: AbortSignal): Promise<void> {
    this.#watchedMs = 0;
    try {
      if (this.#needsList) await this.#list(signal);
      await this.#watch(signal);
    } catch (err) {
      // Too old (410), or from the future of a server that lost its data: only a new list helps. Overload is not cured by one.
      if (err instanceof ApiError && err.code !== 429 && err.code !== 503) this.#needsList = true;
      throw err;
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, type, selection, store } = this.#options;
    // "0" is whatever the server has in memory; after a watch fell behind only the newest will do.
    const { items, resourceVersion } = await client.list(type, { ...selection, resourceVersion: this.#hasListed ? '' : '0', signal });
    this.#pulse.opened();
    this.#resourceVersion = resourceVersion;
    this.#hasListed = true;
    store.replace(items);
    this.#needsList = false;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, type, selection, clock, random } = this.#options;
    const silence = new AbortController();
    const guard = this.#pulse.guard(() => silence.abort());
    const since = clock.monotonic();
    let count = 0;
    try {
      const events = client.watch(type, {
        ...selection,
        resourceVersion: this.#resourceVersion,
        timeoutSeconds: Math.round(watchSeconds * (1 + random())),
        signal: AbortSignal.any([signal, silence.signal]),
        onOpen: () => this.#pulse.opened(),
      });
      for await (const event of events) {
        count++;
        this.#backOff.worked();
        this.#handle(event);
      }
    } catch (err) {
      if (!silence.signal.aborted) throw err;
    } finally {
      guard.cancel();
      this.#watchedMs = clock.monotonic() - since;
    }
    if (signal.aborted) return;
    if (silence.signal.aborted) throw this.#silent();
    if (count === 0 && this.#watchedMs < shortWatchMs) throw new Error('it ended at once');
  }

  #handle({ type, object }: WatchEvent<T>): void {
    const { store } = this.#options;
    this.#pulse.event(type === 'BOOKMARK');
    if (object.metadata.resourceVersion) this.#resourceVersion = object.metadata.resourceVersion;
    if (type === 'DELETED') store.delete(object);
    else if (type !== 'BOOKMARK') store.put(object);
  }

  #silent(): Error {
    const { type, log } = this.#options;
    const why = `nothing came for ${Math.round(this.#pulse.ageMs / 1000)} s, not even a bookmark`;
    if (this.#pulse.isKnown) log.warn(`The watch of ${type.resource} had died: ${why}`, { resource: type.resource });
    return new Error(why);
  }
}
