import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { Compacted, prefixEnd, type Store } from '../store.ts';
import { onFakeClock, testStore } from '../testing/conformance.ts';
import { bytes, line, take, text } from '../testing/events.ts';
import { openSqliteStore } from './sqlite-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-store-'));
after(() => rmSync(dir, { recursive: true }));
let n = 0;
function overwrite(path: string, at: number, length: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(length, 0xa5), 0, length, at);
  closeSync(file);
}
const fresh = (): string => join(dir, `${n++}.db`);

testStore(
  'SqliteStore',
  onFakeClock((clock) => openSqliteStore(fresh(), { clock })),
);
// With next to no memory of events every watch from the past reads the log in the file. Its revisions do not begin at 0.
testStore(
  'SqliteStore with a window of one event, and a life before',
  onFakeClock(async (clock) => {
    const store = await openSqliteStore(fresh(), { clock, maxWindowEvents: 1 });
    for (let i = 0; i < 3; i++) await store.put('/before', bytes(`${i}`));
    await store.delete('/before');
    return store;
  }),
);

describe('openSqliteStore()', () => {
  test('gives back records, revisions and past events when opened again', async () => {
    const path = fresh();
    await using first = await openSqliteStore(path);
    await first.put('/a', bytes('1'));
    await first.put('/a', bytes('2'));
    await first.put('/b', bytes('3'));
    await first.delete('/b');
    await first.close();
    await using second = await openSqliteStore(path);
    assert.equal(await second.revision(), 4);
    const next = take(second, '/', '0', 1, 5);
    await second.put('/b', bytes('4'));
    assert.deepEqual(
      (await next).map((event) => line(event)),
      ['1 put /a=1', '2 put /a=2 was 1@1', '3 put /b=3', '4 delete /b was 3@3', '5 put /b=4'],
    );
  });

  test('never counts revisions back, even when no record and no event of the newest is left', async () => {
    const path = fresh();
    await using first = await openSqliteStore(path);
    await first.put('/registry/leases/a', bytes('1'));
    await first.put('/a', bytes('1'));
    await first.delete('/a');
    await first.delete('/registry/leases/a');
    await first.compact(4);
    await first.close();
    await using second = await openSqliteStore(path);
    const born = await second.put('/a', bytes('1'));
    assert.ok(born.ok && born.record.modRevision === 5);
  });

  test('deletes what expired while it was closed', async () => {
    const path = fresh();
    const clock = new FakeClock();
    await using first = await openSqliteStore(path, { clock });
    await first.put('/t', bytes('x'), { ttlSeconds: 10 });
    await first.close();
    await clock.advance(60_000);
    await using second = await openSqliteStore(path, { clock });
    const gone = take(second, '/t', '/u', 2, 1);
    await clock.advance(1);
    assert.deepEqual(
      (await gone).map((event) => line(event)),
      ['2 delete /t was x@1'],
    );
  });

  test('bounds the event log by number and by bytes, and compacts what it cuts', async () => {
    for (const limits of [{ maxLogEvents: 100 }, { maxLogBytes: 40_000 }]) {
      const path = fresh();
      await using first = await openSqliteStore(path, limits);
      for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 60 }, (_, j) => first.put(`/k/${j}`, bytes(`${i}`.padEnd(200)))));
      await first.close();
      await using second = await openSqliteStore(path, limits);
      await assert.rejects(take(second, '/k/', '/k0', 600, 1), (err) => isKnownError(err, 'STORE_COMPACTED'));
      const kept = await take(second, '/k/', '/k0', 1_150, 51);
      assert.ok(kept.every((event, i) => event.revision === 1_150 + i && event.previous !== undefined));
      await second.close();
    }
  });

  test('keeps no history where none is wanted, but sends the events', async () => {
    const path = fresh();
    const options = { withoutHistory: ['/l/'] };
    const rest = async (store: Store, prefix: string): Promise<string[]> =>
      (await take(store, prefix, prefixEnd(prefix), 1, 1)).map((e) => line(e));
    await using first = await openSqliteStore(path, options);
    await first.put('/l/n1', bytes('1'));
    await first.put('/p/p1', bytes('1'));
    assert.deepEqual(await rest(first, '/l/'), ['1 put /l/n1=1']);
    await first.close();
    await using second = await openSqliteStore(path, options);
    for (const prefix of ['/l/', '/']) await assert.rejects(rest(second, prefix), (err) => err instanceof Compacted && err.floor === 2);
    assert.deepEqual(await rest(second, '/p/'), ['2 put /p/p1=1']);
    const next = take(second, '/l/', '/l0', 3, 1);
    await second.put('/l/n1', bytes('2'));
    assert.deepEqual(
      (await next).map((e) => line(e)),
      ['3 put /l/n1=2 was 1@1'],
    );
  });

  test('reads a long range as it was at one revision while writers write', async () => {
    await using store = await openSqliteStore(fresh());
    const value = new Uint8Array(4_096);
    const keys = Array.from({ length: 4_000 }, (_, i) => `/k/${i}`);
    await Promise.all(keys.map((key) => store.put(key, value)));
    let reading = true;
    async function write(writer: number): Promise<void> {
      // Backwards, so that a read without a snapshot would meet what was written after it began.
      for (let i = keys.length - 1 - writer; reading && i >= 0; i -= 4) await store.put(keys[i]!, value);
    }
    const writers = Promise.all([0, 1, 2, 3].map(write));
    const results = await Promise.all([store.range('/k/', '/k0'), store.range('/k/', '/k0'), store.range('/k/', '/k0', { limit: 3_000 })]);
    reading = false;
    await writers;
    for (const { records, revision, count } of results) {
      assert.equal(count, keys.length);
      assert.ok(records.every((record) => record.modRevision <= revision));
    }
  });

  test('replays a past of large values in pages', async () => {
    const path = fresh();
    await using first = await openSqliteStore(path);
    for (let i = 1; i <= 8; i++) await first.put('/large', new Uint8Array(1_500_000).fill(i));
    await first.close();
    await using second = await openSqliteStore(path);
    const events = await take(second, '/large', '/large0', 1, 8);
    assert.deepEqual(
      events.map((event) => event.kind === 'put' && [event.record.value[0], event.previous?.value[0]]),
      [1, 2, 3, 4, 5, 6, 7, 8].map((i) => [i, i === 1 ? undefined : i - 1]),
    );
  });

  test('stores a view into a larger buffer as what it shows', async () => {
    await using store = await openSqliteStore(fresh());
    const whole = bytes('0123456789');
    await store.put('/view', whole.subarray(2, 5));
    await store.put('/pooled', Buffer.from('from the pool'));
    assert.equal(text((await store.get('/view'))?.value), '234');
    assert.equal(text((await store.get('/pooled'))?.value), 'from the pool');
  });

  test('lets nobody but the owner read its files', async () => {
    const folder = join(dir, 'private');
    await using store = await openSqliteStore(join(folder, 'store.db'), { reserveBytes: 4_096 });
    await store.put('/a', bytes('secret'));
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    const modes = readdirSync(folder).map((file) => [file, (statSync(join(folder, file)).mode & 0o777).toString(8)]);
    assert.deepEqual(Object.fromEntries(modes), {
      'store.db': '600',
      'store.db-mark': '600',
      'store.db-reserve': '600',
      'store.db-shm': '600',
      'store.db-wal': '600',
      'store.db.lock': '600',
    });
  });

  test('refuses a second store on the file within one process, and leaves the first one its lock', async () => {
    const path = fresh();
    await using first = await openSqliteStore(path);
    for (let i = 0; i < 2; i++) await assert.rejects(openSqliteStore(path), (err) => isKnownError(err, 'STORE_IN_USE'));
    await first.put('/a', bytes('1'));
    await first.close();
    await using second = await openSqliteStore(path);
    assert.equal(text((await second.get('/a'))?.value), '1');
  });

  test('refuses a file that is not a store with STORE_CORRUPT and releases it', async () => {
    const path = fresh();
    writeFileSync(path, 'no database at all, but long enough to look like one'.repeat(100));
    for (let i = 0; i < 2; i++) await assert.rejects(openSqliteStore(path), (err) => isKnownError(err, 'STORE_CORRUPT'));
  });

  for (const [what, damage] of [
    ['is empty', (path: string) => truncateSync(path, 0)],
    ['is missing while its log is there', (path: string) => rmSync(path)],
    ['is cut in the middle', (path: string) => truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096)],
    ['has noise in its first page', (path: string) => overwrite(path, 100, 3000)],
    ['has noise everywhere but in its header', (path: string) => overwrite(path, 4096, statSync(path).size - 4096)],
  ] as const)
    test(`does not take a file that ${what} for an empty cluster`, async () => {
      const path = fresh();
      await using store = await openSqliteStore(path);
      for (let i = 0; i < 300; i++) await store.put(`/a/${i}`, bytes('x'.repeat(2000)));
      await store.close();
      // As after a crash, which leaves the log.
      if (what.includes('log')) writeFileSync(`${path}-wal`, '');
      damage(path);
      await assert.rejects(
        async () => {
          await using damaged = await openSqliteStore(path);
          await damaged.range('/a/', '/b', {});
        },
        (err) => isKnownError(err, 'STORE_CORRUPT'),
      );
    });

  test('bounds the write-ahead log by checkpoints under a steady load', async () => {
    const path = fresh();
    await using store = await openSqliteStore(path);
    const value = new Uint8Array(16_384);
    let largest = 0;
    for (let i = 0; i < 120; i++) {
      await Promise.all(Array.from({ length: 32 }, (_, j) => store.put(`/k/${j}`, value)));
      largest = Math.max(largest, statSync(`${path}-wal`).size);
    }
    assert.ok(largest < 64 << 20, `the WAL grew to ${largest} bytes of 120 MB written`);
  });
});

