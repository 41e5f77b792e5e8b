import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { MemoryStore } from '../../storage/memory/memory-store.ts';
import { openStore } from '../../storage/open.ts';
import type { Store } from '../../storage/store.ts';
import { TestEtcd } from '../../storage/testing/etcd.ts';
import { ServerLeases } from './server-leases.ts';

const address = { ip: '192.0.2.1', port: 6443 };
const key = `/registry/masterleases/${address.ip}`;

test('a lease is kept by whoever renews it, and made again when it has run out or somebody else wrote it', async () => {
  const clock = new FakeClock();
  await using store = new MemoryStore({ clock });
  const leases = new ServerLeases(store);
  await leases.renew(address);
  await clock.advance(14_000);
  await leases.renew(address);
  await clock.advance(14_000);
  assert.deepEqual(await leases.list(), [address]);
  await clock.advance(1_000);
  assert.deepEqual(await leases.list(), []);
  await leases.renew(address);
  await new ServerLeases(store).renew({ ...address, port: 1 });
  await leases.renew(address);
  assert.deepEqual(await leases.list(), [address]);
});

test('a lease is never written but over the revision that it was known to have', async () => {
  const clock = new FakeClock();
  await using store = new MemoryStore({ clock });
  const asked: (number | undefined)[] = [];
  // Another process of this address writes whenever this one has seen what stands there.
  let others = 0;
  const busy: Pick<Store, 'put'> = {
    async put(name, value, options = {}) {
      asked.push(options.ifRevision);
      const written = await store.put(name, value, options);
      if (!written.ok && others-- > 0) await store.put(name, Buffer.from('{}'));
      return written;
    },
  };
  const leases = new ServerLeases(busy as Store);
  await leases.renew(address);
  await clock.advance(15_000);
  await leases.renew(address);
  await store.put(key, Buffer.from('{}'));
  others = 2;
  await leases.renew(address);
  // Made, lost and made again; lost to another one three times.
  assert.deepEqual(asked, [0, 1, 0, 3, 4, 5, 6]);
  assert.deepEqual(await new ServerLeases(store).list(), [address]);
});

test('a server that ends takes its own lease away, and not that of its successor', async () => {
  await using store = new MemoryStore({ clock: new FakeClock() });
  const [leases, successor] = [new ServerLeases(store), new ServerLeases(store)];
  await leases.renew(address);
  await successor.renew(address);
  await leases.remove(address.ip);
  assert.deepEqual(await successor.list(), [address]);
  await successor.remove(address.ip);
  assert.deepEqual(await successor.list(), []);
});

test('a server writes no lease into an etcd that was set back to an earlier state', async () => {
  await using etcd = await TestEtcd.start();
  await using store = await openStore(etcd.url(), {});
  const leases = new ServerLeases(store);
  await leases.renew(address);
  const before = await store.get(key);
  const goBack = await etcd.keep();
  await eventually('a renewal', () => leases.renew(address));
  await eventually('a renewal', () => leases.renew(address));
  await goBack();
  await eventually('a refusal', () => assert.rejects(leases.renew(address), { code: 'STORE_CORRUPT' }));
  await using fresh = await openStore(etcd.url(), {});
  const left = await fresh.get(key);
  // A slow machine may have let it run out.
  assert.ok(left === undefined || left.modRevision === before?.modRevision);
});
