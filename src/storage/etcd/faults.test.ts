import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../clock/testing/eventually.ts';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { openStore } from '../open.ts';
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

  test('refuses data that were set back to an earlier state, and a write over a revision that is gone changes nothing there', async () => {
    await using etcd = await TestEtcd.start();
    await using store = await openStore(etcd.url(), {});
    await store.put('/registry/a', bytes('1'));
    const goBack = await etcd.keep();
    for (let n = 0; n < 100; n++) await eventually('a write', () => store.put('/registry/a', bytes(`later ${n}`)));
    const ifRevision = (await store.get('/registry/a'))?.modRevision;
    assert.ok(ifRevision);
    const setBack = (err: unknown): boolean => isKnownError(err, 'STORE_CORRUPT') && wentBack.test(err.message);
    // One waits for what is to come, one is of all keys, as an API server's.
    const watches = ['/registry/a', '/registry/'].map((start) => take(store, start, '/registry0', ifRevision + 1, 1));
    const ended = Promise.all(watches.map((watch) => assert.rejects(watch, setBack)));
    await goBack();
    const write = (): Promise<unknown> => store.put('/registry/a', bytes('2'), { ifRevision });
    // The connection of before may have to be made anew first.
    for (const call of [write, () => store.get('/registry/a'), () => store.revision()])
      await eventually('a refusal', () => assert.rejects(call, setBack));
    await using fresh = await openStore(etcd.url(), {});
    assert.equal(text((await fresh.get('/registry/a'))?.value), '1');
    await ended;
    // A server that goes on then would never hear of what was written until here.
    while ((await fresh.revision()) <= ifRevision) await fresh.put('/registry/b', bytes('of others'));
    await assert.rejects(store.put('/registry/a', bytes('3')), setBack);
    await assert.rejects(store.revision(), setBack);
    await assert.rejects(take(store, '/registry/', '/registry0', ifRevision + 1, 1), setBack);
    assert.equal(text((await fresh.get('/registry/a'))?.value), '1', 'nothing more was written there');
  });

  const waysBack: Readonly<Record<string, (etcd: TestEtcd) => Promise<() => Promise<void>> | (() => Promise<void>)>> = {
    'whose files were set back': (etcd) => etcd.keep(),
    'that was made anew of a snapshot': (etcd) => etcd.keepSnapshot(),
  };
  for (const [how, keep] of Object.entries(waysBack))
    test(`refuses an etcd ${how} and that others have brought further than before, and hears of nothing that happened there`, async () => {
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
      proxy.mend();
      const setBack = (err: unknown): boolean => isKnownError(err, 'STORE_CORRUPT') && wentBack.test(err.message);
      await assert.rejects(watching, setBack);
      assert.deepEqual(seen, [`${lost.modRevision} put /registry/a=lost 4`]);
      await assert.rejects(store.get('/registry/a'), setBack);
      const write = (): Promise<unknown> => quiet.put('/registry/a', bytes('over what is gone'), { ifRevision: lost.modRevision });
      await eventually('a refusal', () => assert.rejects(write, setBack));
      assert.match(text((await others.get('/registry/a'))?.value) ?? '', /^of others/);
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
