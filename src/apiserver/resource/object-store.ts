/**
 * Reads and writes of single objects, by compare-and-swap. A change starts from the cached copy, which may be a moment old;
 * what fails on that copy is tried again on what the store really holds before anybody hears of it.
 */
import { isDeepStrictEqual } from 'node:util';
import { bodyLimits, measureJson } from '../../api/codec/limits.ts';
import { type LeaderTerm, lasts } from '../../api/leader-term.ts';
import type { Registry } from '../../api/registry/registry.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { type KubeObject, leases } from '../../api/resource-types.ts';
import type { Lease } from '../../api/schema/types.ts';
import type { Companion, NewRecord, OldRecord, Proviso, PutOptions, Store, StoredRecord, WriteResult } from '../../storage/store.ts';
import { CachedObject, encodeObject, spliceRevision } from '../cache/cached-object.ts';
import type { ResourceCache } from '../cache/resource-cache.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import { alreadyExists, conflict, isStatusError, methodNotAllowed, noSuchPath, notFound, StatusError } from '../status/status-error.ts';
import { holdToLimits } from './object-limits.ts';
import { copyOf } from './presentation.ts';
import { remoteView } from './remote-view.ts';
import type { WriteMode } from './write-context.ts';

/** Upstream's limit of an object in etcd; the body of a request may be larger (3 MiB). */
const maxObjectBytes = 1_536 * 1024;
const maxAttempts = 30;

/** What a change makes of the current object: a new content, nothing, or its removal. */
export type Change =
  | { readonly kind: 'put'; readonly object: KubeObject; readonly alongside?: readonly Companion[] }
  /** `last`: what an update has made of it, which is the one that ends it. */
  | { readonly kind: 'delete'; readonly last?: KubeObject; readonly alongside?: readonly OldRecord[] }
  | { readonly kind: 'keep' };

export interface Changed {
  /** As it is now; for a deletion: as it last was, or would have been by the update that ended it. */
  readonly object: CachedObject;
  readonly deleted: boolean;
}

type ChangeOf = (current: KubeObject, cached: CachedObject) => Promise<Change> | Change;

/** Nothing was written: this key of what was to be made alongside exists, or what was to be deleted alongside is not as it was. */
export class AlongsideTaken extends Error {
  readonly key: string;

  constructor(key: string) {
    super(`"${key}" is not as it was`);
    this.key = key;
  }
}

interface Attempt {
  readonly row: ResourceRow;
  readonly name: string;
  readonly key: string;
  readonly change: ChangeOf;
  readonly mode: WriteMode;
}

interface Deletion extends Omit<Attempt, 'change' | 'mode'> {
  readonly wanted: Change & { readonly kind: 'delete' };
  readonly term: LeaderTerm | undefined;
}

/** The object as it was last seen, and whether that was in the store itself or in the cache, which may be a moment old. */
interface State {
  readonly object: CachedObject | undefined;
  readonly isCurrent: boolean;
}

type Outcome =
  | ({ readonly kind: 'changed' } & Changed)
  /** Somebody else was faster. */
  | { readonly kind: 'conflict'; readonly current: CachedObject | undefined }
  /** A refusal, or nothing to change. It holds only if the state was that of the store: a newer one may lead to something else. */
  | { readonly kind: 'unwritten'; settle(): Changed };

function unwritten(settle: () => Changed): Outcome {
  return { kind: 'unwritten', settle };
}

function lost(current: StoredRecord | undefined): Outcome {
  return { kind: 'conflict', current: recordOf(current) };
}

export class ObjectStore {
  readonly registry: Registry;
  readonly #store: Store;
  readonly #feed: WatchFeed;

  constructor(store: Store, feed: WatchFeed, registry: Registry) {
    this.registry = registry;
    this.#store = store;
    this.#feed = feed;
  }

  /** Throws 405 for what is never stored (a review). */
  cache(row: ResourceRow): ResourceCache {
    if (row.storedAs === undefined) throw methodNotAllowed();
    const cache = this.#feed.find(row.storedAs);
    // Between the look at the row and here the resource has gone.
    if (!cache) throw noSuchPath();
    return cache;
  }

