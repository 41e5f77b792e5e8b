import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { isKnownError } from '../../errors/known-error.ts';
import type { ImageRecord, StoreImage } from '../image.ts';
import { fillStore, openImage } from '../open.ts';
import { openSqliteStore } from '../sqlite/sqlite-store.ts';
import type { Store } from '../store.ts';
import { bytes, take, text } from '../testing/events.ts';
import { saveSnapshot } from './save.ts';
import { openSnapshot, readStatus, restoredRevision } from './snapshot.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-snapshot-'));
after(() => rmSync(dir, { recursive: true }));
const signal = new AbortController().signal;
const about = { version: '1.2.3', now: Date.UTC(2026, 0, 31), signal };

function urlOf(path: string): string {
  return `sqlite://${path}`;
}

async function save(path: string, file: string): ReturnType<typeof saveSnapshot> {
  await using image = await openImage(urlOf(path), { closed: false });
  return await saveSnapshot(file, image, about);
}

async function restore(file: string, path: string): Promise<void> {
  await using image = await openSnapshot(file);
  await fillStore(urlOf(path), image, restoredRevision(image));
}

/** By key: `value created modified`. */
type Contents = ReadonlyMap<string, string>;

async function contentsOf(store: Store): Promise<Contents> {
  const { records } = await store.range('/', '0');
  return new Map(records.map((record) => [record.key, `${text(record.value)} ${record.createRevision} ${record.modRevision}`]));
}

function fakeImage(records: readonly ImageRecord[]): StoreImage {
  return {
    engine: 'sqlite',
    cluster: 'c0',
    revision: 9,
    async *records() {
      yield* records;
    },
    isCurrent: async () => true,
    async [Symbol.asyncDispose]() {},
  };
}

function record(key: string, value = 'x'): ImageRecord {
  return { key, value: bytes(value), createRevision: 1, modRevision: 2, expiresAt: undefined };
}

