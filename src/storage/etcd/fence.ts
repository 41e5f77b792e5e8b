/**
 * Tells watches how far they have come. A write of the fence, a key beside those of the store, has a revision; a watch that is given it
 * has been given everything before. etcd's own notices of progress do not say so on request: before 3.4.25 and 3.5.8 they overtake events
 * (etcd-io/etcd#15220).
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock/clock.ts';
import type { Log } from '../../observability/log.ts';
import type { Endpoints } from './endpoints.ts';
import { detailsOf, outcomeOf } from './etcd-error.ts';
import type { Response } from './messages.ts';

/** How long events may take that are under way by themselves. */
const waitMs = 100;

export class Fence {
  readonly key: string;
  readonly #endpoints: Endpoints;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Known from what any other server writes there, also in an etcd that was set back. */
  readonly #own: Buffer = Buffer.from(randomUUID());
  #raising: Promise<number> | undefined;
  #newest = 0;
  #seen = 0;
  /** The newest revision that somebody waits for. */
  #wanted = 0;
  #timer: { cancel(): void } | undefined;
  #closed = false;

  constructor(key: string, endpoints: Endpoints, clock: Clock, log: Log) {
    this.key = key;
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#log = log;
  }

  /** Writes it, once for all who ask at the same time; gives its revision. When etcd is full it is deleted instead. */
  raise(): Promise<number> {
    this.#raising ??= this.#write().finally(() => {
      this.#raising = undefined;
    });
    return this.#raising;
  }

  async #write(): Promise<number> {
    const { key } = this;
    const write = async (request: object): Promise<Response<'Txn'>> => (await this.#endpoints.call('Txn', { success: [request] })).response;
    try {
      this.#newest = (await write({ requestPut: { key, value: this.#own } })).header!.revision;
    } catch (err) {
      if (outcomeOf(err) !== 'refused' || !detailsOf(err).includes('space exceeded')) throw err;
      this.#log.warn('etcd is full and takes deletes only', { error: detailsOf(err) });
      const { header, responses } = await write({ requestDeleteRange: { key } });
      // Without the key no watch is told of anything.
      if (responses[0]?.responseDeleteRange?.deleted === 0) throw err;
      this.#newest = header!.revision;
    }
    return this.#newest;
  }

  /** Sees that a watch which takes in the fence from a revision on hears of `revision`, now or when the store has come so far. */
  async pass(revision: number, from: number, signal: AbortSignal): Promise<void> {
    if (this.#newest >= Math.max(revision, from)) return;
    while (!signal.aborted) {
      const reached = await this.raise().catch(() => 0);
      if (reached >= revision) return;
      await this.#clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  /** A watch of the whole store has come to `revision`. */
  saw(revision: number): void {
    this.#seen = Math.max(this.#seen, revision);
  }

  /** Somebody waits for watches of the whole store to come to `revision`, which may be a write to another key of etcd's. */
  expect(revision: number): void {
    this.#wanted = Math.max(this.#wanted, revision);
    if (this.#seen > 0 && this.#seen < revision) this.#raiseSoon();
  }

  #raiseSoon(): void {
    if (this.#timer || this.#closed) return;
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = undefined;
      if (this.#seen >= this.#wanted || this.#closed) return;
      // One that was under way already may lie before what somebody asked for since.
      const again = (reached: number): void => {
        if (reached < this.#wanted) this.#raiseSoon();
      };
      this.raise().then(again, () => {});
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
