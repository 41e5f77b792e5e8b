import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
// biome-ignore lint/correctness/useImportExtensions: the types beside it are for .ts files
import { cacheFolder, isSafe, prepareFolder } from './compile-cache.mjs';

describe('the compile cache', () => {
  const user = process.getuid?.() ?? 0;
  // Everybody may write to /tmp; the working tree is its owner's.
  const dir = mkdtempSync(join(import.meta.dirname, '.cache-'));
  after(() => rmSync(dir, { recursive: true }));

  test("lies where only its user's processes write", () => {
    assert.equal(cacheFolder(0, '/root'), '/var/cache/fairlead/compile');
    assert.equal(cacheFolder(1000, '/home/ann'), '/home/ann/.cache/fairlead/compile');
  });

  for (const [what, mode, uid, isDirectory, safe] of [
    ["its user's own", 0o40700, 1000, true, true],
    ['one that others may read', 0o40755, 1000, true, true],
    ['one that a group may write to', 0o40770, 1000, true, false],
    ['one that everybody may write to', 0o41777, 1000, true, false],
    ["somebody else's", 0o40700, 1001, true, false],
    ['a symbolic link', 0o120777, 1000, false, false],
  ] as const)
    test(`isSafe() says ${safe} of ${what}`, () => assert.equal(isSafe({ mode, uid }, isDirectory, 1000), safe));

  test('is made private, and not used in a folder that others may write to, or behind a link', () => {
    const open = join(dir, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    assert.equal(prepareFolder(join(open, 'cache'), user), false);
    symlinkSync(open, join(dir, 'link'));
    assert.equal(prepareFolder(join(dir, 'link'), user), false);
    prepareFolder(join(dir, 'new'), user);
    assert.equal(statSync(join(dir, 'new')).mode & 0o777, 0o700);
  });

  test('has all that a second start loads: what takes types out of sources is not there', () => {
    const file = new URL('./fairlead.mjs', import.meta.url).pathname;
    const tell = "process.on('exit', () => console.error(process.moduleLoadList.filter((name) => name.includes('amaro')).length))";
    const start = (): string => {
      const args = ['--import', `data:text/javascript,${encodeURIComponent(tell)}`, file, 'version'];
      const env = { ...process.env, NODE_COMPILE_CACHE: join(dir, 'kept') };
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
      assert.equal(status, 0, stderr);
      return stderr.trim();
    };
    assert.notEqual(start(), '0');
    assert.equal(start(), '0');
  });
});
