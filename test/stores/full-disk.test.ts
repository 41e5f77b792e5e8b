/** Engines whose disk is really full. Both end themselves then; SQLite's own file about it is src/storage/sqlite/disk-full.test.ts. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { isKnownError } from '../../src/errors/known-error.ts';
import { openStore } from '../../src/storage/open.ts';
import type { Store } from '../../src/storage/store.ts';
import { TestEtcd } from '../../src/storage/testing/etcd.ts';
import { violations } from '../../src/storage/testing/history/check.ts';
import { Workload } from '../../src/storage/testing/history/workload.ts';
import { TestRedis } from '../../src/storage/testing/redis.ts';
import { cannotMount, SmallDisk } from '../../src/storage/testing/small-disk.ts';

const unavailable = (err: unknown): boolean => isKnownError(err, 'STORE_UNAVAILABLE') && err.hint !== undefined;
const value = new Uint8Array(100_000).fill(7);

/** Writes until it is refused; gives the number of writes that were acknowledged. */
async function writeUntilRefused(store: Store): Promise<number> {
  for (let n = 0; ; n++) {
    try {
      await store.put(`/registry/fill/${n}`, value);
    } catch (err) {
      assert.ok(isKnownError(err, 'STORE_UNAVAILABLE'), String(err));
      return n;
    }
  }
}

/** `restart` is what a supervisor does when the engine has ended itself. */
async function fillAndFree(t: TestContext, url: string, disk: SmallDisk, restart: () => Promise<void>): Promise<void> {
  const seed = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`HISTORY_SEED=${seed}`);
  await using store = await openStore(url, {});
  const workload = await Workload.start(store, { random: seededRandom(seed) });
  await workload.more(50);
  disk.fill(2 << 20);
  const acknowledged = await writeUntilRefused(store);
  assert.ok(acknowledged > 0);
  await eventually(() => assert.rejects(store.put('/registry/more', value, { ifRevision: 0 }), unavailable));
  await eventually(() => assert.rejects(store.get('/registry/fill/0'), unavailable));
  disk.free();
  await restart();
  await workload.more(50);
  const { records } = await store.range('/registry/fill/', '/registry/fill0');
  const there = new Set(records.filter((record) => Buffer.compare(record.value, value) === 0).map(({ key }) => key));
  for (let n = 0; n < acknowledged; n++) assert.ok(there.has(`/registry/fill/${n}`), `${n} of ${acknowledged} was acknowledged`);
  assert.ok(records.length <= acknowledged + 1, 'but for the last write nothing else is there');
  assert.deepEqual(violations(await workload.history()), []);
}

describe('a store on a full disk, when there is room again and its engine was started', { skip: cannotMount }, () => {
  test('has lost nothing in etcd', async (t) => {
    // etcd takes two logs of 64 MB before the first write.
    await using disk = await SmallDisk.mount(192);
    await using etcd = await TestEtcd.start({ places: [disk.place] });
    await fillAndFree(t, etcd.url(), disk, () => etcd.start());
  });

  test('has lost nothing in Redis', async (t) => {
    await using disk = await SmallDisk.mount(16);
    await using redis = await TestRedis.start({}, disk.place);
    await fillAndFree(t, redis.url, disk, () => redis.restart());
  });
});
