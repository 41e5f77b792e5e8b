/** The store in etcd. See README.md. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onAbort } from '../../clock/aborted.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import type {
  DeleteOptions,
  PutOptions,
  RangeResult,
  Store,
  StoredRecord,
  StoreEvent,
  StoreSettings,
  WatchOptions,
  WriteResult,
} from '../store.ts';
import type { EtcdSettings } from './address.ts';
import { compactTo } from './compactor.ts';
import { EtcdClient } from './etcd-client.ts';
import { failed } from './etcd-error.ts';
import type { KeySpace } from './key-space.ts';
import type { Message } from './messages.ts';
import { Recovery } from './recovery.ts';
import { type Watched, Watcher } from './watcher.ts';

export class EtcdStore implements Store {
  readonly #settings: EtcdSettings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #space: KeySpace;
  readonly #stop = new AbortController();
  #client: EtcdClient;
  /** While what was set back is not used yet. */
  #recovery: Recovery | undefined;
  #asked: Promise<number> | undefined;
  #underWay = 0;

  /** Use `openEtcdStore`. `client` was admitted. */
  constructor(settings: EtcdSettings, clock: Clock, log: Log, client: EtcdClient) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#space = settings.space;
    this.#client = this.#use(client);
  }

  #use(client: EtcdClient): EtcdClient {
    this.#client = client;
    client.onSetBack = (why) => void this.#recover(why);
    client.keepCompacting();
    // It may have happened before anybody listened.
    const { setBack } = client.endpoints;
    if (setBack) void this.#recover(setBack);
    return client;
  }

  async #recover(why: KnownError): Promise<void> {
    const before = this.#client;
    const { revision, newest } = before.endpoints;
    this.#recovery = new Recovery(this.#settings, this.#clock, this.#log, { revision, cluster: newest.cluster }, why);
    const client = await this.#recovery.run(this.#stop.signal);
    if (!client) return;
    before.close();
    this.#recovery = undefined;
    this.#use(client);
  }

  /** While etcd is being asked already, whoever asks in one turn of the event loop shares one call, which begins after it. */
  revision(): Promise<number> {
    if (this.#underWay === 0) return this.#readRevision();
    this.#asked ??= nextTurn().then(() => {
      this.#asked = undefined;
      return this.#readRevision();
    });
    return this.#asked;
  }

  #readRevision(): Promise<number> {
    this.#underWay++;
    const reading = this.#try('read', async ({ endpoints, fence }) => {
      const { response } = await endpoints.call('Range', { key: fence.key, countOnly: true });
      const { revision } = response.header!;
      fence.expect(revision);
      return revision;
    });
    return reading.finally(() => this.#underWay--);
  }

  get(key: string): Promise<StoredRecord | undefined> {
    return this.#try('read', async ({ endpoints }) => {
      const { response } = await endpoints.call('Range', { key: this.#space.toEtcd(key) });
      const [kv] = response.kvs;
      return kv && this.#space.record(kv);
    });
  }

  range(start: string, end: string, { limit = 0 }: { readonly limit?: number } = {}): Promise<RangeResult> {
    return this.#try('read', async ({ endpoints }) => {
      const { response } = await endpoints.call('Range', { ...this.#space.range(start, end), limit });
      const { header, kvs, more, count } = response;
      return { records: kvs.map((kv) => this.#space.record(kv)), revision: header!.revision, more, count };
    });
  }

  put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<WriteResult> {
    return this.#try('write to', ({ writes }) => writes.put(key, value, options));
  }

  delete(key: string, options: DeleteOptions = {}): Promise<WriteResult> {
    return this.#try('write to', ({ writes }) => writes.delete(key, options));
  }

  async *watch(
    start: string,
    end: string,
    from: number,
    { signal, until = Number.POSITIVE_INFINITY, onProgress }: WatchOptions,
  ): AsyncGenerator<readonly StoreEvent[], void, undefined> {
    if (this.#stop.signal.aborted || signal.aborted) return;
    const { fence, stream } = this.#usable();
    const isWhole = this.#space.isWhole(this.#space.range(start, end));
    if (isWhole) fence.saw(from - 1);
    const watcher = this.#watcher(start, end, from, until, isWhole ? (revision) => fence.expect(revision) : undefined);
    const stop = new AbortController();
    using _ = onAbort(signal, () => watcher.end());
    using __ = onAbort(this.#stop.signal, () => watcher.end());
    stream.fill(watcher);
    if (Number.isFinite(until) && !watcher.hasEnded) void fence.pass(until, from, stop.signal);
    try {
      for (let batch = await watcher.take(); batch && !signal.aborted; batch = await watcher.take()) {
        if (batch.events.length > 0) yield batch.events;
        if (isWhole) fence.saw(batch.revision);
        onProgress?.(batch.revision);
        stream.fill(watcher);
      }
    } finally {
      stop.abort();
      stream.stop(watcher);
    }
  }

  /** `confirm` where it is of all keys: then it is to hear of how far it has come, as one that ends at a revision is. */
  #watcher(start: string, end: string, from: number, until: number, confirm: Watched['confirm']): Watcher {
    const own = this.#space.range(start, end);
    const range = confirm || until < Number.POSITIVE_INFINITY ? this.#space.withFence(own) : own;
    return new Watcher({
      ...{ start, end, range, from, until },
      event: (message) => this.#event(message),
      isJump: ({ kv }) => kv!.key === this.#space.jump,
      ...(confirm && { confirm }),
    });
  }

  #event({ type, kv, prevKv }: Message<'Event'>): StoreEvent {
    const record = this.#space.record(kv!);
    const previous = prevKv && this.#space.record(prevKv);
    const revision = record.modRevision;
    return type === 0 ? { kind: 'put', revision, record, previous } : { kind: 'delete', revision, key: record.key, previous };
  }

  compact(revision: number): Promise<void> {
    return this.#try('compact', async ({ endpoints }) => compactTo(endpoints, Math.min(revision, await this.revision())));
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #usable(): EtcdClient {
    if (this.#recovery) throw this.#recovery.why;
    return this.#client;
  }

  async #try<T>(action: string, work: (client: EtcdClient) => Promise<T>): Promise<T> {
    if (this.#stop.signal.aborted) throw closed();
    const client = this.#usable();
    try {
      return await work(client);
    } catch (err) {
      throw this.#stop.signal.aborted ? closed() : failed(action, this.#settings.shown, err);
    }
  }
}

function closed(): KnownError {
  return new KnownError('STORE_CLOSED', 'Cannot use the store: it was closed');
}

/** Throws BAD_CONFIG, STORE_READ_ONLY or STORE_UNAVAILABLE when the cluster cannot be used. */
export async function openEtcdStore(settings: EtcdSettings, options: StoreSettings = {}): Promise<EtcdStore> {
  const { clock = systemClock, log = silentLog } = options;
  const client = new EtcdClient(settings, clock, log);
  try {
    await client.admit();
    return new EtcdStore(settings, clock, log, client);
  } catch (err) {
    client.close();
    throw err;
  }
}
