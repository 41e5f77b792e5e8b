/** A store of the project, over an engine that syncs every write. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../../src/storage/open.ts';
import { prefixEnd, type Store } from '../../../src/storage/store.ts';
import { TestEtcd } from '../../../src/storage/testing/etcd.ts';
import { TestRedis } from '../../../src/storage/testing/redis.ts';
import { cpuOf, memoryOf, nameOf, nextText, ownCpu, type Subject } from './subject.ts';

const prefix = '/registry/configmaps/bench/';

/** The processes that a store needs, beside this one. */
interface Engine extends AsyncDisposable {
  readonly url: string;
  readonly pids: readonly number[];
}

export class StoreSubject implements Subject {
  readonly #store: Store;
  readonly #engine: Engine;

  private constructor(store: Store, engine: Engine) {
    this.#store = store;
    this.#engine = engine;
  }

  static async sqlite(): Promise<Subject> {
    const dir = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
    const end = async (): Promise<void> => rmSync(dir, { recursive: true });
    return StoreSubject.#open({ url: `sqlite://${join(dir, 'state.db')}`, pids: [], [Symbol.asyncDispose]: end });
  }

  static async etcd(program: string): Promise<Subject> {
    const etcd = await TestEtcd.start({ program });
    return StoreSubject.#open({ url: etcd.url(), pids: etcd.pids, [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose]() });
  }

  static async redis(): Promise<Subject> {
    const redis = await TestRedis.start();
    return StoreSubject.#open({ url: redis.url, pids: redis.pids, [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose]() });
  }

  static async #open(engine: Engine): Promise<Subject> {
    return new StoreSubject(await openStore(engine.url, {}), engine);
  }

  get cpu(): number {
    return ownCpu() + cpuOf(this.#engine.pids);
  }

  get memory(): number {
    return memoryOf(this.#engine.pids);
  }

  make(i: number): Promise<void> {
    return this.put(i);
  }

  async put(i: number): Promise<void> {
    await this.#store.put(prefix + nameOf(i), Buffer.from(nextText()));
  }

  async list(limit: number): Promise<number> {
    let count = 0;
    for (let from: string | undefined = prefix; from !== undefined; ) {
      const { records, more } = await this.#store.range(from, prefixEnd(prefix), { limit });
      count += records.length;
      from = more ? `${records.at(-1)!.key}\0` : undefined;
    }
    return count;
  }

  async watch(count: number, onEvents: (events: number) => void): Promise<{ end(): void }> {
    const from = (await this.#store.revision()) + 1;
    const stop = new AbortController();
    const follow = async (): Promise<void> => {
      for await (const events of this.#store.watch(prefix, prefixEnd(prefix), from, { signal: stop.signal })) onEvents(events.length);
    };
    for (let i = 0; i < count; i++) void follow();
    return { end: () => stop.abort() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
    await this.#engine[Symbol.asyncDispose]();
  }
}
