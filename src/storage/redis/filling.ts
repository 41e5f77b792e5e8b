/**
 * A Redis that is being filled with what another store held bears another format than servers take, and names who fills it: what a killed copy has left must
 * not look like the whole cluster. Each write of a copy sees in its own transaction that it is still the one, so whoever takes a store over ends the copy
 * before it, be it dead or alive.
 */
import { randomUUID } from 'node:crypto';
import type { ChainableCommander, Redis } from 'ioredis';
import { KnownError } from '../../errors/known-error.ts';
import { filling, keys } from './library.ts';

/** Records that are sent or removed at once. */
export const batchRecords = 256;

export class Filling {
  readonly #writes: Redis;
  readonly #shown: string;
  readonly #owner: string = randomUUID();

  constructor(writes: Redis, shown: string) {
    this.#writes = writes;
    this.#shown = shown;
  }

  /** Removes what an earlier try has left. Throws STORE_IN_USE when a later one takes it over meanwhile. */
  async removeHalf(): Promise<void> {
    if (!(await this.#takeWhile((format) => format === filling))) return;
    for (;;) {
      const names = await this.#writes.zrange(keys.index, '0', String(batchRecords - 1));
      if (names.length === 0) break;
      await this.write((all) => all.del(...names.map((name) => keys.record(name))).zrem(keys.index, ...names));
    }
    await this.write((all) => all.del(keys.meta, keys.index, keys.expiry, keys.log, keys.recent));
  }

  /** Takes a store that was made and holds nothing. False when it holds a cluster. Throws STORE_IN_USE when another one fills it. */
  async take(): Promise<boolean> {
    if (await this.#takeWhile((format, revision) => format !== filling && revision === 0)) return true;
    await this.refuseOther();
    return false;
  }

  /** Throws STORE_IN_USE when another one fills it. */
  async refuseOther(): Promise<void> {
    if ((await this.#writes.hget(keys.meta, 'format')) === filling) throw this.#taken();
  }

  /** Everything in one transaction, while the store is this one's. Throws STORE_IN_USE. */
  async write(queue: (all: ChainableCommander) => void): Promise<void> {
    await this.#writes.watch(keys.meta);
    if ((await this.#writes.hget(keys.meta, 'filler')) !== this.#owner || !(await this.#commit(queue))) throw this.#taken();
  }

  /** Says that the store is whole, with what `meta` has then. Throws STORE_IN_USE. */
  finish(meta: Readonly<Record<string, string | Buffer>>): Promise<void> {
    return this.write((all) => all.hset(keys.meta, { ...meta, format: '1' }).hdel(keys.meta, 'filler'));
  }

  /** False when the store is not as it `may` be taken. */
  async #takeWhile(may: (format: string | null, revision: number) => boolean): Promise<boolean> {
    for (;;) {
      await this.#writes.watch(keys.meta);
      const [format, revision] = (await this.#writes.hmget(keys.meta, 'format', 'revision')) as [string | null, string | null];
      if (!may(format, Number(revision))) {
        await this.#writes.unwatch();
        return false;
      }
      if (await this.#commit((all) => all.hset(keys.meta, { format: filling, filler: this.#owner }))) return true;
    }
  }

  /** False when `meta` was written to since it is watched: nothing was done then. */
  async #commit(queue: (all: ChainableCommander) => void): Promise<boolean> {
    const all = this.#writes.multi();
    queue(all);
    const results = await all.exec();
    for (const [err] of results ?? []) if (err) throw err;
    return results !== null;
  }

  #taken(): KnownError {
    return new KnownError('STORE_IN_USE', `Cannot fill store "${this.#shown}" any further: another copy or restore has taken it over`, {
      hint: 'See which one is meant; that one goes on, and says when the store is whole',
    });
  }
}
