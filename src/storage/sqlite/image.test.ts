import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { fillStore, openImage } from '../open.ts';
import { bytes, text } from '../testing/events.ts';
import { readSqliteImage } from './image.ts';
import { openSqliteStore } from './sqlite-store.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-image-'));
after(() => rmSync(dir, { recursive: true }));

async function storeWith(name: string, ...keys: readonly string[]): Promise<string> {
  const path = join(dir, name);
  await using store = await openSqliteStore(path);
  for (const key of keys) await store.put(key, bytes(key));
  return path;
}

async function copy(from: string, to: string): Promise<void> {
  await using image = await openImage(`sqlite://${from}`, { closed: true });
  await fillStore(`sqlite://${to}`, image, image.revision);
}

describe('readSqliteImage()', () => {
  test('gives the records in the order in which they were written last', async () => {
    const path = await storeWith('order.db', '/a', '/b', '/c', '/a');
    await using image = readSqliteImage(path);
    assert.deepEqual(
      (await Array.fromAsync(image.records())).map(({ key, createRevision, modRevision }) => [key, createRevision, modRevision]),
      [
        ['/b', 2, 2],
        ['/c', 3, 3],
        ['/a', 1, 4],
      ],
    );
    assert.equal(image.revision, 4);
  });

  test('leaves a store that nobody has open such that it opens again', async () => {
    const path = await storeWith('quiet.db', '/a');
    await readSqliteImage(path)[Symbol.asyncDispose]();
    await using store = await openSqliteStore(path);
    assert.equal(text((await store.get('/a'))?.value), '/a');
  });

  test('refuses a store that lost what was acknowledged, as a server does', async () => {
    const path = await storeWith('lost.db', '/a');
    copyFileSync(path, `${path}.older`);
    await using store = await openSqliteStore(path);
    await store.put('/b', bytes('x'));
    await store.close();
    copyFileSync(`${path}.older`, path);
    assert.throws(() => readSqliteImage(path), { code: 'STORE_CORRUPT', message: /it ends at revision 1$/ });
    copyFileSync(await storeWith('other.db', '/a', '/b', '/c'), path);
    assert.throws(() => readSqliteImage(path), { code: 'STORE_CORRUPT', message: /it is the file of another cluster$/ });
    rmSync(`${path}-mark`);
    assert.throws(() => readSqliteImage(path), { code: 'STORE_CORRUPT', message: /mark is missing/ });
  });

  test('refuses a store whose pages contradict each other', async () => {
    const path = await storeWith('inside.db', '/a-key-to-find', '/b');
    const file = readFileSync(path);
    // A key stands in the table and in its index.
    file.write('/z', file.indexOf('/a-key-to-find'));
    writeFileSync(path, file);
    assert.throws(() => readSqliteImage(path), { code: 'STORE_CORRUPT', message: /it is damaged inside/ });
  });

  test('names a store that is not there, and makes none', async () => {
    const path = join(dir, 'none.db');
    for (const closed of [true, false]) await assert.rejects(openImage(`sqlite://${path}`, { closed }), /there is no such file$/);
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.startsWith('none')),
      [],
    );
  });
});

describe('filling a file', () => {
  test('keeps every revision, and goes on from the newest one', async () => {
    const path = await storeWith('from.db', '/a', '/b', '/a');
    await copy(path, join(dir, 'new-folder/to.db'));
    await using from = await openSqliteStore(path);
    await using to = await openSqliteStore(join(dir, 'new-folder/to.db'));
    assert.deepEqual(await to.range('/', '0'), await from.range('/', '0'));
    const put = await to.put('/c', bytes('x'));
    assert.equal(put.ok && put.record.modRevision, 4);
  });

  test('refuses a store that is there, or of which something is left, and changes nothing', async () => {
    const path = await storeWith('source.db', '/new');
    const there = await storeWith('there.db', '/old');
    await assert.rejects(copy(path, there), (err) => isKnownError(err, 'STORE_NOT_EMPTY') && err.hint !== undefined);
    await using store = await openSqliteStore(there);
    assert.deepEqual([(await store.get('/old')) !== undefined, await store.get('/new')], [true, undefined]);
    await store.close();
    rmSync(there);
    await assert.rejects(copy(path, there), { code: 'STORE_NOT_EMPTY', message: /there\.db-mark" is there already$/ });
    assert.ok(!existsSync(there));
  });

  test('refuses a store that a server has open, at either end', async () => {
    const path = await storeWith('idle.db', '/a');
    const open = join(dir, 'open.db');
    await using _store = await openSqliteStore(open);
    await assert.rejects(copy(path, open), (err) => isKnownError(err, 'STORE_IN_USE'));
    await assert.rejects(copy(open, join(dir, 'never.db')), (err) => isKnownError(err, 'STORE_IN_USE'));
  });

  test('that fails leaves no store, and can be done again', async () => {
    const path = await storeWith('whole.db', '/a');
    const to = join(dir, 'again.db');
    await using image = await openImage(`sqlite://${path}`, { closed: true });
    const breaking = {
      ...image,
      async *records() {
        yield* image.records();
        throw new Error('the network is gone');
      },
    };
    await assert.rejects(fillStore(`sqlite://${to}`, breaking, 1), /the network is gone/);
    assert.ok(!existsSync(to) && !existsSync(`${to}.new`));
    await fillStore(`sqlite://${to}`, image, image.revision);
    await using store = await openSqliteStore(to);
    assert.equal(text((await store.get('/a'))?.value), '/a');
  });

  test('is not possible for a store that ends with its process', async () => {
    const path = await storeWith('forgetful.db', '/a');
    await assert.rejects(openImage('memory:', { closed: false }), { code: 'BAD_CONFIG', hint: /sqlite:/ });
    await using image = await openImage(`sqlite://${path}`, { closed: true });
    await assert.rejects(fillStore('memory:', image, 1), { code: 'BAD_CONFIG' });
  });
});