describe('a snapshot', () => {
  test('taken while writers go on is the store of one moment, with all that was acknowledged before', async (t) => {
    const seed = Number(process.env.HISTORY_SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`HISTORY_SEED=${seed}`);
    const random = seededRandom(seed);
    const path = join(dir, 'busy.db');
    const file = join(dir, 'busy.snapshot');
    await using store = await openSqliteStore(path);
    // What every revision made of the store, by the answers that the writers got.
    const history = new Map<number, { readonly key: string; readonly value: string | undefined }>();
    let writing = true;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let i = 0; writing; i++) {
        const key = `/w${writer}/${random(40)}`;
        const value = random(4) === 0 ? undefined : `${writer}-${i}-${'x'.repeat(random(2_000))}`;
        const done = value === undefined ? await store.delete(key) : await store.put(key, bytes(value));
        if (done.ok) history.set(done.record.modRevision, { key, value });
      }
    });
    const saved: { readonly before: number; readonly revision: number; readonly contents: Contents }[] = [];
    for (let n = 0; n < 3; n++) {
      while (history.size < 300 * (n + 1)) await new Promise((resolve) => setImmediate(resolve));
      const before = Math.max(...history.keys());
      const { revision } = await save(path, file);
      const made = `${path}.${n}`;
      await restore(file, made);
      await using copy = await openSqliteStore(made);
      saved.push({ before, revision, contents: await contentsOf(copy) });
    }
    writing = false;
    await Promise.all(writers);

    for (const { before, revision, contents } of saved) {
      assert.ok(revision >= before, `revision ${before} was acknowledged, and the snapshot ends at ${revision}`);
      const model = new Map<string, string>();
      const created = new Map<string, number>();
      for (let at = 1; at <= revision; at++) {
        const { key, value } = history.get(at)!;
        if (value === undefined) created.delete(key);
        else if (!created.has(key)) created.set(key, at);
        if (value === undefined) model.delete(key);
        else model.set(key, `${value} ${created.get(key)} ${at}`);
      }
      assert.deepEqual(contents, new Map([...model].toSorted(([a], [b]) => (a < b ? -1 : 1))));
    }
  });

  test('restored, tells watches from before that they missed something, and gives new writes revisions that nobody has seen', async () => {
    const path = join(dir, 'past.db');
    const file = join(dir, 'past.snapshot');
    await using store = await openSqliteStore(path);
    await store.put('/a', bytes('1'));
    const { revision } = await save(path, file);
    // A client sees these, and the restored store does not know of them.
    for (let n = 0; n < 50; n++) await store.put('/a', bytes(`later ${n}`));
    const seen = await store.revision();

    await restore(file, `${path}.restored`);
    await using restored = await openSqliteStore(`${path}.restored`);
    assert.equal(text((await restored.get('/a'))?.value), '1');
    for (const from of [revision, revision + 1, seen, seen + 1])
      await assert.rejects(take(restored, '/', '0', from, 1), (err) => isKnownError(err, 'STORE_COMPACTED'), `from ${from}`);
    const { revision: now } = await restored.range('/', '0');
    assert.ok(now > seen + 1_000_000);
    const put = await restored.put('/a', bytes('2'), { ifRevision: revision });
    assert.ok(put.ok && put.record.modRevision === now + 1 && put.record.createRevision === revision);
    assert.equal((await take(restored, '/', '0', now + 1, 1)).length, 1);
  });

  test('keeps the moment at which a record expires', async () => {
    const path = join(dir, 'ttl.db');
    const file = join(dir, 'ttl.snapshot');
    const clock = new FakeClock();
    await using store = await openSqliteStore(path, { clock });
    await store.put('/short', bytes('x'), { ttlSeconds: 60 });
    await store.put('/kept', bytes('x'));
    await save(path, file);
    await restore(file, `${path}.restored`);
    await using restored = await openSqliteStore(`${path}.restored`, { clock });
    const from = (await restored.revision()) + 1;
    await clock.advance(59_999);
    assert.ok(await restored.get('/short'));
    await clock.advance(1);
    assert.equal((await take(restored, '/', '0', from, 1))[0]?.kind, 'delete');
    assert.ok(await restored.get('/kept'));
  });

  test('says of itself what it is of, and is for its owner alone', async () => {
    const path = join(dir, 'about.db');
    const file = join(dir, 'about.snapshot');
    await using store = await openSqliteStore(path);
    await store.put('/a', bytes('1'));
    await store.put('/a', bytes('2'));
    const saved = await save(path, file);
    assert.deepEqual(await readStatus(file), saved);
    assert.deepEqual(
      { ...saved, cluster: saved.cluster.length },
      {
        file,
        version: '1.2.3',
        savedAt: '2026-01-31T00:00:00.000Z',
        engine: 'sqlite',
        cluster: 32,
        revision: 2,
        bytes: statSync(file).size,
        records: 1,
        damage: undefined,
      },
    );
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('has the bytes that every version of Fairlead reads', async () => {
    const file = join(dir, 'bytes.snapshot');
    await saveSnapshot(file, fakeImage([{ ...record('/é', 'one'), expiresAt: 5 }]), about);
    const u32 = (n: number): Buffer => Buffer.from(Uint32Array.of(n).buffer);
    const u64 = (n: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
    const header = '{"version":"1.2.3","savedAt":"2026-01-31T00:00:00.000Z","engine":"sqlite","cluster":"c0","revision":9}';
    const before = Buffer.concat([
      Buffer.from('FLDSNAP1'),
      u32(header.length),
      Buffer.from(header),
      ...[u32(3), u32(3), u64(1), u64(2), u64(5), Buffer.from('/éone')],
      ...[u32(0), u64(1)],
    ]);
    const whole = Buffer.concat([before, createHash('sha256').update(before).digest(), Buffer.from('FLDSNEND')]);
    assert.deepEqual(readFileSync(file), whole);
  });

  test('of a store without records is one, too', async () => {
    const file = join(dir, 'empty.snapshot');
    assert.equal((await saveSnapshot(file, fakeImage([]), about)).records, 0);
    await using image = await openSnapshot(file);
    assert.deepEqual(await Array.fromAsync(image.records()), []);
  });

  test('gives back values of any bytes and any length', async () => {
    const file = join(dir, 'large.snapshot');
    const large = new Uint8Array(3 << 20).map((_, i) => i);
    const records: ImageRecord[] = [
      { ...record('/größe/😀'), value: large, expiresAt: 5 },
      { ...record('/none'), value: new Uint8Array() },
      { ...record('/number'), createRevision: 2 ** 40, modRevision: 2 ** 53 - 1 },
    ];
    await saveSnapshot(file, fakeImage(records), about);
    await using image = await openSnapshot(file);
    const found = await Array.fromAsync(image.records());
    assert.deepEqual(
      found.map((one) => ({ ...one, value: Buffer.from(one.value) })),
      records.map((one) => ({ ...one, value: Buffer.from(one.value) })),
    );
  });
});

describe('a damaged snapshot', () => {
  const file = join(dir, 'damaged.snapshot');
  const path = join(dir, 'damaged.db');

  async function refusal(): Promise<string> {
    let said = '';
    await assert.rejects(restore(file, path), (err) => {
      said = isKnownError(err, 'SNAPSHOT_DAMAGED') ? err.message : '';
      return isKnownError(err, 'SNAPSHOT_DAMAGED') && err.hint !== undefined;
    });
    assert.ok(!existsSync(path), 'nothing was made');
    assert.ok(said.includes(`"${file}"`), said);
    return said;
  }

  test('is refused by name wherever a byte differs, and wherever it ends too soon', async () => {
    await saveSnapshot(file, fakeImage([record('/a', 'one'), record('/b', 'two')]), about);
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 0x20;
      writeFileSync(file, changed);
      await refusal();
      writeFileSync(file, whole.subarray(0, at));
      await refusal();
    }
    writeFileSync(file, Buffer.concat([whole, Buffer.from('more')]));
    assert.match(await refusal(), /its end is missing$/);
    writeFileSync(file, whole);
    await using image = await openSnapshot(file);
    assert.equal(image.count, 2);
  });

  test('says in its status what is wrong', async () => {
    await saveSnapshot(file, fakeImage([record('/a', 'one')]), about);
    const whole = readFileSync(file);
    const changed = Buffer.from(whole);
    changed[whole.indexOf('one')]! ^= 1;
    writeFileSync(file, changed);
    const { damage, records, revision } = await readStatus(file);
    assert.deepEqual([damage, records, revision], ['its checksum is wrong: something in it has changed', undefined, 9]);
    writeFileSync(file, whole);
    truncateSync(file, whole.length - 1);
    assert.equal((await readStatus(file)).damage, 'its end is missing');
  });

  for (const [what, content, says] of [
    ['a file of something else', 'SQLite format 3\0 and more of it', /: it is no snapshot$/],
    ['an empty file', '', /: it is no snapshot$/],
    ['a snapshot of a later format', 'FLDSNAP2 and what comes then', /: a newer version of Fairlead wrote it$/],
  ] as const)
    test(`is told from ${what}`, async () => {
      writeFileSync(file, content);
      assert.match(await refusal(), says);
      await assert.rejects(readStatus(file), says);
    });
});

