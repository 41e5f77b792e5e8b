import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../../api/resource-types.ts';
import { systemClock } from '../../clock/clock.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import { MemoryStore } from '../../storage/memory/memory-store.ts';
import type { Store, StoreEvent } from '../../storage/store.ts';
import { waitForRevision } from '../resource/list.ts';
import { isStatusError } from '../status/status-error.ts';
import { encodeObject } from './cached-object.ts';
import type { CacheEvent } from './event-log.ts';
import { WatchFeed } from './watch-feed.ts';

const bytes = (name: string, data = ''): Buffer =>
  encodeObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { data } } as KubeObject);
const key = (name: string): string => `/registry/configmaps/default/${name}`;

/** A store whose stream of changes can be broken. */
class BreakableStore extends MemoryStore {
  #break: ((why: KnownError) => void) | undefined;

  override async *watch(...args: Parameters<Store['watch']>): AsyncGenerator<readonly StoreEvent[]> {
    const broken = new Promise<KnownError>((resolve) => {
      this.#break = resolve;
    });
    const events = super.watch(...args)[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([events.next(), broken]);
      if (next instanceof KnownError) throw next;
      if (next.done) return;
      yield next.value;
    }
  }

  breakWatch(why: KnownError = new KnownError('STORE_COMPACTED', 'the log no longer reaches back')): void {
    this.#break?.(why);
  }
}

async function feedOver(store: Store): Promise<WatchFeed> {
  const feed = new WatchFeed({ store, clock: systemClock, log: silentLog });
  feed.add('configmaps');
  await feed.start();
  return feed;
}

