/** etcd's own clock is set, and that of its clients with it: the guest's. Runs in the guest alone, or the machine's clock would be set. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openStore } from '../../../src/storage/open.ts';
import { TestEtcd } from '../../../src/storage/testing/etcd.ts';
import { bytes, take } from '../../../src/storage/testing/events.ts';
import { RemoteWorkload } from '../../stores/testing/remote-workload.ts';

const hour = 3_600;
const elsewhere = readFileSync('/proc/cpuinfo', 'utf8').includes('User Mode Linux') ? false : 'sets the clock of the machine';

const endsLate = execFileSync('etcd', ['--version'], { encoding: 'utf8' }).includes('etcd Version: 3.4.');

/** Every process of the guest sees another time of day from now on; its monotonic clocks go on. */
function setClock(seconds: number): void {
  execFileSync('date', ['-s', `@${Math.round(Date.now() / 1_000) + seconds}`], { stdio: 'ignore' });
}

for (const members of [1, 3])
  test(`an etcd of ${members} whose clock is set by hours has one history, and ends no lease early`, { skip: elsewhere }, async (t) => {
    await using etcd = await TestEtcd.start({ members });
    await using store = await openStore(etcd.url(), {});
    const workload = await RemoteWorkload.start(t, etcd.url());
    await workload.more(20);
    const long = await store.put('/ttl/long', bytes('x'), { ttlSeconds: hour });
    assert.ok(long.ok);
    for (const seconds of [2 * hour, -24 * hour, 48 * hour, -4 * hour]) {
      const before = Date.now();
      setClock(seconds);
      assert.ok(Math.abs(Date.now() - before - seconds * 1_000) < 60_000, 'the clock is set');
      await workload.more(20);
    }
    const short = await store.put('/ttl/short', bytes('x'), { ttlSeconds: 5 });
    assert.ok(short.ok);
    setClock(-hour);
    // etcd 3.4 looks at a lease again when the clock has come there (https://github.com/etcd-io/etcd/issues/12291).
    if (endsLate) setClock(hour);
    const [gone] = await take(store, '/ttl/', '/ttl0', short.record.modRevision + 1, 1);
    assert.deepEqual([gone?.kind, gone?.previous?.key], ['delete', '/ttl/short']);
    assert.equal((await store.range('/ttl/', '/ttl0')).records[0]?.key, '/ttl/long');
    await workload.more(20);
    await workload.assertFailures();
    assert.deepEqual(await workload.violations(), []);
  });
