/** Clocks that are set while a store is used: that of the clients, and that of Redis. etcd's is set in `../guest/inside/etcd-clock.guest.ts`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { openStore } from '../../src/storage/open.ts';
import { TestEtcd } from '../../src/storage/testing/etcd.ts';
import { bytes, take } from '../../src/storage/testing/events.ts';
import { here } from '../../src/storage/testing/place.ts';
import { TestRedis } from '../../src/storage/testing/redis.ts';
import { RemoteWorkload } from './testing/remote-workload.ts';
import { cannotSetClocks, SteppedClock } from './testing/stepped-clock.ts';

const hour = 3_600;
const steps = [hour, -hour, 24 * hour, 0];

async function stepClients(t: TestContext, url: string): Promise<void> {
  using clock = new SteppedClock();
  const workload = await RemoteWorkload.start(t, url, { env: clock.env });
  for (const seconds of steps) {
    clock.set(seconds);
    await workload.more(100);
    const ahead = (await workload.now()) - Date.now();
    assert.ok(Math.abs(ahead / 1_000 - seconds) < hour / 2, `the clock of the clients is ${ahead} ms ahead`);
  }
  await workload.assertFailures();
  assert.deepEqual(await workload.violations(), []);
}

describe('a store whose clients have a clock that is set', { skip: cannotSetClocks, concurrency: true }, () => {
  test('has one history in SQLite', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'fairlead-clock-steps-'));
    t.after(() => rmSync(dir, { recursive: true }));
    await stepClients(t, `sqlite://${join(dir, 'store.db')}`);
  });

  test('has one history in etcd', async (t) => {
    await using etcd = await TestEtcd.start();
    await stepClients(t, etcd.url());
  });

  test('has one history in Redis', async (t) => {
    await using redis = await TestRedis.start();
    await stepClients(t, redis.url);
  });
});

test('a Redis whose clock is set has one history, and deletes by that clock what has a time to live', {
  skip: cannotSetClocks,
}, async (t) => {
  using clock = new SteppedClock();
  await using redis = await TestRedis.start({}, { ...here, within: clock.within });
  await using store = await openStore(redis.url, {});
  const workload = await RemoteWorkload.start(t, redis.url);
  await workload.more(50);
  const short = await store.put('/ttl/short', bytes('x'), { ttlSeconds: hour / 2 });
  const long = await store.put('/ttl/long', bytes('x'), { ttlSeconds: 2 * hour });
  assert.ok(short.ok && long.ok);
  clock.set(-hour);
  await workload.more(50);
  clock.set(hour);
  const gone = await take(store, '/ttl/', '/ttl0', long.record.modRevision + 1, 1);
  assert.deepEqual([gone[0]!.kind, gone[0]!.previous?.key], ['delete', '/ttl/short']);
  await workload.more(50);
  assert.equal((await store.range('/ttl/', '/ttl0')).records[0]?.key, '/ttl/long');
  await workload.assertFailures();
  assert.deepEqual(await workload.violations(), []);
});
