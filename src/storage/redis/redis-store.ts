/** The store in Redis. See README.md. */
import { type Clock, systemClock } from '../../clock/clock.ts';
import { isKnownError, messageOf } from '../../errors/known-error.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { ExpiryTimer } from '../expiry-timer.ts';
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
  type StoreSettings,
  type WatchOptions,
  type WriteResult,
} from '../store.ts';
import type { RedisSettings } from './address.ts';
import { Feed } from './feed.ts';
import { Greeter } from './greeter.ts';
import { keys } from './library.ts';
import { Link } from './link.ts';
import { readRange, readSlice } from './range-reader.ts';
import { decodeRecord, type KnownWrite } from './record.ts';
import { answerCode, failed, Unconfirmed } from './redis-error.ts';
import type { Session } from './session.ts';
import { type Operation, Writes, type Written } from './writes.ts';

/** The stream of keys without history is kept for servers that lag a little. */
const maxRecentEvents = 4_096;
const maxRecentBytes = 16 << 20;
/** The streams are trimmed once in so many revisions, by the server that wrote that one. */
const trimEvery = 256;
/** At least so often a server looks for records that expired: who wrote them may be gone. */
const expireEveryMs = 10_000;

/** The newest write that this server has seen, by whatever way. */
class Newest {
  write: KnownWrite | undefined;

  note(write: KnownWrite): void {
    if (write.revision >= (this.write?.revision ?? 0)) this.write = { revision: write.revision, id: Buffer.from(write.id) };
  }
}

/** Throws BAD_CONFIG when the Redis must not be used as it is, STORE_UNAVAILABLE when it does not answer, STORE_CORRUPT for foreign data. */
export async function openRedisStore(settings: RedisSettings, options: StoreSettings = {}): Promise<Store> {
  const log = options.log ?? silentLog;
  const newest = new Newest();
  const greeter = new Greeter(settings, log);
  let feed: Feed | undefined;
  const link: Link = await Link.open({
    settings,
    log,
    async greet(session) {
      const state = await greeter.greet(session, newest.write);
      // Confirmed by replicas is only what this server was told of; what it has not seen may still be lost.
      if (!newest.write) await session.confirm();
      if (!newest.write || state.compacted > newest.write.revision) newest.note(state);
      feed ??= new Feed({
        revision: state.revision,
        withoutHistory: options.withoutHistory ?? [],
        read: (what) => read(link, settings.shown, what),
        note: (write) => newest.note(write),
      });
      feed.follow(session);
      greeter.keepLooking(session);
    },
  });
  return new RedisStore({ settings, link, newest, feed: feed!, log, clock: options.clock ?? systemClock, options });
}

/** Reads on the session that there is; a second time when that breaks meanwhile. */
async function read<T>(link: Link, shown: string, what: (session: Session) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const session = await link.session();
    try {
      return await what(session);
    } catch (err) {
      if (isKnownError(err)) throw err;
      const lost = answerCode(err) === undefined && !(err instanceof Unconfirmed);
      if (lost) session.end(err);
      if (!lost || attempt > 0) throw failed('read', shown, err);
    }
  }
}

interface Parts {
  readonly settings: RedisSettings;
  readonly link: Link;
  readonly newest: Newest;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly log: Log;
  readonly options: StoreSettings;
}

class RedisStore implements Store {
  readonly #settings: RedisSettings;
  readonly #link: Link;
  readonly #newest: Newest;
  readonly #feed: Feed;
  readonly #writes: Writes;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timer: ExpiryTimer;
  readonly #withoutHistory: readonly string[];

  constructor({ settings, link, newest, feed, clock, log, options }: Parts) {
    this.#settings = settings;
    this.#link = link;
    this.#newest = newest;
    this.#feed = feed;
    this.#clock = clock;
    this.#log = log;
    this.#withoutHistory = options.withoutHistory ?? [];
    this.#writes = new Writes(link, settings.shown, () => newest.write?.revision ?? 0);
    this.#timer = new ExpiryTimer(clock, () => void this.#expire());
    this.#timer.expect(clock.now() + expireEveryMs);
  }

