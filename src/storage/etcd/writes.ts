/**
 * Puts and deletes, each one transaction of etcd's: it compares, writes, and gives what stands there now. A write whose answer was lost is
 * sent once more only when it cannot take effect twice; then what stands there, or stood there since, tells whether the first one did.
 */
import {
  type Companion,
  type DeleteOptions,
  type Proviso,
  type PutOptions,
  revisionAsked,
  type StoredRecord,
  type WriteResult,
} from '../store.ts';
import type { Endpoints, Reply } from './endpoints.ts';
import { isLeaseGone, Unanswered } from './etcd-error.ts';
import type { KeySpace } from './key-space.ts';
import type { LeaseBuckets } from './lease-buckets.ts';
import { findWrite } from './lost-answer.ts';
import type { Message } from './messages.ts';

type Transaction = Reply<'Txn'>;
type Taken = { readonly taken?: string };
type Other = Companion | (Proviso & { readonly stays: true });

/** Compare's target, and its result beside the usual one, that both are equal. */
const modRevisionIs = 2;
const isNot = 3;

export class Writes {
  readonly #endpoints: Endpoints;
  readonly #space: KeySpace;
  readonly #leases: LeaseBuckets;

  constructor(endpoints: Endpoints, space: KeySpace, leases: LeaseBuckets) {
    this.#endpoints = endpoints;
    this.#space = space;
    this.#leases = leases;
  }

  async put(name: string, value: Uint8Array, options: PutOptions): Promise<WriteResult> {
    const { ifRevision } = options;
    const key = this.#space.toEtcd(name);
    const { response, doubtful } = await this.#putFor(key, value, options).catch((err: unknown) => {
      if (ifRevision !== 0 || !isDoubtful(err)) throw err;
      return this.#lookAfter(key, err);
    });
    if (response.succeeded) {
      const { revision } = response.header!;
      const createRevision = response.responses[1]?.responseRange?.kvs[0]?.createRevision ?? revision;
      return { ok: true, record: { key: name, value, createRevision, modRevision: revision } };
    }
    const current = this.#standing(response);
    const refused = { ok: false, current, ...this.#takenOf(response, current, options) } as const;
    if (!doubtful) return refused;
    const now = standing(response);
    const found = now && (await findWrite(this.#endpoints, { key, value, ifRevision: ifRevision ?? 0 }, now));
    if (found === undefined) throw lost();
    return found === 'never' ? refused : { ok: true, record: this.#space.record(found) };
  }

  async #putFor(key: string, value: Uint8Array, { ifRevision, ttlSeconds, ...more }: PutOptions): Promise<Transaction> {
    const others = this.#inEtcd(more);
    const transact = (lease: number): Promise<Transaction> => {
      const put = { requestPut: { key, value, lease } };
      // Who asks that the key does not exist knows its createRevision.
      const asked = ifRevision === 0 ? [put] : [put, { requestRange: { key, keysOnly: true } }];
      return this.#transact(key, ifRevision, asked, others);
    };
    if (ttlSeconds === undefined) return transact(0);
    try {
      return await transact(await this.#leases.lease(ttlSeconds));
    } catch (err) {
      if (!isLeaseGone(err)) throw err;
      this.#leases.drop(ttlSeconds);
      return transact(await this.#leases.lease(ttlSeconds));
    }
  }

  /** Which of the other keys stood in the way, unless the write itself was refused. */
  #takenOf({ responses }: Message<'TxnResponse'>, current: StoredRecord | undefined, options: PutOptions): Taken {
    const { ifRevision, alongside = [], provided = [] } = options;
    if (ifRevision !== undefined && ifRevision !== (current?.modRevision ?? 0)) return {};
    const taken = [...alongside, ...provided].find(
      (other, i) => (responses[i + 1]?.responseRange?.kvs[0]?.modRevision ?? 0) !== revisionAsked(other),
    );
    return taken ? { taken: taken.key } : {};
  }

  async delete(name: string, options: DeleteOptions): Promise<WriteResult> {
    const { ifRevision } = options;
    const key = this.#space.toEtcd(name);
    const others = this.#inEtcd(options);
    // To delete nothing is a success for etcd, which what goes alongside must not be part of.
    const exists = others.length === 0 || ifRevision ? [] : [{ target: modRevisionIs, result: isNot, key, modRevision: 0 }];
    const deletion = [{ requestDeleteRange: { key, prevKv: true } }];
    const { response, doubtful } = await this.#transact(key, ifRevision, deletion, others, exists);
    const [gone] = response.responses[0]?.responseDeleteRange?.prevKvs ?? [];
    if (gone) return { ok: true, record: { ...this.#space.record(gone), modRevision: response.header!.revision } };
    const current = response.succeeded ? undefined : this.#standing(response);
    // One that is older than the write that was to be deleted has never been deleted.
    if (doubtful && !(current && current.createRevision <= ifRevision!)) throw lost();
    return { ok: false, current, ...(current && this.#takenOf(response, current, options)) };
  }

  /** The other keys, in the order in which they are answered for. */
  #inEtcd({ alongside = [], provided = [] }: PutOptions): readonly Other[] {
    return [...alongside, ...provided.map((one) => ({ ...one, stays: true as const }))].map((other) => ({
      ...other,
      key: this.#space.toEtcd(other.key),
    }));
  }

  /** A revision is given once, so a write over one takes effect once. Any other may come twice if it is sent twice. */
  #transact(
    key: string,
    ifRevision: number | undefined,
    own: readonly object[],
    others: readonly Other[],
    compareToo: readonly object[] = [],
  ): Promise<Transaction> {
    const isThatOld = (one: string, modRevision: number): object => ({ target: modRevisionIs, key: one, modRevision });
    const compare = [
      ...(ifRevision === undefined ? [] : [isThatOld(key, ifRevision)]),
      ...others.map((other) => isThatOld(other.key, revisionAsked(other))),
      ...compareToo,
    ];
    const success = [...own, ...others.flatMap(changeOf)];
    const asked = [key, ...others.map((other) => other.key)];
    const failure = compare.length === 0 ? [] : asked.map((one, i) => ({ requestRange: { key: one, keysOnly: i > 0 } }));
    return this.#endpoints.call('Txn', { compare, success, failure }, ifRevision ? 'always' : 'unsent');
  }

  /** What stands there after a creation whose answer was lost. */
  async #lookAfter(key: string, err: unknown): Promise<Transaction> {
    const { response } = await this.#endpoints.call('Txn', { success: [{ requestRange: { key } }] });
    // It may still come.
    if (this.#standing(response) === undefined) throw err;
    return { response: { ...response, succeeded: false }, doubtful: true };
  }

  #standing(response: Message<'TxnResponse'>): StoredRecord | undefined {
    const kv = standing(response);
    return kv && this.#space.record(kv);
  }
}

function standing({ responses }: Message<'TxnResponse'>): Message<'KeyValue'> | undefined {
  return responses[0]?.responseRange?.kvs[0];
}

function changeOf(other: Other): readonly object[] {
  if ('stays' in other) return [];
  return ['value' in other ? { requestPut: other } : { requestDeleteRange: { key: other.key } }];
}

function isDoubtful(err: unknown): boolean {
  return err instanceof Unanswered && err.doubtful;
}

function lost(): Unanswered {
  return new Unanswered(new Error('the answer was lost, and another write came meanwhile'), true);
}
