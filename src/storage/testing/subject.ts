/** A store as the conformance suite meets it. */
import assert from 'node:assert/strict';
import { prefixEnd, type Store, type WriteResult } from '../store.ts';
import { bytes, line, take, text } from './events.ts';

export interface OpenEngine {
  readonly store: Store;
  /** Returns when so much time has passed for the store. */
  pass(seconds: number): Promise<void>;
}

/** A store under test. Numbers of revisions are as if the empty store had been at 0. */
export class Subject {
  readonly store: Store;
  readonly pass: OpenEngine['pass'];
  readonly ttlSeconds: number;
  readonly #base: number;

  constructor({ store, pass }: OpenEngine, ttlSeconds: number, base: number) {
    this.store = store;
    this.pass = pass;
    this.ttlSeconds = ttlSeconds;
    this.#base = base;
  }

  /** The store's number of a revision. */
  at(revision: number): number {
    return this.#base + revision;
  }

  async revision(): Promise<number> {
    return (await this.store.revision()) - this.#base;
  }

  /** Created and modified. */
  revisionsOf(result: WriteResult): [number, number] {
    assert.ok(result.ok);
    return [result.record.createRevision - this.#base, result.record.modRevision - this.#base];
  }

  async put(key: string, value: string, ifRevision?: number): Promise<WriteResult> {
    return this.store.put(key, bytes(value), ifRevision === undefined ? {} : { ifRevision });
  }

  /** Each for as long as the suite's time to live. */
  async putForATime(key: string, value: string): Promise<void> {
    await this.store.put(key, bytes(value), { ttlSeconds: this.ttlSeconds });
  }

  async get(key: string): Promise<string | undefined> {
    return text((await this.store.get(key))?.value);
  }

  /** `count` events of a prefix, as lines, from a revision on. */
  async take(prefix: string, from: number, count: number): Promise<string[]> {
    return (await take(this.store, prefix, prefixEnd(prefix), this.at(from), count)).map((event) => line(event, this.#base));
  }
}

export type On = (what: string, fn: (subject: Subject) => Promise<void>) => void;
