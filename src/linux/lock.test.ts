import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { lockDirectory } from './lock.ts';

suite('lockDirectory()', () => {
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
    rmSync(path, { recursive: true });
    const next = lockDirectory(path);
    unlock();
    assert.throws(() => lockDirectory(path), { code: 'STATE_IN_USE' });
    next();
    assert.ok(existsSync(path));
  });
});
