/**
 * Puts and deletes, each one transaction of etcd's: it compares, writes, and gives what stands there now. A write whose answer was lost is
 * sent once more only when it cannot take effect twice; then what stands there tells whether the first one did.
 */
import type { PutOptions, StoredRecord, WriteResult } from '../store.ts';
import type { Endpoints, Reply } from './endpoints.ts';
import { isLeaseGone, Unanswered } from './etcd-error.ts';
import type { KeySpace } from './key-space.ts';
import type { LeaseBuckets } from './lease-buckets.ts';
import type { Message } from './messages.ts';

type Transaction = Reply<'Txn'>;

/** Compare's target. */
const modRevisionIs = 2;

export class Writes {
  readonly #endpoints: Endpoints;
  readonly #space: KeySpace;
  readonly #leases: LeaseBuckets;

  constructor(endpoints: Endpoints, space: KeySpace, leases: LeaseBuckets) {
    this.#endpoints = endpoints;
    this.#space = space;
    this.#leases = leases;
  }

  async put(name: string, value: Uint8Array, { ifRevision, ttlSeconds }: PutOptions): Promise<WriteResult> {
    const key = this.#space.toEtcd(name);
    const { response, doubtful } = await this.#putFor(key, value, ifRevision, ttlSeconds).catch((err: unknown) => {
      if (ifRevision !== 0 || !isDoubtful(err)) throw err;
      return this.#lookAfter(key, err);
    });
    if (response.succeeded) {
      const { revision } = response.header!;
      const createRevision = response.responses[1]?.responseRange?.kvs[0]?.createRevision ?? revision;
      return { ok: true, record: { key: name, value, createRevision, modRevision: revision } };
    }
    const current = this.#standing(response);
    if (!doubtful) return { ok: false, current };
    if (current && Buffer.compare(current.value, value) === 0) return { ok: true, record: current };
    throw lost();
  }

  async #putFor(key: string, value: Uint8Array, ifRevision: number | undefined, ttlSeconds: number | undefined): Promise<Transaction> {
    if (ttlSeconds === undefined) return this.#transact(key, ifRevision, putOf(key, value, 0));
    try {
      return await this.#transact(key, ifRevision, putOf(key, value, await this.#leases.lease(ttlSeconds)));
    } catch (err) {
      if (!isLeaseGone(err)) throw err;
      this.#leases.drop(ttlSeconds);
      return this.#transact(key, ifRevision, putOf(key, value, await this.#leases.lease(ttlSeconds)));
    }

    function putOf(putKey: string, bytes: Uint8Array, lease: number): object[] {
      const put = { requestPut: { key: putKey, value: bytes, lease } };
      // Who asks that the key does not exist knows its createRevision.
      return ifRevision === 0 ? [put] : [put, { requestRange: { key: putKey, keysOnly: true } }];
    }
  }

  async delete(name: string, ifRevision: number | undefined): Promise<WriteResult> {
    const key = this.#space.toEtcd(name);
    const { response, doubtful } = await this.#transact(key, ifRevision, [{ requestDeleteRange: { key, prevKv: true } }]);
    const [gone] = response.responses[0]?.responseDeleteRange?.prevKvs ?? [];
    if (gone) return { ok: true, record: { ...this.#space.record(gone), modRevision: response.header!.revision } };
    const current = response.succeeded ? undefined : this.#standing(response);
    // One that is older than the write that was to be deleted has never been deleted.
    if (doubtful && !(current && current.createRevision <= ifRevision!)) throw lost();
    return { ok: false, current };
  }

  /** A revision is given once, so a write over one takes effect once. Any other may come twice if it is sent twice. */
  #transact(key: string, ifRevision: number | undefined, success: object[]): Promise<Transaction> {
    const compare = ifRevision === undefined ? [] : [{ target: modRevisionIs, key, modRevision: ifRevision }];
    const failure = ifRevision === undefined ? [] : [{ requestRange: { key } }];
    return this.#endpoints.call('Txn', { compare, success, failure }, ifRevision ? 'always' : 'unsent');
  }

  /** What stands there after a creation whose answer was lost. */
  async #lookAfter(key: string, err: unknown): Promise<Transaction> {
    const { response } = await this.#endpoints.call('Txn', { success: [{ requestRange: { key } }] });
    // It may still come.
    if (this.#standing(response) === undefined) throw err;
    return { response: { ...response, succeeded: false }, doubtful: true };
  }

  #standing({ responses }: Message<'TxnResponse'>): StoredRecord | undefined {
    const [kv] = responses[0]?.responseRange?.kvs ?? [];
    return kv && this.#space.record(kv);
  }
}

function isDoubtful(err: unknown): boolean {
  return err instanceof Unanswered && err.doubtful;
}

function lost(): Unanswered {
  return new Unanswered(new Error('the answer was lost, and another write came meanwhile'), true);
}
