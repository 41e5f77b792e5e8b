import assert from 'node:assert/strict';
import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { openStore } from '../open.ts';
import { Compacted, type RangeResult, type Store, type StoreEvent, type StoreSettings } from '../store.ts';
import { StoreUrl } from '../store-url.ts';
import { bytes, line, take, text } from '../testing/events.ts';
import { FaultyProxy } from '../testing/faulty-proxy.ts';
import { violations } from '../testing/history/check.ts';
import { Workload } from '../testing/history/workload.ts';
import { TestRedis } from '../testing/redis.ts';
import { readRedisUrl } from './address.ts';
import { openRedisStore } from './redis-store.ts';

const seed = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);

let redis: TestRedis;
before(async () => {
  redis = await TestRedis.start();
});
after(() => redis[Symbol.asyncDispose]());

async function emptyStore(url = redis.url): Promise<Store> {
  await redis.command('FLUSHALL');
  return openStore(url, {});
}

/** With less patience than a cluster has. */
async function impatient(
  answerMs: number,
  patienceMs: number,
  lookMs = 10_000,
  { url = redis.url, ...options }: StoreSettings & { readonly url?: string } = {},
): Promise<Store> {
  await redis.command('FLUSHALL');
  return openRedisStore({ ...readRedisUrl(StoreUrl.parse(url, { redis: url })), answerMs, patienceMs, lookMs }, options);
}

const lines = (events: readonly StoreEvent[]): string[] => events.map((event) => line(event));
const isUnknown = (err: unknown): boolean =>
  isKnownError(err, 'STORE_UNAVAILABLE') && /whether it was written is unknown/.test(err.message);

describe('an answer that is lost', () => {
  /** An answer to a write of the function library: an array that begins with 1 and the revision. */
  const writeAnswer = (answer: Buffer): boolean => answer.toString('latin1').startsWith('*3\r\n:1\r\n');

  async function behindProxy(fn: (store: Store, proxy: FaultyProxy) => Promise<void>): Promise<void> {
    await redis.command('FLUSHALL');
    await using proxy = await FaultyProxy.start(redis.port);
    await using store = await openStore(`redis://127.0.0.1:${proxy.port}`, {});
    await fn(store, proxy);
  }

  test('of a compare-and-swap is found again, and nothing is written twice', async () => {
    await behindProxy(async (store, proxy) => {
      proxy.loseAnswer(writeAnswer);
      const created = await store.put('/a', bytes('one'), { ifRevision: 0 });
      assert.ok(created.ok);
      assert.deepEqual([created.record.createRevision, created.record.modRevision], [1, 1]);
      proxy.loseAnswer(writeAnswer);
      const updated = await store.put('/a', bytes('two'), { ifRevision: 1 });
      assert.ok(updated.ok);
      assert.deepEqual([updated.record.createRevision, updated.record.modRevision], [1, 2]);
      proxy.loseAnswer(writeAnswer);
      const deleted = await store.delete('/a', { ifRevision: 2 });
      assert.ok(deleted.ok);
      assert.deepEqual([text(deleted.record.value), deleted.record.modRevision], ['two', 3]);
      assert.equal(await store.revision(), 3);
      assert.deepEqual(lines(await take(store, '/', '0', 1, 3)), ['1 put /a=one', '2 put /a=two was one@1', '3 delete /a was two@2']);
    });
  });

  test('of a compare-and-swap is found again when others have written since', async () => {
    await behindProxy(async (store, proxy) => {
      await using other = await openStore(redis.url, {});
      let overwritten: Promise<unknown> | undefined;
      proxy.loseAnswer((answer) => {
        if (writeAnswer(answer)) overwritten = other.put('/a', bytes('theirs'));
        return writeAnswer(answer);
      });
      const created = await store.put('/a', bytes('ours'), { ifRevision: 0 });
      await overwritten;
      assert.ok(created.ok);
      assert.equal(created.record.modRevision, 1);
      assert.equal(text((await store.get('/a'))?.value), 'theirs');
    });
  });

  test('of a put without a condition is never guessed', async () => {
    await behindProxy(async (store, proxy) => {
      proxy.loseAnswer(writeAnswer);
      await assert.rejects(store.put('/a', bytes('one')), isUnknown);
      assert.equal(text((await store.get('/a'))?.value), 'one');
      assert.equal(await store.revision(), 1);
    });
  });

  test('of a read is asked for again', async () => {
    await behindProxy(async (store, proxy) => {
      await store.put('/a', bytes('one'));
      proxy.loseAnswer((answer) => answer.includes('one'));
      assert.equal(text((await store.get('/a'))?.value), 'one');
    });
  });
});

