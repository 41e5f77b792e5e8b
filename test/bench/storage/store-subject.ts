/** A store of the project, over an engine that syncs every write. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../src/clock/testing/eventually.ts';
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

async function startReplica(primary: TestRedis): Promise<TestRedis> {
  const replica = await TestRedis.start({ replicaof: `127.0.0.1 ${primary.port}` });
  await eventually('a replica', async () => String(await replica.command('INFO', 'replication')).includes('master_link_status:up'));
  return replica;
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

  /** With two replicas, which must have each write, too. */
  static async redisWithReplicas(): Promise<Subject> {
    const primary = await TestRedis.start();
    const replicas = [await startReplica(primary), await startReplica(primary)];
    const servers = [primary, ...replicas];
    const end = async (): Promise<void> => void (await Promise.all(servers.map((one) => one[Symbol.asyncDispose]())));
    return StoreSubject.#open({
      url: `${primary.url}?wait-replicas=1`,
      pids: servers.flatMap(({ pids }) => pids),
      [Symbol.asyncDispose]: end,
    });
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
