import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { cannotMount } from '../testing/small-disk.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-read-only-'));
after(() => rmSync(dir, { recursive: true }));
const child = new URL('./testing/open-child.ts', import.meta.url).pathname;

/** What opening a store says on a tmpfs that is read-only, in a mount namespace that ends with the shell. */
function openReadOnly(before: string): string {
  const script = `mount -t tmpfs tmpfs "$1" && ${before} && mount -o remount,ro "$1" && "$2" "$3" "$1/data/store.db"`;
  const args = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', dir, process.execPath, child];
  return execFileSync('unshare', args, { encoding: 'utf8', timeout: 180_000 });
}

describe('a read-only file system', { skip: cannotMount }, () => {
  for (const [what, before] of [
    ['without a folder for the store', 'true'],
    ['with an empty folder', 'mkdir "$1/data"'],
    ['with a store that was closed', '"$2" "$3" "$1/data/store.db"'],
    ['with a store that crashed', '"$2" "$3" "$1/data/store.db" && : > "$1/data/store.db-wal"'],
  ] as const)
    test(`${what} is told as such, with what to do`, () => {
      const said = openReadOnly(before).trim().split('\n').at(-1);
      assert.match(said ?? '', /^STORE_READ_ONLY: .*store\.db.*read-only.*remount,rw/);
    });
});
