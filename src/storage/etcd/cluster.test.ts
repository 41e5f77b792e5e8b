import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../clock/clock.ts';
import { eventually } from '../../clock/testing/eventually.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { openStore } from '../open.ts';
import { Compacted, type Store, type StoreEvent } from '../store.ts';
import { TestEtcd } from '../testing/etcd.ts';
import { bytes, line, take, text } from '../testing/events.ts';
import { compactRound } from './compactor.ts';
import { Endpoints } from './endpoints.ts';

const base64 = (value: string): string => Buffer.from(value).toString('base64');

describe('an etcd that others use, too', () => {
  let etcd: TestEtcd;
  before(async () => {
    etcd = await TestEtcd.start();
  });
  after(() => etcd[Symbol.asyncDispose]());
  const open = (options = ''): Promise<Store> => openStore(etcd.url({ options }), {});

  test('holds the keys and values of kube-apiserver, under the prefix that the URL says', async () => {
    await using store = await open();
    await using other = await open('prefix=/k8s/one/');
    await store.put('/registry/pods/default/web', bytes('{}'));
    await other.put('/registry/pods/default/db', bytes('[]'));
    const there = async (key: string): Promise<unknown> => {
      const { kvs } = (await etcd.ask('kv/range', { key: base64(key) })) as { kvs?: { value: string }[] };
      return kvs?.map(({ value }) => Buffer.from(value, 'base64').toString());
    };
    assert.deepEqual(await there('/registry/pods/default/web'), ['{}']);
    assert.deepEqual(await there('/k8s/one/pods/default/db'), ['[]']);
    const { records } = await other.range('/registry/', '/registry0');
    assert.deepEqual(
      records.map(({ key, value }) => [key, text(value)]),
      [['/registry/pods/default/db', '[]']],
    );
    const [event] = await take(other, '/registry/', '/registry0', 1, 1);
    assert.match(line(event!), /put \/registry\/pods\/default\/db=\[\]$/);
  });

  test('tells a watch of all keys that it has come to a revision of somebody else', async () => {
    await using store = await open();
    const stop = new AbortController();
    const told = Promise.withResolvers<void>();
    let foreign = Number.POSITIVE_INFINITY;
    const onProgress = (revision: number): void => void (revision >= foreign && told.resolve());
    const seen: StoreEvent[] = [];
    const from = (await store.revision()) + 1;
    const watch = (async () => {
      for await (const batch of store.watch('/registry/', '/registry0', from, { signal: stop.signal, onProgress })) seen.push(...batch);
    })();
    const mine = await store.put('/registry/a', bytes('1'));
    while (seen.length === 0) await sleep(5);
    await etcd.ask('kv/put', { key: base64('/flannel'), value: base64('1') });
    foreign = await store.revision();
    assert.ok(mine.ok && foreign > mine.record.modRevision);
    await told.promise;
    stop.abort();
    await watch;
    assert.equal(seen.length, 1, 'nothing of others is told');
  });

  test('gives a watch that is slow every event, and keeps only so many for it', async () => {
    await using store = await open();
    const from = (await store.revision()) + 1;
    const count = 80;
    const value = new Uint8Array(500_000);
    const watch = store.watch('/registry/slow/', '/registry/slow0', from, new AbortController())[Symbol.asyncIterator]();
    const first = watch.next();
    // Not all at once: a busy machine needs longer for 40 MB than etcd is given for one answer.
    for (let i = 0; i < count; i += 8) await Promise.all(Array.from({ length: 8 }, (_, j) => store.put(`/registry/slow/${i + j}`, value)));
    const seen = [...((await first).value as StoreEvent[])];
    let largest = 0;
    while (seen.length < count) {
      const batch = (await watch.next()).value as StoreEvent[];
      largest = Math.max(largest, batch.length);
      seen.push(...batch);
    }
    assert.ok(largest * value.length < 32e6, `${largest} events waited`);
    assert.ok(seen.every((event, i) => i === 0 || event.revision > seen[i - 1]!.revision));
    assert.equal(new Set(seen.map((event) => (event.kind === 'put' ? event.record.key : event.key))).size, count);
    await watch.return?.();
  });

  test('lets a record expire by itself', async () => {
    await using store = await open();
    const put = await store.put('/registry/t', bytes('x'), { ttlSeconds: 1 });
    assert.ok(put.ok);
    const [gone] = await take(store, '/registry/t', '/registry/u', put.record.modRevision + 1, 1);
    assert.equal(gone?.kind, 'delete');
    assert.equal(await store.get('/registry/t'), undefined);
  });

  test('is compacted by one of several servers in each round, up to where the round before began', async () => {
    await using store = await open();
    const servers = Array.from({ length: 2 }, () => new Endpoints(etcd.endpoints, undefined, systemClock));
    const [first, second] = servers as [Endpoints, Endpoints];
    const start = { version: 0, revision: 0 };
    const put = async (value: string): Promise<number> => {
      const result = await store.put('/registry/c', bytes(value));
      assert.ok(result.ok);
      return result.record.modRevision;
    };
    const before = await put('1');
    let mine = await compactRound(first, start);
    let theirs = await compactRound(second, start);
    assert.deepEqual([mine.version, theirs.version], [1, 1]);
    await take(store, '/registry/c', '/registry/d', before, 1);
    const later = await put('2');
    const sawFirst = mine.revision;
    mine = await compactRound(first, mine);
    theirs = await compactRound(second, theirs);
    assert.deepEqual([mine.version, theirs.version], [2, 2], 'the second one only looks');
    await assert.rejects(take(store, '/registry/c', '/registry/d', before, 1), (err) => err instanceof Compacted && err.floor === sawFirst);
    await take(store, '/registry/c', '/registry/d', later, 1);
    const sawSecond = theirs.revision;
    await put('3');
    theirs = await compactRound(second, theirs);
    mine = await compactRound(first, mine);
    assert.deepEqual([mine.version, theirs.version], [3, 3]);
    await assert.rejects(take(store, '/registry/c', '/registry/d', later, 1), (err) => err instanceof Compacted && err.floor === sawSecond);
    for (const server of servers) server.close();
  });
});

