import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { StoreUrl } from '../store-url.ts';
import { type Engine, testStore } from '../testing/conformance.ts';
import { TestEtcd } from '../testing/etcd.ts';
import { type EtcdSettings, readEtcdUrl } from './address.ts';
import { openEtcdStore } from './etcd-store.ts';
import { KeySpace } from './key-space.ts';

function settingsOf(etcd: TestEtcd): EtcdSettings {
  return readEtcdUrl(
    StoreUrl.parse(etcd.url(), { 'etcd+http': 'etcd=http://127.0.0.1:2379', 'etcd+https': 'etcd=https://127.0.0.1:2379' }),
  );
}

/** Time that passes when the test says so: etcd takes its own for leases, so those whose time has come are revoked. */
class LeaseTime {
  readonly #etcd: TestEtcd;
  readonly #grantedAt = new Map<string, number>();
  #seconds = 0;

  constructor(etcd: TestEtcd) {
    this.#etcd = etcd;
  }

  get clock(): Clock {
    return { ...systemClock, monotonic: () => this.#seconds * 1000 };
  }

  async pass(seconds: number): Promise<void> {
    const { leases = [] } = (await this.#etcd.ask('lease/leases')) as { leases?: { ID: string }[] };
    for (const { ID } of leases) if (!this.#grantedAt.has(ID)) this.#grantedAt.set(ID, this.#seconds);
    this.#seconds += seconds;
    for (const { ID } of leases) {
      const { grantedTTL } = await this.#etcd.ask('lease/timetolive', { ID });
      if (this.#grantedAt.get(ID)! + Number(grantedTTL) <= this.#seconds) await this.#etcd.ask('lease/revoke', { ID });
    }
  }
}

/** Members of etcd with a store for each test in a range of keys of its own. */
function engineOf(members: number): Engine {
  let etcd: TestEtcd;
  let stores = 0;
  before(async () => {
    etcd = await TestEtcd.start({ members });
  });
  after(() => etcd[Symbol.asyncDispose]());
  return {
    // So long that no real pause of the machine matters.
    ttlSeconds: 1_000,
    async open() {
      const time = new LeaseTime(etcd);
      const space = new KeySpace('', `/store${stores++}`);
      const store = await openEtcdStore({ ...settingsOf(etcd), space }, { clock: time.clock });
      return { store, pass: (seconds) => time.pass(seconds) };
    },
  };
}

testStore('EtcdStore', engineOf(1));
testStore('EtcdStore on three members', engineOf(3));

test('those who ask for the revision while etcd is being asked share an answer, which knows what was written before', async () => {
  await using etcd = await TestEtcd.start();
  await using store = await openEtcdStore(settingsOf(etcd));
  await using other = await openEtcdStore(settingsOf(etcd));
  for (let i = 0; i < 20; i++) {
    const put = await other.put('/registry/x', Buffer.from(String(i)));
    const [first, second, third] = [store.revision(), store.revision(), store.revision()];
    assert.equal(second, third);
    assert.notEqual(first, second);
    for (const known of [first, second, third]) assert.ok(put.ok && (await known) >= put.record.modRevision);
  }
});

test('a watch of all keys hears of a revision that somebody was told of, though it is of a write beside the store and nothing has come to the watch yet', async () => {
  await using etcd = await TestEtcd.start();
  await using store = await openEtcdStore(settingsOf(etcd));
  const from = (await store.revision()) + 1;
  const stop = new AbortController();
  const { promise: come, resolve } = Promise.withResolvers<void>();
  let asked = Number.POSITIVE_INFINITY;
  const onProgress = (revision: number): void => {
    if (revision >= asked) resolve();
  };
  const watching = store.watch('/registry/', '/registry0', from, { signal: stop.signal, onProgress })[Symbol.asyncIterator]().next();
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  await etcd.ask('kv/put', { key: base64('beside'), value: base64('x') });
  asked = await store.revision();
  assert.equal(asked, from);
  await come;
  stop.abort();
  await watching;
});
