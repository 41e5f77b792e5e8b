/** The whole store in memory: for tests, and for a control plane whose state may end with its process. */
import { type Clock, systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { EventWindow } from '../event-window.ts';
import { ExpiryTimer } from '../expiry-timer.ts';
import { compareKeys } from '../key-order.ts';
import {
  type Companion,
  type DeleteOptions,
  type Proviso,
  type PutOptions,
  type RangeResult,
  revisionAsked,
  type Store,
  type StoredRecord,
  type StoreEvent,
  type WatchOptions,
  type WriteResult,
} from '../store.ts';
import { WatchHub } from '../watch-hub.ts';

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  /** How many events are kept for watches from the past. */
  readonly maxEvents?: number;
}

export class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #records = new Map<string, StoredRecord>();
  /** The keys of `#records`, sorted. */
  readonly #keys: string[] = [];
  readonly #expiries = new Map<string, number>();
  readonly #timer: ExpiryTimer;
  readonly #window: EventWindow;
  readonly #hub: WatchHub;
  #revision = 0;
  #closed = false;

  constructor(options: MemoryStoreOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#timer = new ExpiryTimer(this.#clock, () => this.#expire());
    this.#window = new EventWindow(0, { maxEvents: options.maxEvents ?? 32_768, maxBytes: Number.POSITIVE_INFINITY });
    this.#hub = new WatchHub(this.#window);
  }

  async revision(): Promise<number> {
    this.#mustBeOpen();
    return this.#revision;
  }

  async get(key: string): Promise<StoredRecord | undefined> {
    this.#mustBeOpen();
    return this.#records.get(key);
  }

  async range(start: string, end: string, options: { readonly limit?: number } = {}): Promise<RangeResult> {
    this.#mustBeOpen();
    const from = this.#position(start);
    const count = Math.max(0, this.#position(end) - from);
    const taken = Math.min(count, options.limit ?? count);
    const records = this.#keys.slice(from, from + taken).map((key) => this.#records.get(key)!);
    return { records, revision: this.#revision, more: taken < count, count };
  }

  async put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<WriteResult> {
    this.#mustBeOpen();
    const current = this.#records.get(key);
    if (options.ifRevision !== undefined && options.ifRevision !== (current?.modRevision ?? 0)) return { ok: false, current };
    const { alongside = [], provided = [] } = options;
    const taken = this.#inTheWay([...alongside, ...provided]);
    if (taken) return { ok: false, current, taken: taken.key };
    const event = this.#place(key, value);
    this.#expiries.delete(key);
    if (options.ttlSeconds !== undefined) {
      const at = this.#clock.now() + options.ttlSeconds * 1000;
      this.#expiries.set(key, at);
      this.#timer.expect(at);
    }
    this.#hub.publish([event, ...this.#accompany(alongside)]);
    return { ok: true, record: event.record };
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<WriteResult> {
    this.#mustBeOpen();
    const current = this.#records.get(key);
    if (!current) return { ok: false, current: undefined };
    if (options.ifRevision !== undefined && options.ifRevision !== current.modRevision) return { ok: false, current };
    const { alongside = [], provided = [] } = options;
    const taken = this.#inTheWay([...alongside, ...provided]);
    if (taken) return { ok: false, current, taken: taken.key };
    const event = this.#remove(current);
    this.#hub.publish([event, ...this.#accompany(alongside)]);
    return { ok: true, record: { ...current, modRevision: event.revision } };
  }

  watch(start: string, end: string, fromRevision: number, options: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    return this.#hub.watch(start, end, fromRevision, options);
  }

  async compact(revision: number): Promise<void> {
    this.#mustBeOpen();
    this.#window.drop(revision);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer.stop();
    this.#hub.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #inTheWay(others: readonly (Companion | Proviso)[]): Companion | Proviso | undefined {
    return others.find((other) => (this.#records.get(other.key)?.modRevision ?? 0) !== revisionAsked(other));
  }

  #accompany(alongside: readonly Companion[]): StoreEvent[] {
    return alongside.map((other) => ('value' in other ? this.#place(other.key, other.value) : this.#remove(this.#records.get(other.key)!)));
  }

  #place(key: string, value: Uint8Array): StoreEvent & { kind: 'put' } {
    const previous = this.#records.get(key);
    const revision = ++this.#revision;
    const record = { key, value, createRevision: previous?.createRevision ?? revision, modRevision: revision };
    if (!previous) this.#keys.splice(this.#position(key), 0, key);
    this.#records.set(key, record);
    return { kind: 'put', revision, record, previous };
  }

  #remove(record: StoredRecord): StoreEvent {
    const { key } = record;
    this.#records.delete(key);
    this.#expiries.delete(key);
    this.#keys.splice(this.#position(key), 1);
    return { kind: 'delete', revision: ++this.#revision, key, previous: record };
  }

  #expire(): void {
    const now = this.#clock.now();
    const events: StoreEvent[] = [];
    for (const [key, at] of [...this.#expiries]) {
      if (at <= now) events.push(this.#remove(this.#records.get(key)!));
      else this.#timer.expect(at);
    }
    this.#hub.publish(events);
  }

  /** Where `key` is or would be in the sorted keys. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new KnownError('STORE_CLOSED', 'Cannot use the store: it was closed');
  }
}