test('a cluster that has lost its majority says so, who answers, and what to do', async () => {
  await using etcd = await TestEtcd.start({ members: 2 });
  await using store = await openStore(etcd.url(), {});
  await etcd.kill(1);
  const [left, gone] = etcd.endpoints;
  // It leads until it has noticed.
  for (const attempt of [() => store.get('/registry/a'), () => store.put('/registry/a', bytes('1')), () => openStore(etcd.url(), {})])
    await eventually('the one that is left to know of no leader', () =>
      assert.rejects(attempt, (err) => {
        assert.ok(isKnownError(err, 'STORE_UNAVAILABLE'), String(err));
        assert.ok(err.message.includes(`: etcd has no leader: ${left} answers, not so ${gone}`), err.message);
        assert.match(err.hint ?? '', /start the others/);
        return true;
      }),
    );
  await etcd.start(1);
  await eventually('both', async () => (await store.put('/registry/a', bytes('2'))).ok);
});

test('endpoints go back to the member of their own machine when it is well again', async () => {
  await using etcd = await TestEtcd.start({ members: 3 });
  const endpoints = new Endpoints(etcd.endpoints, undefined, systemClock, { home: 1 });
  try {
    const used = async (): Promise<string> => {
      const { url, stream } = await endpoints.openWatchStream();
      stream.on('error', () => {}).cancel();
      return url;
    };
    const ask = (): Promise<unknown> => endpoints.call('Range', { key: 'a' });
    await ask();
    assert.equal(await used(), etcd.endpoints[1]);
    await etcd.kill(1);
    await eventually('another member to answer', async () => Boolean(await ask().catch(() => false)));
    assert.notEqual(await used(), etcd.endpoints[1]);
    await etcd.start(1);
    await eventually('its own member to be used', async () => {
      await ask();
      assert.equal(await used(), etcd.endpoints[1]);
    });
  } finally {
    endpoints.close();
  }
});