  async revision(): Promise<number> {
    return this.#read(async (session) => {
      const revision = await session.reads.hget(keys.meta, 'revision');
      if (revision === null) await session.mustHoldStore();
      await session.confirm();
      return Number(revision);
    });
  }

  async get(key: string): Promise<StoredRecord | undefined> {
    const bytes = await this.#read(async (session) => {
      const found = await session.reads.getBuffer(keys.record(key));
      if (found === null) await session.mustHoldStore();
      await session.confirm();
      return found;
    });
    return bytes === null ? undefined : decodeRecord(key, bytes);
  }

  range(start: string, end: string, options: { readonly limit?: number } = {}): Promise<RangeResult> {
    return readRange(
      async (from, to, limit, bytes) => {
        const slice = await this.#read((session) => readSlice(session, from, to, limit, bytes));
        this.#newest.note(slice);
        return slice;
      },
      (from, to, after, until) => this.#feed.between(from, to, after, until),
      start,
      end,
      options.limit ?? Number.POSITIVE_INFINITY,
    );
  }

  async put(
    key: string,
    value: Uint8Array,
    { ifRevision, ttlSeconds, alongside = [], provided = [] }: PutOptions = {},
  ): Promise<WriteResult> {
    const others = this.#argumentsOf(alongside, provided);
    const ttl = ttlSeconds === undefined ? '' : String(Math.ceil(ttlSeconds * 1_000));
    const condition = ifRevision === undefined ? '' : String(ifRevision);
    const operation: Operation = {
      name: 'put',
      repeatable: ifRevision !== undefined,
      args: (id, since) => [key, bufferOf(value), condition, ttl, id, since, this.#streamOf(key), ...others],
    };
    const written = await this.#putWithRoom(operation);
    if (written.reply[0] !== 1) return refused(key, written);
    const [, revision, created] = written.reply as [1, number, number];
    this.#wrote({ revision, id: written.id });
    if (ttlSeconds !== undefined) this.#timer.expect(this.#clock.now() + ttlSeconds * 1_000);
    return { ok: true, record: { key, value, createRevision: created, modRevision: revision } };
  }

  async delete(key: string, { ifRevision, alongside = [], provided = [] }: DeleteOptions = {}): Promise<WriteResult> {
    const others = this.#argumentsOf(alongside, provided);
    const condition = ifRevision === undefined ? '' : String(ifRevision);
    const written = await this.#writes.send({
      name: 'delete',
      repeatable: ifRevision !== undefined,
      args: (id, since) => [key, condition, id, since, this.#streamOf(key), ...others],
    });
    if (written.reply[0] !== 1) return refused(key, written);
    const [, revision, record] = written.reply as [1, number, Buffer];
    this.#wrote({ revision, id: written.id });
    return { ok: true, record: { ...decodeRecord(key, record), modRevision: revision } };
  }

  watch(start: string, end: string, fromRevision: number, options: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    return this.#feed.watch(start, end, fromRevision, options);
  }

  async compact(revision: number): Promise<void> {
    const { reply } = await this.#writes.send({ name: 'compact', repeatable: true, args: () => [String(revision)] });
    await this.#feed.drop(Number(reply));
  }

  async close(): Promise<void> {
    this.#timer.stop();
    this.#feed.close();
    this.#link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #read<T>(what: (session: Session) => Promise<T>): Promise<T> {
    return read(this.#link, this.#settings.shown, what);
  }

  /** When memory is full, an update that does not grow by much is still taken: to delete an object often begins with one. */
  async #putWithRoom(operation: Operation): Promise<Written> {
    try {
      return await this.#writes.send(operation);
    } catch (err) {
      if (!isKnownError(err, 'STORE_FULL')) throw err;
      return this.#writes.send({ ...operation, name: 'put_in_place' });
    }
  }

  #argumentsOf(alongside: readonly Companion[], provided: readonly Proviso[]): readonly (string | Buffer)[] {
    return [
      ...alongside.flatMap((other) => [
        this.#streamOf(other.key),
        other.key,
        String(revisionAsked(other)),
        'value' in other ? bufferOf(other.value) : '',
      ]),
      ...provided.flatMap(({ key, ifRevision }) => ['', key, String(ifRevision), '']),
    ];
  }

  #streamOf(key: string): string {
    return this.#withoutHistory.some((prefix) => key.startsWith(prefix)) ? 'recent' : 'log';
  }

  #wrote(write: KnownWrite): void {
    this.#newest.note(write);
    if (write.revision % trimEvery !== 0) return;
    const { maxLogEvents, maxLogBytes } = this.#settings;
    const bounds = [maxLogEvents, maxLogBytes, maxRecentEvents, maxRecentBytes].map(String);
    void this.#inBackground('trim the events', { name: 'trim', repeatable: true, args: () => bounds });
  }

  async #expire(): Promise<void> {
    const written = await this.#inBackground('delete expired records', {
      name: 'expire',
      repeatable: true,
      args: (id) => [id, ...this.#withoutHistory],
    });
    const wait = Number(written?.reply ?? -1);
    this.#timer.expect(this.#clock.now() + (wait < 0 ? expireEveryMs : Math.min(wait, expireEveryMs)));
  }

  #inBackground(what: string, operation: Operation): Promise<Written | undefined> {
    return this.#writes.send(operation).catch((err: unknown) => {
      if (!isKnownError(err, 'STORE_CLOSED')) this.#log.warn(`cannot ${what}`, { error: messageOf(err) });
      return undefined;
    });
  }
}

function refused(key: string, { reply }: Written): WriteResult {
  const [, current, taken] = reply as [0, Buffer | null, Buffer?];
  return {
    ok: false,
    current: current === null ? undefined : decodeRecord(key, current),
    ...(taken === undefined ? {} : { taken: taken.toString() }),
  };
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