test('what is no file is no snapshot', async () => {
  const refused = (err: unknown): boolean => isKnownError(err, 'BAD_CONFIG') && /it is no file$/.test(err.message);
  await assert.rejects(readStatus(dir), refused);
  await assert.rejects(openSnapshot(dir), refused);
});

describe('saving', () => {
  test('leaves an older snapshot as it was when it fails, and nothing beside it', async () => {
    const file = join(dir, 'kept.snapshot');
    await saveSnapshot(file, fakeImage([record('/a')]), about);
    const before = readFileSync(file);
    const breaking: StoreImage = {
      ...fakeImage([]),
      async *records() {
        yield record('/b');
        throw new Error('the disk is gone');
      },
    };
    await assert.rejects(saveSnapshot(file, breaking, about), /the disk is gone/);
    await assert.rejects(saveSnapshot(file, fakeImage([record('/c')]), { ...about, signal: AbortSignal.abort() }));
    assert.deepEqual(readFileSync(file), before);
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.startsWith('kept.snapshot')),
      ['kept.snapshot'],
    );
  });

  test('refuses the name of a file that is no snapshot', async () => {
    const file = join(dir, 'precious.db');
    writeFileSync(file, 'precious');
    await assert.rejects(saveSnapshot(file, fakeImage([]), about), (err) => isKnownError(err, 'BAD_CONFIG'));
    await assert.rejects(saveSnapshot(dir, fakeImage([]), about), (err) => isKnownError(err, 'BAD_CONFIG'));
    assert.equal(readFileSync(file, 'utf8'), 'precious');
  });

  test('that is killed leaves nothing under the name, and what it leaves beside it goes with a later save', async () => {
    const file = join(dir, 'killed.snapshot');
    const child = spawn(process.execPath, [new URL('./testing/save-child.ts', import.meta.url).pathname, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // It says so when much is written and more is to come.
    await once(createInterface({ input: child.stdout }), 'line');
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
    assert.ok(!existsSync(file));
    const beside = (): string[] => readdirSync(dir).filter((name) => name.startsWith('killed.snapshot.'));
    const [left = '', ...others] = beside();
    assert.deepEqual([left === '', others], [false, []], 'it was in the middle');
    const written = statSync(join(dir, left)).mtimeMs;
    writeFileSync(`${file}.old.new`, 'of somebody else');
    const mayStillWrite = { ...about, now: written + 599_000 };
    await saveSnapshot(file, fakeImage([]), mayStillWrite);
    assert.equal(beside().length, 2);
    await saveSnapshot(file, fakeImage([]), { ...about, now: written + 601_000 });
    assert.deepEqual(beside(), ['killed.snapshot.old.new']);
  });
});
