import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { putFile, syncFolder } from '../linux/put-file.ts';
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

test('a folder that cannot be synced is no failure, one that is not there is', () => {
  syncFolder('/proc');
  assert.throws(() => syncFolder('/nowhere/at/all'), { code: 'ENOENT' });
});