describe('WatchFeed', () => {
  test('loads what is there and follows what comes', async () => {
    const store = new MemoryStore();
    for (let i = 0; i < 2500; i++) await store.put(key(`old-${i}`), bytes(`old-${i}`));
    const feed = await feedOver(store);
    const cache = feed.cache('configmaps');
    assert.equal(cache.size, 2500);
    await store.put(key('new'), bytes('new'));
    await store.delete(key('old-7'));
    await feed.fresh();
    assert.equal(cache.size, 2500);
    assert.equal(cache.get(key('old-7')), undefined);
    assert.equal(cache.get(key('new'))?.object.metadata.name, 'new');
    await feed.close();
    await store.close();
  });

  test('begins with the past of the store, as one tells it that has seen it', async () => {
    const store = new MemoryStore();
    const witness = await feedOver(store);
    for (const step of ['a1', 'b1', 'a2', 'c1', '-b', 'b2', '-a', 'c2']) {
      if (step.startsWith('-')) await store.delete(key(step.slice(1)));
      else await store.put(key(step[0]!), bytes(step[0]!, step));
    }
    await witness.fresh();
    const late = await feedOver(store);
    const told = (feed: WatchFeed, after: number): unknown =>
      feed
        .cache('configmaps')
        .eventsAfter(after)
        ?.map((e) => [e.revision, e.current?.revision, e.current?.bytes.toString(), e.previous?.revision, e.previous?.bytes.toString()]);
    for (let after = 0; after <= 8; after++) assert.deepEqual(told(late, after), told(witness, after), `after ${after}`);
    assert.deepEqual(
      late
        .cache('configmaps')
        .rangeAt(4)
        ?.map((o) => [o.key, o.revision]),
      [
        [key('a'), 3],
        [key('b'), 2],
        [key('c'), 4],
      ],
    );
    await Promise.all([witness.close(), late.close()]);
    await store.close();
  });

  test('is fresh when a store whose revisions count more than objects says that its watch has come so far', async () => {
    /** Counts writes of others, too. */
    class SharedStore extends MemoryStore {
      others = 0;
      told: ((revision: number) => void) | undefined;
      override async revision(): Promise<number> {
        return (await super.revision()) + this.others;
      }
      override watch(...args: Parameters<Store['watch']>): ReturnType<Store['watch']> {
        this.told = args[3].onProgress;
        return super.watch(...args);
      }
    }
    const store = new SharedStore();
    await store.put(key('a'), bytes('a'));
    const feed = await feedOver(store);
    store.others = 3;
    const fresh = feed.fresh();
    await store.revision();
    assert.equal(feed.revision, 1);
    store.told?.(4);
    await fresh;
    assert.equal(feed.revision, 4);
    await feed.close();
    await store.close();
  });

  test('asks who waited half a minute in vain to come again', async () => {
    const store = new MemoryStore();
    const clock = new FakeClock();
    const feed = new WatchFeed({ store, clock, log: silentLog });
    feed.add('configmaps');
    await feed.start();
    store.revision = async () => 7;
    const refused = assert.rejects(feed.fresh(), (err) => {
      assert.ok(isStatusError(err, 'ServiceUnavailable'));
      assert.equal(err.status.details?.retryAfterSeconds, 1);
      return /it knows revision 0, the store has 7/.test(err.status.message ?? '');
    });
    await store.revision();
    await clock.advance(30_000);
    await refused;
    await feed.close();
    await store.close();
  });

  test('lets no watch begin in a past that the store has forgotten, nor in one during which it was read', async () => {
    const store = new MemoryStore({ maxEvents: 2 });
    for (let i = 0; i < 4; i++) await store.put(key('a'), bytes('a', `${i}`));
    const feed = await feedOver(store);
    assert.equal(feed.cache('configmaps').eventsAfter(1), undefined);
    assert.equal(feed.cache('configmaps').eventsAfter(2)?.length, 2);
    await feed.close();

    /** Loses a record while it is read. */
    const shrinking = new MemoryStore();
    for (let i = 0; i < 1500; i++) await shrinking.put(key(`${i + 1000}`), bytes('x'));
    const { range } = shrinking;
    let pages = 0;
    shrinking.range = async (...args) => {
      const page = await range.apply(shrinking, args);
      if (pages++ === 0) await shrinking.delete(key('2400'));
      return page;
    };
    const other = await feedOver(shrinking);
    await other.fresh();
    assert.equal(other.cache('configmaps').eventsAfter(1500), undefined);
    assert.deepEqual(other.cache('configmaps').eventsAfter(1501), []);
    await other.close();
    await Promise.all([store.close(), shrinking.close()]);
  });

  test('lets protobuf go that nobody asks for any more, also of what has been replaced', async () => {
    const store = new MemoryStore();
    const clock = new FakeClock();
    for (const name of ['asked', 'forgotten', 'replaced']) await store.put(key(name), bytes(name));
    const feed = new WatchFeed({ store, clock, log: silentLog });
    feed.add('configmaps');
    await feed.start();
    const cache = feed.cache('configmaps');
    const before = new Map(cache.range().map((o) => [o.object.metadata.name, { object: o, message: o.message }]));
    await store.put(key('replaced'), bytes('replaced', 'new'));
    await feed.fresh();
    await clock.advance(5 * 60_000);
    void before.get('asked')?.object.message;
    await clock.advance(5 * 60_000);
    const kept = [...before].filter(([, { object, message }]) => object.message === message).map(([name]) => name);
    assert.deepEqual(kept, ['asked']);
    await feed.close();
    await store.close();
    assert.equal(clock.pending, 0);
  });

  test('shows an older moment', async () => {
    const store = new MemoryStore();
    const feed = await feedOver(store);
    const cache = feed.cache('configmaps');
    await store.put(key('a'), bytes('a', '1'));
    await store.put(key('b'), bytes('b', '1'));
    const then = await store.revision();
    await store.put(key('a'), bytes('a', '2'));
    await store.delete(key('b'));
    await store.put(key('c'), bytes('c', '1'));
    await store.put(key('b'), bytes('b', '3'));
    await feed.fresh();
    const show = (found: typeof now): string[] =>
      (found ?? []).map((o) => `${o.object.metadata.name}${(o.object.data as { data: string }).data}`);
    const now = cache.rangeAt(feed.revision);
    assert.deepEqual(show(now), ['a2', 'b3', 'c1']);
    assert.deepEqual(show(cache.rangeAt(then)), ['a1', 'b1']);
    await feed.close();
    await store.close();
  });

  test('reads everything anew when the stream breaks, and tells its listeners', async () => {
    const store = new BreakableStore();
    await store.put(key('a'), bytes('a'));
    const feed = await feedOver(store);
    const cache = feed.cache('configmaps');
    const seen: string[] = [];
    let reset: () => void = () => {};
    const wasReset = new Promise<void>((resolve) => {
      reset = resolve;
    });
    cache.listen({
      onEvents: (events: readonly CacheEvent[]) => seen.push(...events.map((e) => (e.current ?? e.previous)!.key)),
      onReset: (before) => {
        seen.push(`reset from ${before.length}`);
        reset();
      },
    });
    store.breakWatch();
    await wasReset;
    await store.put(key('b'), bytes('b'));
    await feed.fresh();
    assert.deepEqual(seen, ['reset from 1', key('b')]);
    assert.equal(cache.size, 2);
    await feed.close();
    await store.close();
  });

  test('ends what waits for changes at once when the store has gone back, shows nothing more of it, and goes on when it can be read again', async () => {
    const store = new BreakableStore();
    const clock = new FakeClock();
    await store.put(key('a'), bytes('a'));
    const feed = new WatchFeed({ store, clock, log: silentLog });
    feed.add('configmaps');
    await feed.start();
    const cache = feed.cache('configmaps');
    const seen: string[] = [];
    let reset = Promise.withResolvers<void>();
    cache.listen({
      onEvents: (events) => seen.push(...events.map((e) => (e.current ?? e.previous)!.key)),
      onReset: (before) => {
        seen.push(`reset from ${before.length}, past: ${cache.eventsAfter(feed.revision)?.length}`);
        reset.resolve();
      },
    });
    const { range } = store;
    const problem = new KnownError('STORE_CORRUPT', 'its revision went back from 2 to 1');
    store.range = async () => {
      throw problem;
    };
    const late = feed.reach(feed.revision + 1, 60_000);
    store.breakWatch(problem);
    await reset.promise;
    assert.equal(await late, false, 'nobody waits for what will not come');
    await assert.rejects(feed.fresh(), problem);
    await assert.rejects(waitForRevision(feed, 0), problem, 'the objects of before are not shown');
    await assert.rejects(waitForRevision(feed, feed.revision), problem);
    assert.equal(cache.size, 1, 'rights are still looked up there');
    await clock.advance(1_000);
    reset = Promise.withResolvers();
    store.range = range;
    await clock.advance(500);
    await reset.promise;
    await store.put(key('b'), bytes('b'));
    await feed.fresh();
    await waitForRevision(feed, 0);
    assert.deepEqual(seen, ['reset from 1, past: undefined', 'reset from 1, past: 0', key('b')]);
    await feed.close();
    await store.close();
  });

  test('does not spin on a store that is broken', async () => {
    /** Its writer's thread has died: every watch ends at once, and every call fails. */
    class BrokenStore extends MemoryStore {
      watches = 0;
      override async *watch(): AsyncGenerator<readonly StoreEvent[]> {
        this.watches++;
        yield* [];
      }
      override revision(): Promise<number> {
        return Promise.reject(new KnownError('STORE_IO', 'its thread ended'));
      }
    }
    const store = new BrokenStore();
    const feed = await feedOver(store);
    // As many turns as a loop without a pause would need for hundreds of watches.
    for (let i = 0; i < 1000; i++) await new Promise(setImmediate);
    assert.ok(store.watches < 5, `${store.watches} watches`);
    await feed.close();
    await store.close();
  });

  test('ends when the store does', async () => {
    const store = new MemoryStore();
    const feed = await feedOver(store);
    await store.close();
    await feed.close();
  });

  const secret = (name: string): string => `/registry/secrets/default/${name}`;

  test('loads a resource that is added later, with what is written while it does, and follows it', async () => {
    const store = new MemoryStore();
    for (let i = 0; i < 1_200; i++) await store.put(secret(`s${i + 1_000}`), bytes('s'));
    const feed = await feedOver(store);
    const { range } = store;
    store.range = async (...args) => {
      const page = await range.apply(store, args);
      // Behind the page that was read, and within it.
      if (page.more)
        await Promise.all([store.delete(secret('s1000')), store.delete(secret('s2199')), store.put(secret('new'), bytes('new'))]);
      return page;
    };
    feed.add('secrets');
    const cache = feed.cache('secrets');
    assert.ok(cache.loaded);
    await cache.loaded;
    assert.equal(cache.loaded, undefined);
    assert.deepEqual([cache.size, cache.get(secret('s1000')), cache.get(secret('s2199'))], [1_199, undefined, undefined]);
    assert.ok(cache.get(secret('new')));
    await store.put(secret('later'), bytes('later'));
    await feed.fresh();
    assert.ok(cache.get(secret('later')));
    await feed.close();
    await store.close();
  });

  test('loads a resource that is added while everything is read for the first time', async () => {
    const store = new MemoryStore();
    await store.put(key('a'), bytes('a'));
    await store.put(secret('s'), bytes('s'));
    const feed = new WatchFeed({ store, clock: systemClock, log: silentLog });
    feed.add('configmaps');
    const started = feed.start();
    feed.add('secrets');
    await started;
    await feed.cache('secrets').loaded;
    assert.ok(feed.cache('secrets').get(secret('s')));
    await store.delete(secret('s'));
    await feed.fresh();
    assert.equal(feed.cache('secrets').size, 0);
    await feed.close();
    await store.close();
  });

  test('tries again when the store cannot be read', async () => {
    const store = new MemoryStore();
    await store.put(secret('s'), bytes('s'));
    const clock = new FakeClock();
    const feed = new WatchFeed({ store, clock, log: silentLog });
    await feed.start();
    const { range } = store;
    let failed: () => void = () => {};
    const hasFailed = new Promise<void>((resolve) => {
      failed = resolve;
    });
    store.range = async () => {
      store.range = range;
      failed();
      throw new KnownError('STORE_IO', 'for once');
    };
    feed.add('secrets');
    const { loaded } = feed.cache('secrets');
    await hasFailed;
    await new Promise(setImmediate);
    await clock.advance(500);
    await loaded;
    assert.equal(feed.cache('secrets').size, 1);
    await feed.close();
    await store.close();
  });

  test('holds what is dropped no longer, and ends its listeners', async () => {
    const store = new MemoryStore();
    const feed = await feedOver(store);
    const cache = feed.cache('configmaps');
    let ended = false;
    cache.listen({ onEvents() {}, onReset() {}, onEnd: () => (ended = true) });
    feed.drop('configmaps');
    feed.drop('configmaps');
    assert.ok(ended);
    assert.equal(feed.find('configmaps'), undefined);
    assert.throws(() => feed.cache('configmaps'), /nothing is held of configmaps/);
    await store.put(key('a'), bytes('a'));
    await feed.fresh();
    assert.equal(cache.size, 0);
    await feed.close();
    await store.close();
  });

  /** A store of which a test says when it has come how far. */
  async function stalled(): Promise<{ store: MemoryStore; clock: FakeClock; feed: WatchFeed }> {
    const store = new MemoryStore();
    const { watch } = store;
    store.watch = async function* (start, end, from, options) {
      if (options.until !== undefined) yield* watch.call(store, start, end, from, options);
      else await new Promise((resolve) => options.signal.addEventListener('abort', resolve));
    };
    const clock = new FakeClock();
    const feed = new WatchFeed({ store, clock, log: silentLog });
    feed.add('configmaps');
    await feed.start();
    return { store, clock, feed };
  }

  test('is fresh when it has what was written, and says so when that takes more than half a minute', async () => {
    const { store, clock, feed } = await stalled();
    await feed.fresh();
    await store.put(key('a'), bytes('a'));
    let answer: unknown;
    const waiting = feed.fresh().catch((err: unknown) => {
      answer = err;
    });
    await clock.advance(29_999);
    assert.equal(answer, undefined);
    await clock.advance(1);
    await waiting;
    assert.match(String(answer), /it knows revision 0, the store has 1/);
    const reached = feed.reach(1, 60_000);
    await feed.close();
    assert.equal(await reached, false);
    assert.equal(clock.pending, 0);
    await store.close();
  });

  test('does not load a resource at a revision that it has not come to', async () => {
    const { store, clock, feed } = await stalled();
    await store.put(secret('s'), bytes('s'));
    feed.add('secrets');
    await clock.advance(30_000);
    assert.equal(feed.cache('secrets').size, 0);
    assert.ok(feed.cache('secrets').loaded);
    await feed.close();
    await store.close();
  });

  test('loads no more from a store that is closed', async () => {
    const store = new MemoryStore();
    const clock = new FakeClock();
    const warned: string[] = [];
    const feed = new WatchFeed({ store, clock, log: { ...silentLog, warn: (text: string) => void warned.push(text) } as typeof silentLog });
    await feed.start();
    await store.close();
    feed.add('secrets');
    await feed.cache('secrets').loaded;
    assert.deepEqual(warned, []);
    await feed.close();
  });

  test('waits half a second before it tries again, and says why', async () => {
    const store = new MemoryStore();
    const clock = new FakeClock();
    const warned: string[] = [];
    const feed = new WatchFeed({ store, clock, log: { ...silentLog, warn: (text: string) => void warned.push(text) } as typeof silentLog });
    await feed.start();
    store.range = async () => {
      throw new KnownError('STORE_IO', 'each time');
    };
    feed.add('secrets');
    await clock.advance(499);
    assert.equal(warned.length, 1);
    assert.match(warned[0]!, /cannot load \/registry\/secrets\//);
    await clock.advance(1);
    assert.equal(warned.length, 2);
    await feed.close();
    await store.close();
  });

  test('holds resources whose name has a slash, and passes over keys of none', async () => {
    const store = new MemoryStore();
    const feed = new WatchFeed({ store, clock: systemClock, log: silentLog });
    feed.add('example.com/widgets');
    await feed.start();
    for (const name of ['example.com/widgets/default/w', 'example.com/gadgets/default/g', 'secrets', 'secrets/s', 'example.com/widgets'])
      await store.put(`/registry/${name}`, bytes('x'));
    await feed.fresh();
    assert.deepEqual(
      feed
        .cache('example.com/widgets')
        .range()
        .map((o) => o.key),
      ['/registry/example.com/widgets/default/w'],
    );
    await feed.close();
    await store.close();
  });
});
