/**
 * A cluster as a value: what the server has (`client`), and copies of it (`informers`) that are as old as the test wants them, for they
 * see nothing new before `deliver`. No socket, and a clock that stands still.
 */

import { objectKey } from '../../api/object-key.ts';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { Client, type ListOptions, type ListResult, type WatchEvent, type WatchOptions } from '../client.ts';
import { InformerSet } from '../informers.ts';
import { FakeClient, type Selection } from './fake-client.ts';

export class FakeCluster implements AsyncDisposable {
  readonly clock: FakeClock = new FakeClock();
  readonly client: FakeClient = new FakeClient(this.clock);
  readonly informers: InformerSet;
  readonly signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #feed: Feed;

  constructor() {
    this.signal = this.#stop.signal;
    this.#feed = new Feed(this.client);
    this.informers = new InformerSet(this.#feed, { clock: this.clock, log: silentLog });
    void this.informers.start(this.signal);
  }

  put<T extends KubeObject>(type: ResourceType<T>, object: T): T {
    return this.client.put(type, object);
  }

  /** The copies become what the server has; their handlers have been called then. */
  async deliver(): Promise<void> {
    await this.informers.synced;
    await this.#feed.deliver();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await turn();
  }
}

/** Lets all that is ready run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What informers list and watch: nothing moves between two deliveries. */
class Feed extends Client {
  readonly #server: FakeClient;
  readonly #watches = new Set<() => Promise<void>>();
  /** What was listed, by selection: a watch goes on from there. */
  readonly #lists = new Map<string, readonly KubeObject[]>();

  constructor(server: FakeClient) {
    super({ server: 'http://nowhere.invalid' });
    this.#server = server;
  }

  async deliver(): Promise<void> {
    // An informer that has its list is on its way to its watch.
    while (this.#watches.size < this.#lists.size) await turn();
    await Promise.all([...this.#watches].map((watch) => watch()));
  }

  override async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<ListResult<T>> {
    const items = this.#server.selected(type, options);
    this.#lists.set(selectionOf(type, options), items);
    return { items, resourceVersion: this.#server.resourceVersion };
  }

  override async watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Promise<void> {
    let shown = byKey(this.#lists.get(selectionOf(type, options)) as readonly T[]);
    let wake = Promise.withResolvers<void>();
    let seen = Promise.withResolvers<void>();
    this.#watches.add(() => {
      wake.resolve();
      return seen.promise;
    });
    options.signal.addEventListener('abort', () => wake.resolve(), { once: true });
    for (;;) {
      await wake.promise;
      if (options.signal.aborted) return;
      wake = Promise.withResolvers();
      const now = byKey(this.#server.selected(type, options));
      for (const event of eventsBetween(shown, now)) onEvent(event);
      shown = now;
      onEvent({ type: 'BOOKMARK', object: { metadata: { resourceVersion: this.#server.resourceVersion } } as T });
      seen.resolve();
      seen = Promise.withResolvers();
    }
  }
}

function selectionOf({ resource }: ResourceType, { namespace, fieldSelector }: Selection): string {
  return [resource, namespace, fieldSelector].join('|');
}

function byKey<T extends KubeObject>(objects: readonly T[]): Map<string, T> {
  return new Map(objects.map((object) => [objectKey(object), object]));
}

function* eventsBetween<T extends KubeObject>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): Iterable<WatchEvent<T>> {
  for (const [key, object] of before) {
    if (after.get(key)?.metadata.uid !== object.metadata.uid) yield { type: 'DELETED', object };
  }
  for (const [key, object] of after) {
    const old = before.get(key);
    if (old !== object) yield { type: old?.metadata.uid === object.metadata.uid ? 'MODIFIED' : 'ADDED', object };
  }
}
