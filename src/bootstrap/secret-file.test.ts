import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder, putFile, syncFolder } from '../linux/put-file.ts';
import { writeSecret } from './secret-file.ts';

test('a file and its name are on the disk when it is there, by either way', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'put-file-'));
  const synced: string[] = [];
  const real = fs.fsyncSync;
  const spy = t.mock.method(fs, 'fsyncSync', (fd: number) => {
    synced.push(fs.readlinkSync(`/proc/self/fd/${fd}`));
    // What is renamed later is not the folder's yet.
    if (synced.at(-1) === dir) assert.ok(fs.readdirSync(dir).every((name) => !/\.(new|next)$/.test(name)));
    real(fd);
  });
  syncBuiltinESMExports();
  try {
    putFile(join(dir, 'a'), 'text', 0o640);
    await writeSecret(join(dir, 'b'), 'secret');
    assert.deepEqual(
      synced.filter((path) => path === dir),
      [dir, dir],
    );
    assert.deepEqual([await readFile(join(dir, 'a'), 'utf8'), (await stat(join(dir, 'a'))).mode & 0o777], ['text', 0o640]);
    assert.deepEqual([await readFile(join(dir, 'b'), 'utf8'), (await stat(join(dir, 'b'))).mode & 0o777], ['secret', 0o600]);
    putFile(join(dir, 'a'), 'text', 0o640);
    assert.equal(synced.filter((path) => path === dir).length, 2, 'what is so already costs nothing');
  } finally {
    spy.mock.restore();
    syncBuiltinESMExports();
    await rm(dir, { recursive: true });
  }
});

test('a file is put in place beside what others have, and leaves nothing behind where that fails', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'put-file-'));
  try {
    await writeFile(join(dir, 'config.new'), 'of somebody else');
    putFile(join(dir, 'config'), 'text', 0o600);
    assert.equal(await readFile(join(dir, 'config.new'), 'utf8'), 'of somebody else');
    await mkdir(join(dir, 'folder', 'full'), { recursive: true });
    assert.throws(() => putFile(join(dir, 'folder'), 'text', 0o600), { code: 'EISDIR' });
    assert.deepEqual((await readdir(dir)).toSorted(), ['config', 'config.new', 'folder']);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('what a killed writer has left goes with the next one, and nothing that is newer, or of another file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'put-file-'));
  const hex = '0123456789abcdef';
  const long = new Date(Date.now() - 3_600_000);
  try {
    const others = ['a.new', 'a.0123.new', `a.${hex}.new.bak`, `b.${hex}.new`, `aa.${hex}.new`, `a.${hex}0.new`];
    for (const name of [`a.${hex}.new`, `a.${hex.replaceAll('0', 'f')}.new`, ...others]) {
      await writeFile(join(dir, name), 'half');
      await utimes(join(dir, name), long, long);
    }
    await writeFile(join(dir, `a.${'1'.repeat(16)}.new`), 'of one who writes now');
    await writeSecret(join(dir, 'a'), 'text');
    assert.deepEqual((await readdir(dir)).toSorted(), ['a', `a.${'1'.repeat(16)}.new`, ...others].toSorted());
    putFile(join(dir, 'b'), 'text', 0o644);
    assert.deepEqual((await readdir(dir)).includes(`b.${hex}.new`), false);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('each folder that is made for a file is on the disk under its name', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'put-file-'));
  const synced: string[] = [];
  const spy = t.mock.method(fs, 'fsyncSync', (fd: number) => void synced.push(fs.readlinkSync(`/proc/self/fd/${fd}`)));
  syncBuiltinESMExports();
  try {
    makeFolder(join(dir, 'a/b/c'), 0o700);
    assert.deepEqual(synced.toSorted(), [dir, join(dir, 'a'), join(dir, 'a/b')]);
    makeFolder(join(dir, 'a/b/c'), 0o700);
    assert.equal(synced.length, 3, 'what is there already costs nothing');
    await writeSecret(join(dir, 'd/e'), 'text');
    assert.deepEqual(
      synced.slice(3).filter((path) => !path.endsWith('.new')),
      [dir, join(dir, 'd')],
    );
  } finally {
    spy.mock.restore();
    syncBuiltinESMExports();
    await rm(dir, { recursive: true });
  }
});

test('a folder that cannot be synced is no failure, one that is not there is', () => {
  syncFolder('/proc');
  assert.throws(() => syncFolder('/nowhere/at/all'), { code: 'ENOENT' });
});
