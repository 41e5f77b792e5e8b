/**
 * client-go's Reflector: makes a store the same as a resource of the API server, by a list and the watch that goes on from it. A watch that
 * ends is opened again from where it was; one that cannot be leads to a new list (relist).
 */
import { objectKey } from '../api/object-key.ts';
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
  /**
   * What is kept of an object. With it, a list comes as events of a watch where the server can (KEP-3157): the whole of all objects, several times
   * what is kept, is then never in memory.
   */
  readonly transform?: ((object: T) => T) | undefined;
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
const initialEventsEnd = 'k8s.io/initial-events-end';

/** An older server does not know what a watch is asked for here; a kube-apiserver over an etcd before 3.4.25 knows it and cannot do it (500). */
function isUnknownToServer(err: unknown): boolean {
  return err instanceof ApiError && [400, 422, 500].includes(err.code);
}

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #pulse: WatchPulse;
  readonly #backOff: WatchBackOff;
  #hasListed = false;
  #needsList = true;
  /** Whether lists come as events. */
  #streams: boolean;
  /** What has come of such a list. */
  #arriving: Map<string, T> | undefined;
  /** Which cluster the list was of; undefined where the server does not say it. */
  #cluster: string | undefined;
  #watchedMs = 0;
  #resourceVersion = '';

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#streams = options.transform !== undefined;
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
      if (this.#needsList && !this.#streams) await this.#list(signal);
      await this.#watch(signal);
    } catch (err) {
      if (this.#needsList && this.#streams && isUnknownToServer(err)) {
        this.#streams = false;
        return this.listAndWatch(signal);
      }
      // Too old (410), or from the future of a server that lost its data: only a new list helps. Overload is not cured by one.
      if (err instanceof ApiError && err.code !== 429 && err.code !== 503) this.#needsList = true;
      throw err;
    }
  }

  /** "0" is whatever the server has in memory; after a watch fell behind only the newest will do. */
  get #listedVersion(): string {
    return this.#hasListed ? '' : '0';
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, type, selection } = this.#options;
    const { items, resourceVersion, cluster } = await client.list(type, { ...selection, resourceVersion: this.#listedVersion, signal });
    this.#pulse.opened();
    this.#cluster = cluster;
    this.#resourceVersion = resourceVersion;
    this.#listed(items.map((item) => this.#kept(item)));
  }

  #listed(objects: readonly T[]): void {
    this.#hasListed = true;
    this.#options.store.replace(objects);
    this.#needsList = false;
  }

  #kept(object: T): T {
    return this.#options.transform?.(object) ?? object;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, type, selection, clock, random } = this.#options;
    const silence = new AbortController();
    const guard = this.#pulse.guard(() => silence.abort());
    const since = clock.monotonic();
    let count = 0;
    this.#arriving = this.#needsList ? new Map() : undefined;
    try {
      const options = {
        ...selection,
        ...(this.#arriving
          ? { resourceVersion: this.#listedVersion, sendInitialEvents: true }
          : { resourceVersion: this.#resourceVersion }),
        timeoutSeconds: Math.round(watchSeconds * (1 + random())),
        signal: AbortSignal.any([signal, silence.signal]),
        onOpen: (cluster: string | undefined) => this.#opened(cluster),
      };
      await client.watch(type, options, (event) => {
        count++;
        this.#backOff.worked();
        this.#handle(event);
      });
    } catch (err) {
      // The end of the list never came: the server may not know what it was asked for.
      if (this.#arriving && silence.signal.aborted) this.#streams = false;
      if (!silence.signal.aborted) throw err;
    } finally {
      guard.cancel();
      this.#arriving = undefined;
      this.#watchedMs = clock.monotonic() - since;
    }
    if (signal.aborted) return;
    if (silence.signal.aborted) throw this.#silent();
    if (count === 0 && this.#watchedMs < shortWatchMs) throw new Error('it ended at once');
  }

  /** Throws when the watch would go on in another cluster than its list was of, whose revisions may be above those that are known. */
  #opened(cluster: string | undefined): void {
    this.#pulse.opened();
    if (this.#arriving) this.#cluster = cluster;
    else if (this.#cluster !== undefined && cluster !== undefined && cluster !== this.#cluster) throw this.#madeAnew();
  }

  #handle({ type, object }: WatchEvent<T>): void {
    this.#pulse.event(type === 'BOOKMARK');
    if (object.metadata.resourceVersion) this.#resourceVersion = object.metadata.resourceVersion;
    if (type === 'BOOKMARK') {
      if (object.metadata.annotations?.[initialEventsEnd] === 'true') this.#arrived();
      return;
    }
    const { store } = this.#options;
    const kept = this.#kept(object);
    if (this.#arriving && type === 'DELETED') this.#arriving.delete(objectKey(kept));
    else if (this.#arriving) this.#arriving.set(objectKey(kept), kept);
    else if (type === 'DELETED') store.delete(kept);
    else store.put(kept);
  }

  #arrived(): void {
    const all = [...(this.#arriving?.values() ?? [])];
    this.#arriving = undefined;
    this.#listed(all);
  }

  /** As a server would refuse that knew what its clients know. */
  #madeAnew(): ApiError {
    const { type, log } = this.#options;
    const message = 'the cluster was made anew';
    log.warn(`${type.resource} are listed again: ${message}`, { resource: type.resource });
    return new ApiError({ apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code: 410, reason: 'Expired', message });
  }

  #silent(): Error {
    const { type, log } = this.#options;
    const why = `nothing came for ${Math.round(this.#pulse.ageMs / 1000)} s, not even a bookmark`;
    if (this.#pulse.isKnown) log.warn(`The watch of ${type.resource} had died: ${why}`, { resource: type.resource });
    return new Error(why);
  }
}
