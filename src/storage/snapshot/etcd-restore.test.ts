/** Snapshots that become another store: etcd's own by etcd's own tool, those in our format from and to etcd. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fillStore, openDatabase, openImage, openStore } from '../open.ts';
import type { StoredRecord } from '../store.ts';
import { TestEtcd } from '../testing/etcd.ts';
import { bytes } from '../testing/events.ts';
import { saveDatabase, saveSnapshot } from './save.ts';
import { openSnapshot, readStatus, restoredRevision } from './snapshot.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-restore-'));
const about = { version: '1.2.3', now: Date.now(), signal: new AbortController().signal };
const cannotRestore: string | false = hasEtcdctl() ? false : 'needs etcdctl (the Debian package etcd-client)';

function hasEtcdctl(): boolean {
  try {
    execFileSync('etcdctl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Of many keys some were written again, some deleted, and one has a time to live. */
async function fill(url: string): Promise<void> {
  await using store = await openStore(url, {});
  const key = (n: number): string => `/registry/things/${n}`;
  for (let n = 0; n < 120; n++) await store.put(key(n), bytes(`{"n":${n}}`));
  for (let n = 10; n < 20; n++) await store.put(key(n), bytes(`{"again":${n}}`));
  for (let n = 30; n < 40; n++) await store.delete(key(n));
  await store.put('/registry/events/e', bytes('{}'), { ttlSeconds: 3_600 });
}

async function recordsOf(url: string): Promise<{ readonly records: readonly StoredRecord[]; readonly revision: number }> {
  await using store = await openStore(url, {});
  return await store.range('/registry/', '/registry0');
}

const withRevisions = ({ key, value, createRevision, modRevision }: StoredRecord): unknown[] => [
  key,
  Buffer.from(value).toString(),
  createRevision,
  modRevision,
];
const values = (record: StoredRecord): unknown[] => withRevisions(record).slice(0, 2);

describe('a snapshot', () => {
  let etcd: TestEtcd;
  before(async () => {
    etcd = await TestEtcd.start();
    await fill(etcd.url());
  });
  after(async () => {
    await etcd[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true });
  });

  for (const members of [1, 3])
    test(`of etcd's own is every object with its revisions in a new cluster of ${members}`, { skip: cannotRestore }, async () => {
      const file = join(dir, `etcd-${members}.snapshot`);
      const { records } = await recordsOf(etcd.url());
      await saveDatabase(file, (await openDatabase(etcd.url()))!, about);
      await using restored = await TestEtcd.start({ members, snapshot: file });
      const there = await recordsOf(restored.url());
      assert.equal(there.records.length, 111);
      assert.deepEqual(there.records.map(withRevisions), records.map(withRevisions));
      await using store = await openStore(restored.url(), {});
      const [first] = there.records;
      assert.ok((await store.put(first!.key, bytes('next'), { ifRevision: first!.modRevision })).ok);
    });

  test('of etcd in our own format is every object with its revisions in SQLite', async () => {
    const file = join(dir, 'portable.snapshot');
    {
      await using image = await openImage(etcd.url(), { closed: false });
      await saveSnapshot(file, image, about);
    }
    assert.deepEqual([(await readStatus(file)).engine, (await readStatus(file)).records], ['etcd', 111]);
    const url = `sqlite://${join(dir, 'from-etcd.db')}`;
    await using snapshot = await openSnapshot(file);
    await fillStore(url, snapshot, restoredRevision(snapshot));
    assert.deepEqual((await recordsOf(url)).records.map(withRevisions), (await recordsOf(etcd.url())).records.map(withRevisions));
  });

  test('of SQLite is every object in etcd, with revisions above all that were seen', async () => {
    const from = `sqlite://${join(dir, 'to-etcd.db')}`;
    const file = join(dir, 'sqlite.snapshot');
    await fill(from);
    {
      await using image = await openImage(from, { closed: false });
      await saveSnapshot(file, image, about);
    }
    const to = etcd.url({ options: 'prefix=/restored' });
    await using snapshot = await openSnapshot(file);
    await assert.rejects(fillStore(to, snapshot, restoredRevision(snapshot)), { code: 'BAD_CONFIG', hint: /smaller --revision-gap/ });
    const gap = 700;
    await fillStore(to, snapshot, restoredRevision(snapshot, gap));
    const there = await recordsOf(to);
    assert.deepEqual(there.records.map(values), (await recordsOf(from)).records.map(values));
    assert.ok(there.records.every(({ modRevision }) => modRevision > snapshot.revision + gap));
  });
});
