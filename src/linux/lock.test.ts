import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type ExecResult, systemExec } from './exec.ts';
import { lockDirectory, removeLock } from './lock.ts';

describe('lockDirectory()', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lock-'));
  after(() => rmSync(dir, { recursive: true }));

  test('keeps others out until it is unlocked', () => {
    const path = join(dir, 'a');
    const unlock = lockDirectory(path);
    assert.throws(() => lockDirectory(path), { code: 'STATE_IN_USE' });
    unlock();
    lockDirectory(path)();
  });

  test('is anew where its owner removed it, and leaves none of those who waited with the old one', () => {
    const path = join(dir, 'b');
    const unlock = lockDirectory(path);
    removeLock(path);
    const next = lockDirectory(path);
    unlock();
    assert.throws(() => lockDirectory(path), { code: 'STATE_IN_USE' });
    next();
    assert.ok(existsSync(path));
  });

  test('fails where there is no way to the directory', () => {
    symlinkSync(join(dir, 'nowhere', 'at-all'), join(dir, 'link'));
    assert.throws(() => lockDirectory(join(dir, 'link', 'x')), { code: /^(ENOENT|EEXIST|ENOTDIR)$/ });
  });

  test('has one owner at a time, though each removes it', async () => {
    // Each in a process of its own: makes a file that nobody else may have made, and takes it and the directory away again.
    const owner = `
      import { closeSync, openSync, unlinkSync } from 'node:fs';
      import { lockDirectory, removeLock } from ${JSON.stringify(join(import.meta.dirname, 'lock.ts'))};
      const [path, marker] = process.argv.slice(1);
      for (let had = 0; had < 300; ) {
        let unlock;
        try { unlock = lockDirectory(path); } catch (err) { if (err.code !== 'STATE_IN_USE') throw err; continue; }
        closeSync(openSync(marker, 'wx'));
        unlinkSync(marker);
        removeLock(path);
        unlock();
        had++;
      }`;
    const run = (): Promise<ExecResult> =>
      systemExec.run(process.execPath, ['--input-type=module-typescript', '-e', owner, join(dir, 'c'), join(dir, 'marker')]);
    for (const { code, stderr } of await Promise.all([run(), run(), run()])) assert.equal(code, 0, stderr);
  });
});
