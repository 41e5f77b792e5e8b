import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../clock/testing/eventually.ts';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { openStore } from '../open.ts';
import { Compacted } from '../store.ts';
import { TestEtcd } from '../testing/etcd.ts';
import { bytes, line, take, text } from '../testing/events.ts';
import { FaultyProxy } from '../testing/faulty-proxy.ts';
import { violations } from '../testing/history/check.ts';
import { Workload } from '../testing/history/workload.ts';

const wentBack = /its (revision went back from \d+ to \d+|data went back: what was written as revision \d+ is not there)$/;
const unavailable = (err: unknown): boolean => isKnownError(err, 'STORE_UNAVAILABLE');

function seedOf(t: { diagnostic(message: string): void }): (n: number) => number {
  const seed = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`HISTORY_SEED=${seed}`);
  return seededRandom(seed);
}

describe('a store in etcd', () => {
  test('has one history, in which nothing acknowledged is lost, over kill -9 of its only member', async (t) => {
    const random = seedOf(t);
    await using etcd = await TestEtcd.start();
    await using store = await openStore(etcd.url(), {});
    const workload = await Workload.start(store, { random });
    for (let kills = 0; kills < 4; kills++) {
      await workload.more(20 + random(300));
      await etcd.kill();
      await etcd.start();
    }
    await workload.more(100);
    assert.deepEqual(violations(await workload.history()), []);
  });

  test('has one history over the death of each of three members and the silence of one', async (t) => {
    const random = seedOf(t);
    await using etcd = await TestEtcd.start({ members: 3 });
    await using store = await openStore(etcd.url(), {});
    const workload = await Workload.start(store, { random });
    for (const member of [0, 1, 2]) {
      await workload.more(20 + random(200));
      await etcd.kill(member);
      await workload.more(50);
      await etcd.start(member);
    }
    const member = random(3);
    etcd.signal('SIGSTOP', member);
    await workload.more(50);
    etcd.signal('SIGCONT', member);
    await workload.more(50);
    assert.deepEqual(violations(await workload.history()), []);
  });

  test('leaves a connection on which nothing comes back for another one to the same member', async () => {
    await using etcd = await TestEtcd.start();
    await using proxy = await FaultyProxy.start(Number(new URL(etcd.endpoints[0]!).port));
    await using store = await openStore(`etcd=http://127.0.0.1:${proxy.port}`, {});
    const first = await store.put('/registry/a', bytes('1'));
    assert.ok(first.ok);
    proxy.stall();
    const second = await store.put('/registry/a', bytes('2'), { ifRevision: first.record.modRevision });
    assert.ok(second.ok && second.record.createRevision === first.record.modRevision);
  });

  const setBack = (err: unknown): boolean => isKnownError(err, 'STORE_CORRUPT') && wentBack.test(err.message);
  const isForgotten = (err: unknown): boolean => err instanceof Compacted && err.floor > 1_000;

  test('ends its watches when the data were set back, and goes on with what is there, above every revision of before', async () => {
    await using etcd = await TestEtcd.start();
    await using store = await openStore(etcd.url(), {});
    await store.put('/registry/a', bytes('1'));
    const goBack = await etcd.keep();
    for (let n = 0; n < 100; n++) await eventually('a write', () => store.put('/registry/a', bytes(`later ${n}`)));
    const ifRevision = (await store.get('/registry/a'))?.modRevision;
    assert.ok(ifRevision);
    // One waits for what is to come, one is of all keys, as an API server's.
    const watches = ['/registry/a', '/registry/'].map((start) => take(store, start, '/registry0', ifRevision + 1, 1));
    const ended = Promise.all(watches.map((watch) => assert.rejects(watch, setBack)));
    await goBack();
    // The connection of before may have to be made anew first.
    await eventually('the first refusal', () => assert.rejects(store.put('/registry/a', bytes('2'), { ifRevision }), setBack));
    await ended;
    await Promise.all([
      assert.rejects(store.get('/registry/a'), setBack),
      assert.rejects(store.revision(), setBack),
      assert.rejects(take(store, '/registry/', '/registry0', ifRevision + 1, 1), setBack),
    ]);
    const { records, revision } = await eventually('an answer', () => store.range('/registry/', '/registry0'));
    assert.deepEqual(
      records.map(({ value }) => text(value)),
      ['1'],
    );
    assert.ok(revision > ifRevision + 1_000, `${revision}`);
    assert.equal((await store.put('/registry/a', bytes('2'), { ifRevision })).ok, false);
    await using fresh = await openStore(etcd.url(), {});
    for (const one of [store, fresh]) await assert.rejects(take(one, '/registry/', '/registry0', ifRevision + 1, 1), isForgotten);
    const next = take(store, '/registry/', '/registry0', revision + 1, 1);
    const put = await store.put('/registry/a', bytes('2'), { ifRevision: records[0]!.modRevision });
    assert.ok(put.ok);
    assert.deepEqual((await next).map(line), [`${put.record.modRevision} put /registry/a=2 was 1@${records[0]!.modRevision}`]);
  });

  test('does not go on with the data of another cluster, and does when its own are back', async () => {
    await using etcd = await TestEtcd.start();
    const kubeSystem = '/registry/namespaces/kube-system';
    const namespace = (uid: string): Uint8Array => bytes(JSON.stringify({ metadata: { uid } }));
    await using store = await openStore(etcd.url(), {});
    const makeEmpty = await etcd.keep();
    await eventually('a write', () => store.put(kubeSystem, namespace('one')));
    for (let n = 0; n < 5; n++) await store.put('/registry/a', bytes(`${n}`));
    const comeBack = etcd.keepSnapshot();
    await makeEmpty();
    const another = (err: unknown): boolean => isKnownError(err, 'STORE_CORRUPT') && /without the data of this cluster/.test(err.message);
    await eventually('a refusal', () => assert.rejects(store.get('/registry/a'), another));
    await using others = await openStore(etcd.url(), {});
    await others.put(kubeSystem, namespace('two'));
    await assert.rejects(store.put('/registry/a', bytes('x')), another);
    await comeBack();
    assert.equal(text((await eventually('an answer', () => store.get('/registry/a')))?.value), '4');
    assert.ok((await store.revision()) > 1_000);
  });

  const waysBack: Readonly<Record<string, (etcd: TestEtcd) => Promise<() => Promise<void>> | (() => Promise<void>)>> = {
    'whose files were set back': (etcd) => etcd.keep(),
    'that was made anew of a snapshot': (etcd) => etcd.keepSnapshot(),
  };
  for (const [how, keep] of Object.entries(waysBack))
    test(`knows an etcd ${how} and that others have brought further than before, and jumps there, also for the others`, async () => {
      await using etcd = await TestEtcd.start();
      await using proxy = await FaultyProxy.start(Number(new URL(etcd.endpoints[0]!).port));
      await using store = await openStore(`etcd=http://127.0.0.1:${proxy.port}`, {});
      // Has no watch, and calls only before and after.
      await using quiet = await openStore(`etcd=http://127.0.0.1:${proxy.port}`, {});
      await eventually('a write', () => store.put('/registry/a', bytes('kept')));
      const goBack = await keep(etcd);
      for (let n = 0; n < 5; n++) await eventually('a write', () => store.put('/registry/a', bytes(`lost ${n}`)));
      const lost = await eventually('a read', () => quiet.get('/registry/a'));
      assert.ok(lost);
      await using another = await openStore(`etcd=http://127.0.0.1:${proxy.port}`, {});
      await another.get('/registry/a');
      const seen: string[] = [];
      const watch = async (): Promise<void> => {
        for await (const batch of store.watch('/registry/', '/registry0', lost.modRevision, { signal: AbortSignal.timeout(120_000) }))
          seen.push(...batch.map((event) => line(event).replace(/ was .*/, '')));
      };
      const watching = watch();
      await eventually('the event of before', () => seen.length === 1);
      proxy.cut();
      await goBack();
      await using others = await openStore(etcd.url(), {});
      assert.equal(text((await others.get('/registry/a'))?.value), 'kept');
      let newest = 0;
      for (let n = 0; newest <= lost.modRevision; n++) {
        const put = await others.put('/registry/a', bytes(`of others ${n}`));
        newest = put.ok ? put.record.modRevision : 0;
      }
      const theirs = assert.rejects(take(others, '/registry/', '/registry0', newest + 1, 1), isForgotten);
      // Who comes when the other one has jumped already need not.
      const isEither = (err: unknown): boolean => setBack(err) || isForgotten(err);
      const second = assert.rejects(take(another, '/registry/', '/registry0', lost.modRevision + 1, 1), isEither);
      proxy.mend();
      await assert.rejects(watching, isEither);
      assert.deepEqual(seen, [`${lost.modRevision} put /registry/a=lost 4`]);
      await theirs;
      await second;
      // It cannot tell any more, and must not: what it knows is older than what is forgotten.
      const late = await eventually('an answer', () =>
        quiet.put('/registry/a', bytes('over what is gone'), { ifRevision: lost.modRevision }),
      );
      assert.equal(late.ok, false);
      for (const one of [store, another, quiet, others]) {
        const there = await eventually('an answer', () => one.get('/registry/a'));
        assert.match(text(there?.value) ?? '', /^of others/);
        assert.equal(there?.modRevision, newest);
        await assert.rejects(take(one, '/registry/', '/registry0', newest, 1), isForgotten);
      }
      const jumps = await etcd.ask('kv/range', { key: Buffer.from('/registry.jump').toString('base64') });
      assert.equal((jumps.kvs as { version: string }[])[0]?.version, '1');
    });

  test('goes on with an etcd that is started again, whatever was written meanwhile and forgotten', async () => {
    await using etcd = await TestEtcd.start();
    await using proxy = await FaultyProxy.start(Number(new URL(etcd.endpoints[0]!).port));
    await using store = await openStore(`etcd=http://127.0.0.1:${proxy.port}`, {});
    await using others = await openStore(etcd.url(), {});
    for (const last of ['written', 'deleted']) {
      await eventually('a write', () => store.put('/registry/a', bytes('1')));
      if (last === 'deleted') await store.delete('/registry/a');
      proxy.cut();
      await etcd.kill();
      await etcd.start();
      for (let n = 0; n < 5; n++) await eventually('a write', () => others.put('/registry/b', bytes(`${n}`)));
      await others.compact(await others.revision());
      proxy.mend();
      assert.equal(text((await eventually('a read', () => store.get('/registry/b')))?.value), '4');
    }
  });

  test('says that it is unavailable while etcd is away, and goes on by itself when it is back', async () => {
    await using etcd = await TestEtcd.start();
    await using store = await openStore(etcd.url(), {});
    await store.put('/registry/a', bytes('1'));
    const seen = take(store, '/registry/', '/registry0', 1, 2);
    await etcd.kill();
    await assert.rejects(store.put('/registry/a', bytes('2')), unavailable);
    await assert.rejects(store.get('/registry/a'), unavailable);
    await assert.rejects(store.revision(), unavailable);
    await etcd.start();
    while ((await store.put('/registry/a', bytes('3')).catch(() => undefined)) === undefined) await sleep(10);
    assert.equal(text((await store.get('/registry/a'))?.value), '3');
    const [first, second] = (await seen).map((event) => line(event).replace(/^\d+ /, '').replace(/@.*/, ''));
    assert.deepEqual([first, second], ['put /registry/a=1', 'put /registry/a=3 was 1']);
  });
});