  /** The prefix of the keys of a namespace, or of all when `namespace` is ''. */
  prefix(row: ResourceRow, namespace: string): string {
    const { prefix } = this.cache(row);
    return row.type.namespaced && namespace ? `${prefix}${namespace}/` : prefix;
  }

  key(row: ResourceRow, namespace: string, name: string): string {
    return this.prefix(row, namespace) + name;
  }

  /** As new as every write that was acknowledged before the call. */
  async get(row: ResourceRow, namespace: string, name: string): Promise<CachedObject | undefined> {
    await this.#feed.fresh();
    return this.cache(row).get(this.key(row, namespace, name));
  }

  /** What the cache has, or after a miss what it has once it is up to date. */
  async lookup(row: ResourceRow, namespace: string, name: string): Promise<CachedObject | undefined> {
    return this.cache(row).get(this.key(row, namespace, name)) ?? (await this.get(row, namespace, name));
  }

  /** Throws 409 when there is one of its name, and when the term is over; `AlongsideTaken`. */
  async create(row: ResourceRow, object: KubeObject, mode: WriteMode, alongside: readonly Companion[] = []): Promise<CachedObject> {
    const { name, namespace = '' } = object.metadata;
    const { key, value } = this.recordOf(row, row.remote ? await row.remote.toStored(object) : object);
    if (mode.dryRun) {
      if (await this.get(row, namespace, name)) throw alreadyExists(row.type, name);
      return new CachedObject(key, 0, value);
    }
    const result = await this.#put(row, { key, value, ifRevision: 0, alongside }, mode.term);
    if (!result.ok) throw alreadyExists(row.type, name);
    return CachedObject.ofWritten(result.record);
  }

