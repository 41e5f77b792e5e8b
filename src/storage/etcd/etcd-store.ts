/** The store in etcd. See README.md. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onAbort } from '../../clock/aborted.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
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
import { compactTo, keepCompacting } from './compactor.ts';
import { Endpoints } from './endpoints.ts';
import { failed } from './etcd-error.ts';
import { Fence } from './fence.ts';
import { refuseHalfFilled } from './filling.ts';
import { firstMember, ownAddresses } from './first-member.ts';
import type { KeySpace } from './key-space.ts';
import { LeaseBuckets } from './lease-buckets.ts';
import type { Message } from './messages.ts';
import { WatchStream } from './watch-stream.ts';
import { Watcher } from './watcher.ts';
import { Writes } from './writes.ts';

export class EtcdStore implements Store {
  readonly #shown: string;
  readonly #space: KeySpace;
  readonly #endpoints: Endpoints;
  readonly #writes: Writes;
  readonly #fence: Fence;
  readonly #stream: WatchStream;
  readonly #stop = new AbortController();
  #asked: Promise<number> | undefined;
  #underWay = 0;

  /** Use `openEtcdStore`. */
  constructor(settings: EtcdSettings, clock: Clock, log: Log) {
    const { endpoints, tls, shown, space, compactionMs } = settings;
    this.#shown = shown;
    this.#space = space;
    const { first, home } = firstMember(endpoints, ownAddresses(), Math.random());
    this.#endpoints = new Endpoints(endpoints, tls, clock, { first, home, probe: space.fence });
    this.#writes = new Writes(this.#endpoints, space, new LeaseBuckets(this.#endpoints, clock));
    this.#fence = new Fence(space.fence, this.#endpoints, clock, log);
    this.#stream = new WatchStream(this.#endpoints, clock, log, shown);
    if (compactionMs > 0) void keepCompacting(this.#endpoints, compactionMs, clock, log, this.#stop.signal);
  }

  /** Sees that the cluster can be used. Throws why not. */
  async admit(): Promise<void> {
    await this.#try('open', () => this.#endpoints.examineAll());
    await this.#refuseProtobuf();
    await this.#try('read', () => refuseHalfFilled(this.#endpoints, this.#space, this.#shown));
    try {
      await this.#try('write to', () => this.#fence.raise());
    } catch (err) {
      // Deletes make room, so the server must start.
      if (!isKnownError(err, 'STORE_FULL')) throw err;
    }
  }

  async #refuseProtobuf(): Promise<void> {
    const { records } = await this.range('/registry/namespaces/', '/registry/namespaces0', { limit: 1 });
    if (!records[0] || !Buffer.from('k8s\0').equals(records[0].value.subarray(0, 4))) return;
    throw new KnownError('BAD_CONFIG', `Cannot open store "${this.#shown}": it holds the objects of another API server, as protobuf`, {
      hint: 'Give an etcd without a cluster or another prefix=/NAME, or let that server write its objects as JSON first (--storage-media-type=application/json)',
    });
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
    const reading = this.#try('read', async () => {
      const { response } = await this.#endpoints.call('Range', { key: this.#fence.key, countOnly: true });
      const { revision } = response.header!;
      this.#fence.expect(revision);
      return revision;
    });
    return reading.finally(() => this.#underWay--);
  }

  get(key: string): Promise<StoredRecord | undefined> {
    return this.#try('read', async () => {
      const { response } = await this.#endpoints.call('Range', { key: this.#space.toEtcd(key) });
      const [kv] = response.kvs;
      return kv && this.#space.record(kv);
    });
  }

  range(start: string, end: string, { limit = 0 }: { readonly limit?: number } = {}): Promise<RangeResult> {
    return this.#try('read', async () => {
      const { response } = await this.#endpoints.call('Range', { ...this.#space.range(start, end), limit });
      const { header, kvs, more, count } = response;
      return { records: kvs.map((kv) => this.#space.record(kv)), revision: header!.revision, more, count };
    });
  }

  put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<WriteResult> {
    return this.#try('write to', () => this.#writes.put(key, value, options));
  }

  delete(key: string, options: DeleteOptions = {}): Promise<WriteResult> {
    return this.#try('write to', () => this.#writes.delete(key, options));
  }

  async *watch(
    start: string,
    end: string,
    from: number,
    { signal, until = Number.POSITIVE_INFINITY, onProgress }: WatchOptions,
  ): AsyncGenerator<readonly StoreEvent[], void, undefined> {
    if (this.#stop.signal.aborted || signal.aborted) return;
    const own = this.#space.range(start, end);
    const isWhole = this.#space.isWhole(own);
    const range = isWhole || until < Number.POSITIVE_INFINITY ? this.#space.withFence(own) : own;
    const watcher = new Watcher({ start, end, range, from, until, event: (message) => this.#event(message) });
    const stop = new AbortController();
    using _ = onAbort(signal, () => watcher.end());
    using __ = onAbort(this.#stop.signal, () => watcher.end());
    this.#stream.fill(watcher);
    if (Number.isFinite(until) && !watcher.hasEnded) void this.#fence.pass(until, from, stop.signal);
    try {
      for (let batch = await watcher.take(); batch && !signal.aborted; batch = await watcher.take()) {
        if (batch.events.length > 0) yield batch.events;
        if (isWhole) this.#fence.saw(batch.revision);
        onProgress?.(batch.revision);
        this.#stream.fill(watcher);
      }
    } finally {
      stop.abort();
      this.#stream.stop(watcher);
    }
  }

  #event({ type, kv, prevKv }: Message<'Event'>): StoreEvent {
    const record = this.#space.record(kv!);
    const previous = prevKv && this.#space.record(prevKv);
    const revision = record.modRevision;
    return type === 0 ? { kind: 'put', revision, record, previous } : { kind: 'delete', revision, key: record.key, previous };
  }

  compact(revision: number): Promise<void> {
    return this.#try('compact', async () => compactTo(this.#endpoints, Math.min(revision, await this.revision())));
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#fence.close();
    this.#stream.close();
    this.#endpoints.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #try<T>(action: string, work: () => Promise<T>): Promise<T> {
    if (this.#stop.signal.aborted) throw closed();
    try {
      return await work();
    } catch (err) {
      throw this.#stop.signal.aborted ? closed() : failed(action, this.#shown, err);
    }
  }
}

function closed(): KnownError {
  return new KnownError('STORE_CLOSED', 'Cannot use the store: it was closed');
}

/** Throws BAD_CONFIG, STORE_READ_ONLY or STORE_UNAVAILABLE when the cluster cannot be used. */
export async function openEtcdStore(settings: EtcdSettings, options: StoreSettings = {}): Promise<EtcdStore> {
  const log = options.log ?? silentLog;
  const store = new EtcdStore(settings, options.clock ?? systemClock, log);
  try {
    await store.admit();
    return store;
  } catch (err) {
    await store.close();
    throw err;
  }
}