describe('Redis that is killed', () => {
  test('under writers and watchers loses nothing, and all goes on without a new watch', async (t) => {
    t.diagnostic(`HISTORY_SEED=${seed}`);
    await using store = await emptyStore();
    const workload = await Workload.start(store, { random: seededRandom(seed) });
    for (const writes of [1, 100, 300]) {
      await workload.more(writes);
      await redis.kill();
      await redis.restart();
    }
    await workload.more(100);
    assert.deepEqual(violations(await workload.history()), []);
  });

  test('makes calls wait a little, then fail at once and clearly, until it is back', async () => {
    await using store = await impatient(10_000, 100);
    await store.put('/a', bytes('one'));
    await redis.kill();
    const refused = (err: unknown): boolean => isKnownError(err, 'STORE_UNAVAILABLE') && /ECONNREFUSED/.test(err.message);
    await eventually(() => assert.rejects(store.get('/a'), refused));
    await eventually(() => assert.rejects(store.put('/a', bytes('two'), { ifRevision: 1 }), refused));
    await redis.restart();
    assert.equal(text((await eventually(() => store.get('/a')))?.value), 'one');
    assert.ok((await store.put('/a', bytes('two'), { ifRevision: 1 })).ok);
  });

  test('is named as the reason while nobody says how the next connection goes', async () => {
    await using proxy = await FaultyProxy.start(redis.port);
    await using store = await impatient(10_000, 50, 10_000, { url: `redis://127.0.0.1:${proxy.port}` });
    await store.put('/a', bytes('one'));
    proxy.cut();
    proxy.endAll();
    const said = (err: unknown): boolean =>
      isKnownError(err, 'STORE_UNAVAILABLE') && /the connection to Redis was closed|ECONNRESET/.test(err.message);
    await eventually('a refusal', () => assert.rejects(store.get('/a'), said));
    proxy.mend();
    proxy.endAll();
    assert.equal(text((await eventually('an answer', () => store.get('/a')))?.value), 'one');
  });

  test('lets a look for what expired fail, says so, and looks again', async () => {
    const warned: string[] = [];
    const log: Log = { ...silentLog, warn: (message) => warned.push(message) };
    const clock = new FakeClock();
    await using store = await impatient(10_000, 1, 10_000, { clock, log });
    await store.put('/a', bytes('one'), { ttlSeconds: 0.001 });
    await redis.kill();
    await eventually('the warning', async () => {
      await clock.advance(10_000);
      return warned.includes('cannot delete expired records');
    });
    await redis.restart();
    await eventually('the deletion', async () => {
      await clock.advance(10_000);
      return (await store.get('/a')) === undefined;
    });
  });

  test('and comes back as it was some time ago is noticed: everybody lists anew, and no revision is given twice', async () => {
    await using store = await emptyStore();
    await store.put('/a', bytes('kept'));
    const { signal } = new AbortController();
    const watch = store.watch('/', '0', 1, { signal })[Symbol.asyncIterator]();
    await watch.next();
    await redis.kill();
    cpSync(join(redis.dir, 'appendonlydir'), join(redis.dir, 'old'), { recursive: true });
    await redis.restart();
    await eventually(() => store.put('/a', bytes('lost'), { ifRevision: 1 }));
    await watch.next();
    await redis.kill();
    rmSync(join(redis.dir, 'appendonlydir'), { recursive: true });
    renameSync(join(redis.dir, 'old'), join(redis.dir, 'appendonlydir'));
    await redis.restart();
    await assert.rejects(watch.next(), (err) => err instanceof Compacted && err.floor > 1_000_000);
    assert.equal(text((await store.get('/a'))?.value), 'kept');
    // The number of the lost write does not fit the record that stands there now.
    assert.equal((await store.put('/a', bytes('x'), { ifRevision: 2 })).ok, false);
    const next = await store.put('/a', bytes('next'), { ifRevision: 1 });
    assert.ok(next.ok && next.record.modRevision > 1_000_000);
    const { revision } = await store.range('/', '0');
    assert.deepEqual(lines(await take(store, '/', '0', revision, 1)), [`${revision} put /a=next was kept@1`]);
  });

  test('and comes back empty is not taken for the store', async () => {
    await using store = await impatient(10_000, 100);
    await store.put('/a', bytes('one'));
    await redis.kill();
    renameSync(join(redis.dir, 'appendonlydir'), join(redis.dir, 'away'));
    await redis.restart();
    const gone = (err: unknown): boolean => isKnownError(err, 'STORE_CORRUPT') && /without the data of this cluster/.test(err.message);
    await eventually(() => assert.rejects(store.put('/a', bytes('two'), { ifRevision: 1 }), gone));
    await redis.kill();
    rmSync(join(redis.dir, 'appendonlydir'), { recursive: true });
    renameSync(join(redis.dir, 'away'), join(redis.dir, 'appendonlydir'));
    await redis.restart();
    assert.equal(text((await eventually(() => store.get('/a')))?.value), 'one');
  });
});