  /** The object as it is stored, to be made alongside another one. Where the row has a `remote`, that has made its stored form already. */
  recordOf(row: ResourceRow, object: KubeObject): { readonly key: string; readonly value: Buffer } {
    const { name, namespace = '' } = object.metadata;
    return { key: this.key(row, namespace, name), value: this.#encode(row, object, name) };
  }

  /**
   * Makes a change, again and again until nobody else interferes. `change` is given a copy of its own in the row's version, may
   * change it in place, and may be called several times. Throws 404 when there is no object, 409 when the
   * term is over, `AlongsideTaken`.
   */
  async change(row: ResourceRow, namespace: string, name: string, change: ChangeOf, mode: WriteMode): Promise<Changed> {
    const key = this.key(row, namespace, name);
    const cached = this.cache(row).get(key);
    let state: State = cached ? { object: cached, isCurrent: false } : { object: await this.#read(key), isCurrent: true };
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      if (!state.object) throw notFound(row.type, name);
      const outcome = await this.#try({ row, name, key, change, mode }, state.object);
      if (outcome.kind === 'changed') return outcome;
      if (outcome.kind === 'conflict') state = { object: outcome.current, isCurrent: true };
      else {
        const now: CachedObject | undefined = state.isCurrent ? state.object : await this.#read(key);
        if (now?.revision === state.object.revision) return outcome.settle();
        state = { object: now, isCurrent: true };
      }
    }
    throw conflict(row.type, name, 'the object is changed by others all the time; please try again');
  }

  /** One try on one state of the object. */
  async #try({ row, name, key, change, mode: { dryRun, term } }: Attempt, current: CachedObject): Promise<Outcome> {
    let wanted: Change;
    try {
      wanted = await change(row.remote ? (await remoteView(row, current)).copy() : copyOf(row, current), current);
      if (row.remote) wanted = await storedChange(row.remote, wanted);
    } catch (err) {
      if (!isStatusError(err)) throw err;
      return unwritten(() => {
        throw err;
      });
    }
    if (wanted.kind === 'keep') return { kind: 'changed', object: current, deleted: false };
    if (wanted.kind === 'delete')
      return dryRun
        ? { kind: 'changed', object: this.#last(row, name, current, wanted, current.revision), deleted: true }
        : this.#delete({ row, name, key, wanted, term }, current);
    const value = this.#encode(row, wanted.object, name);
    if (sameContent(value, current)) return unwritten(() => ({ object: current, deleted: false }));
    if (dryRun)
      return { kind: 'changed', object: new CachedObject(key, current.revision, spliceRevision(value, current.revision)), deleted: false };
    const put = await this.#put(row, { key, value, ifRevision: current.revision, alongside: wanted.alongside ?? [] }, term);
    return put.ok ? { kind: 'changed', object: CachedObject.ofWritten(put.record), deleted: false } : lost(put.current);
  }

  async #delete({ row, name, key, wanted, term }: Deletion, current: CachedObject): Promise<Outcome> {
    const { alongside = [] } = wanted;
    const gone = await this.#during(term, (provided) => this.#store.delete(key, { ifRevision: current.revision, alongside, provided }));
    if (!gone.ok) return lost(gone.current);
    return { kind: 'changed', object: this.#last(row, name, current, wanted, gone.record.modRevision), deleted: true };
  }

  #last(row: ResourceRow, name: string, current: CachedObject, { last }: Deletion['wanted'], revision: number): CachedObject {
    return last ? new CachedObject(current.key, revision, spliceRevision(this.#encode(row, last, name), revision)) : current.at(revision);
  }

  async #read(key: string): Promise<CachedObject | undefined> {
    return recordOf(await this.#store.get(key));
  }

  #put({ ttlSeconds }: ResourceRow, { key, value, ...given }: NewRecord & PutOptions, term: LeaderTerm | undefined): Promise<WriteResult> {
    const options = ttlSeconds === undefined ? given : { ...given, ttlSeconds };
    return this.#during(term, (provided) => this.#store.put(key, value, { ...options, provided }));
  }

  /**
   * Writes, within the term if there is one: provided that its Lease is as it was last seen, which the store compares in the same commit. When it was
   * renewed in between the write is tried again. Throws 409 when the term is over, `AlongsideTaken`.
   */
  async #during(term: LeaderTerm | undefined, write: (provided: readonly Proviso[]) => Promise<WriteResult>): Promise<WriteResult> {
    if (!term) return untaken(await write([]));
    const row = this.registry.rowFor(leases);
    const key = this.key(row, term.namespace, term.name);
    let seen = this.cache(row).get(key);
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      // The cache may not know yet that it has begun.
      if (attempt > 0 || !lastsBy(term, seen)) seen = await this.#read(key);
      if (!seen || !lastsBy(term, seen)) break;
      const result = await write([{ key, ifRevision: seen.revision }]);
      if (result.ok || result.taken !== key) return untaken(result);
    }
    throw conflict(row.type, term.name, `the term of ${JSON.stringify(term.holder)} is over`);
  }

  #encode(row: ResourceRow, object: KubeObject, name: string): Buffer {
    const stored = row.conversion ? row.conversion.toStored(object) : object;
    const value = encodeObject(stored);
    if (value.length > maxObjectBytes) {
      throw new StatusError(
        413,
        'RequestEntityTooLarge',
        `${row.type.kind} "${name}" is too large: ${value.length} bytes, the limit is ${maxObjectBytes}`,
      );
    }
    // Fewer bytes cannot hold so many values.
    if (value.length > 2 * bodyLimits.values) holdToLimits(row, name, () => measureJson(value));
    return value;
  }
}

async function storedChange({ toStored }: NonNullable<ResourceRow['remote']>, change: Change): Promise<Change> {
  if (change.kind === 'put') return { ...change, object: await toStored(change.object) };
  return change.kind === 'delete' && change.last ? { ...change, last: await toStored(change.last) } : change;
}

/** Throws `AlongsideTaken`. */
function untaken(result: WriteResult): WriteResult {
  if (!result.ok && result.taken !== undefined) throw new AlongsideTaken(result.taken);
  return result;
}

function lastsBy(term: LeaderTerm, lease: CachedObject | undefined): boolean {
  return lasts(term, lease?.object as KubeObject as Lease | undefined);
}

function recordOf(record: StoredRecord | undefined): CachedObject | undefined {
  return record && CachedObject.of(record);
}

/** True when a write would change nothing. The order of fields is no content. */
function sameContent(value: Buffer, current: CachedObject): boolean {
  const extra = `"resourceVersion":"${current.revision}",`.length;
  if (value.length + extra !== current.bytes.length) return false;
  const spliced = spliceRevision(value, current.revision);
  return spliced.equals(current.bytes) || isDeepStrictEqual(JSON.parse(spliced.toString()), current.object);
}