describe('a store of format 1', () => {
  test('is taken over, and has a mark from then on', async () => {
    const path = fresh();
    const old = new DatabaseSync(path);
    old.exec(`PRAGMA journal_mode = WAL; BEGIN;
      CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, compacted INTEGER NOT NULL);
      INSERT INTO state VALUES (1, 7, 6);
      CREATE TABLE records (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, modified INTEGER NOT NULL, expires INTEGER, value BLOB NOT NULL);
      CREATE TABLE log (
        revision INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER, prev_created INTEGER, prev_modified INTEGER, previous BLOB);
      INSERT INTO records VALUES (1, '/a', 3, 7, NULL, x'31');
      INSERT INTO log VALUES (7, '/a', 3, 3, 5, x'30');
      PRAGMA application_id = 0x464c4431; PRAGMA user_version = 1; COMMIT`);
    old.close();
    await using first = await openSqliteStore(path);
    assert.deepEqual(
      (await take(first, '/', '0', 7, 1)).map((event) => line(event)),
      ['7 put /a=1 was 0@5'],
    );
    await first.put('/a', bytes('2'));
    await first.close();
    rmSync(`${path}-mark`);
    await assert.rejects(openSqliteStore(path), (err) => isKnownError(err, 'STORE_CORRUPT'));
  });
});
