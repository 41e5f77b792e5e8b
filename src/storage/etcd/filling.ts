/**
 * An etcd that is being filled with what another store held bears a mark, a key of its own that names who fills it: what a killed copy has left must not
 * look like the whole cluster. Each write of a copy compares the mark in its own transaction, so whoever takes a store over ends the copy before it,
 * be it dead or alive.
 */
import { randomUUID } from 'node:crypto';
import { KnownError } from '../../errors/known-error.ts';
import type { Endpoints } from './endpoints.ts';
import type { KeyRange, KeySpace } from './key-space.ts';
import type { Message } from './messages.ts';

/** Compare's targets. */
const modRevisionIs = 2;
const valueIs = 3;

async function markOf(endpoints: Endpoints, space: KeySpace): Promise<Message<'KeyValue'> | undefined> {
  return (await endpoints.call('Range', { key: space.mark })).response.kvs[0];
}

/** Throws STORE_CORRUPT. */
export async function refuseHalfFilled(endpoints: Endpoints, space: KeySpace, shown: string): Promise<void> {
  if (await markOf(endpoints, space))
    throw new KnownError('STORE_CORRUPT', `Cannot open store "${shown}": it was being filled, and that did not end`, {
      hint: 'Run the "fairlead store copy" or "snapshot restore" again that did it',
    });
}

export class Filling {
  readonly #endpoints: Endpoints;
  readonly #space: KeySpace;
  readonly #shown: string;
  readonly #owner: Buffer = Buffer.from(randomUUID());

  constructor(endpoints: Endpoints, space: KeySpace, shown: string) {
    this.#endpoints = endpoints;
    this.#space = space;
    this.#shown = shown;
  }

  get #isOwn(): object {
    return { target: valueIs, key: this.#space.mark, value: this.#owner };
  }

  get #putOwn(): object {
    return { requestPut: { key: this.#space.mark, value: this.#owner } };
  }

  get #removeAll(): readonly object[] {
    return [{ requestDeleteRange: this.#space.whole }, { requestDeleteRange: { key: this.#space.mark } }];
  }

  /** Takes a store that holds nothing, or what another try has left there, which is removed in the same step. False when it holds a cluster. */
  async take(): Promise<boolean> {
    const { whole, mark: key } = this.#space;
    for (;;) {
      const mark = await markOf(this.#endpoints, this.#space);
      if (mark && this.#owner.equals(mark.value)) return true;
      if (!mark && (await this.#count(whole)) > 0) return false;
      const isThatOld = (range: Partial<KeyRange>): object => ({ target: modRevisionIs, modRevision: 0, ...range });
      const compare = mark ? [{ target: valueIs, key, value: mark.value }] : [isThatOld({ key }), isThatOld(whole)];
      const { succeeded } = await this.#transact(compare, mark ? [...this.#removeAll.slice(0, 1), this.#putOwn] : [this.#putOwn]);
      if (succeeded) return true;
      // Somebody else was faster, or this is the answer to a second try of what the first one did.
    }
  }

  /** Writes in one transaction while the store is this one's. Throws STORE_IN_USE. */
  async write(success: readonly object[]): Promise<void> {
    if (!(await this.#transact([this.#isOwn], success)).succeeded) throw this.#taken();
  }

  /** A write that only raises the revision. */
  raise(): Promise<void> {
    return this.write([this.#putOwn]);
  }

  /** Says that the store is whole; gives its revision. Throws STORE_IN_USE. */
  async finish(): Promise<number> {
    const { fence: key, mark } = this.#space;
    const success = [{ requestPut: { key, value: this.#owner } }, { requestDeleteRange: { key: mark } }];
    const { succeeded, header, responses } = await this.#transact([this.#isOwn], success, [{ requestRange: { key } }]);
    if (succeeded) return header!.revision;
    // What is sent again after a lost answer finds that the first one did it.
    const [fence] = responses[0]?.responseRange?.kvs ?? [];
    if (!fence || !this.#owner.equals(fence.value)) throw this.#taken();
    return fence.modRevision;
  }

  /** Removes all that was written, unless somebody else has taken the store over: the records are that one's then. */
  async undo(): Promise<void> {
    await this.#transact([this.#isOwn], this.#removeAll);
  }

  async #count(range: KeyRange): Promise<number> {
    return (await this.#endpoints.call('Range', { ...range, countOnly: true })).response.count;
  }

  async #transact(
    compare: readonly object[],
    success: readonly object[],
    failure: readonly object[] = [],
  ): Promise<Message<'TxnResponse'>> {
    return (await this.#endpoints.call('Txn', { compare, success, failure })).response;
  }

  #taken(): KnownError {
    return new KnownError('STORE_IN_USE', `Cannot fill store "${this.#shown}" any further: another copy or restore has taken it over`, {
      hint: 'See which one is meant; that one goes on, and says when the store is whole',
    });
  }
}