describe('Redis that stands still', () => {
  test('makes nobody believe in a write, and goes on when it moves again', async (t) => {
    t.diagnostic(`HISTORY_SEED=${seed}`);
    await using store = await impatient(1_000, 60_000);
    const workload = await Workload.start(store, { random: seededRandom(seed) });
    await workload.more(50);
    redis.signal('SIGSTOP');
    await assert.rejects(store.put('/stopped', bytes('x'), { ifRevision: 0 }), isUnknown);
    redis.signal('SIGCONT');
    await workload.more(50);
    assert.deepEqual(violations(await workload.history()), []);
  });
});

describe('Redis that is changed while it is used', () => {
  test('gets the functions again when somebody flushes them', async () => {
    await using store = await emptyStore();
    await store.put('/a', bytes('one'));
    await redis.command('FUNCTION', 'FLUSH');
    const results = await Promise.all([store.put('/a', bytes('two'), { ifRevision: 1 }), store.put('/b', bytes('b'))]);
    assert.ok(results.every(({ ok }) => ok));
    await redis.command('FUNCTION', 'FLUSH');
    assert.equal((await store.range('/', '0')).count, 2);
  });

  test('is not taken for a store without records when somebody empties it, whoever asks first', async () => {
    await using store = await impatient(10_000, 100);
    const gone = (err: unknown): boolean => isKnownError(err) && /nothing of the store is there|without the data/.test(err.message);
    const asks: readonly (() => Promise<unknown>)[] = [
      () => store.get('/missing'),
      () => store.revision(),
      () => store.range('/', '0'),
      () => store.put('/a', bytes('two'), { ifRevision: 1 }),
      () => store.put('/b', bytes('b')),
      () => store.delete('/a'),
      () => store.compact(1),
    ];
    await store.put('/a', bytes('one'));
    for (const ask of asks) {
      await redis.command('RENAME', '{fairlead}meta', '{fairlead}away');
      await assert.rejects(ask(), gone);
      await assert.rejects(ask(), gone);
      await redis.command('RENAME', '{fairlead}away', '{fairlead}meta');
      assert.equal(text((await eventually(() => store.get('/a')))?.value), 'one');
    }
  });

  test('is left when its settings are changed to what a store must not have, and used again when they are as they were', async () => {
    await using store = await impatient(10_000, 100, 20);
    await store.put('/a', bytes('one'));
    for (const [name, wrong, right, why] of [
      ['appendonly', 'no', 'yes', /appendonly is off/],
      ['appendfsync', 'no', 'always', /appendfsync no/],
      ['maxmemory-policy', 'allkeys-lru', 'noeviction', /evicts keys/],
    ] as const) {
      await redis.command('CONFIG', 'SET', name, wrong);
      const refused = (err: unknown): boolean => isKnownError(err, 'BAD_CONFIG') && why.test(err.message);
      await eventually(() => assert.rejects(store.put('/b', bytes('b')), refused));
      await redis.command('CONFIG', 'SET', name, right);
      await eventually(() => store.put('/b', bytes('b')));
    }
  });

  test('refuses what is new when its memory is full, and still deletes and renews', async () => {
    await using store = await emptyStore();
    for (const key of ['/a', '/b']) await store.put(key, bytes('x'.repeat(5_000)));
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    try {
      const full = (err: unknown): boolean => isKnownError(err, 'STORE_FULL') && /maxmemory/.test(err.hint ?? '');
      await assert.rejects(store.put('/c', bytes('c'), { ifRevision: 0 }), full);
      await assert.rejects(store.put('/a', bytes('x'.repeat(7_000))), full);
      assert.equal(await store.revision(), 2);
      assert.ok((await store.put('/a', bytes('x'.repeat(5_500)), { ifRevision: 1 })).ok);
      assert.ok((await store.delete('/b')).ok);
      assert.equal((await store.range('/', '0')).count, 1);
    } finally {
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    }
    assert.ok((await store.put('/c', bytes('c'), { ifRevision: 0 })).ok);
  });

  test('takes no writes while too few replicas are there, and says so', async () => {
    await using store = await emptyStore();
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    try {
      const refused = (err: unknown): boolean => isKnownError(err, 'STORE_UNAVAILABLE') && /min-replicas-to-write/.test(err.hint ?? '');
      await assert.rejects(store.put('/a', bytes('a')), refused);
    } finally {
      await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    }
    assert.ok((await store.put('/a', bytes('a'))).ok);
  });
});

describe('several servers on one Redis', () => {
  test('see the same events, and delete what expires once', async () => {
    await redis.command('FLUSHALL');
    const clock = new FakeClock();
    await using first = await openStore(redis.url, { clock });
    await using second = await openStore(redis.url, { clock, withoutHistory: ['/t/'] });
    await first.put('/t/a', bytes('a'), { ttlSeconds: 0.001 });
    await second.put('/b', bytes('b'));
    const gone = take(first, '/', '0', 1, 3);
    await eventually(async () => {
      await clock.advance(20_000);
      return (await first.get('/t/a')) === undefined;
    });
    assert.deepEqual(lines(await gone), ['1 put /t/a=a', '2 put /b=b', '3 delete /t/a was a@1']);
    assert.deepEqual(lines(await take(second, '/', '0', 1, 3)), lines(await gone));
    assert.equal(await second.revision(), 3);
  });
});

describe('the past', () => {
  test('is kept as far as the URL says', async () => {
    await using store = await emptyStore(`${redis.url}?max-log-events=100`);
    for (let i = 0; i < 600; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => store.put(`/k/${i + k}`, bytes('x'))));
    await eventually(async () => Number(await redis.command('XLEN', '{fairlead}log')) < 400);
    await using later = await openStore(redis.url, {});
    await assert.rejects(take(later, '/', '0', 1, 1), (err) => err instanceof Compacted && err.floor >= 256);
    const seen = await take(later, '/', '0', 560, 41);
    assert.ok(seen.every((event, i) => event.revision === 560 + i));
  });

  test('of keys without history does not push out that of others', async () => {
    const url = `${redis.url}?max-log-events=100`;
    await redis.command('FLUSHALL');
    await using store = await openStore(url, { withoutHistory: ['/leases/'] });
    await store.put('/pods/a', bytes('a'));
    for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 50 }, () => store.put('/leases/a', bytes(`${i}`))));
    await using later = await openStore(url, { withoutHistory: ['/leases/'] });
    assert.deepEqual(lines(await take(later, '/pods/', '/pods0', 1, 1)), ['1 put /pods/a=a']);
    await assert.rejects(take(later, '/leases/', '/leases0', 1, 1), Compacted);
  });
});

describe('a long range', () => {
  test('is that of one moment while writers write, and gives its revision', async () => {
    await using store = await emptyStore();
    for (let i = 0; i < 3_500; i += 500)
      await Promise.all(Array.from({ length: 500 }, (_, k) => store.put(`/k/${String(i + k).padStart(5, '0')}`, bytes('x'))));
    const base = await store.revision();
    let stop = false;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let i = 0; !stop; i++) {
        const key = `/k/${String((i * 997 + writer * 13) % 4_000).padStart(5, '0')}`;
        if (i % 3 === 0) await store.delete(key);
        else await store.put(key, bytes(`${writer}-${i}`));
      }
    });
    const state = new Map((await store.range('/k/', '/k0')).records.map((record) => [record.key, record.modRevision]));
    const ranges: RangeResult[] = [];
    for (let i = 0; i < 5; i++) ranges.push(await store.range('/k/', '/k0', i % 2 ? { limit: 2_500 } : {}));
    stop = true;
    await Promise.all(writers);
    assert.ok(base > 0 && state.size > 0);
    const newest = ranges.at(-1)!.revision;
    // What each range must be: the records at the beginning, and all events since.
    const events: StoreEvent[] = [];
    for await (const batch of store.watch('/', '0', 1, { signal: new AbortController().signal, until: newest })) events.push(...batch);
    for (const { records, revision, count, more } of ranges) {
      const expected = new Map<string, number>();
      for (const event of events.slice(0, revision)) {
        if (event.kind === 'put') expected.set(event.record.key, event.revision);
        else expected.delete(event.key);
      }
      const sorted = [...expected].toSorted(([a], [b]) => (a < b ? -1 : 1));
      assert.equal(count, sorted.length);
      assert.equal(more, records.length < count);
      assert.deepEqual(
        records.map((record) => [record.key, record.modRevision]),
        sorted.slice(0, records.length),
      );
    }
    assert.ok(ranges.some(({ revision }, i) => i > 0 && revision > ranges[i - 1]!.revision));
  });
});
